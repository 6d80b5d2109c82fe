# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth benchmark`: metrics worked out by hand, and the layers that need no ROS."""

import ctypes
import itertools
import json
import os
import subprocess
import sys
import time
from mmap import PAGESIZE, mmap
from pathlib import Path

import cv2
import numpy as np
import pytest
from oracle import write_color_model

from msdepth_ros.benchmark.chart import Bar, bar_chart
from msdepth_ros.benchmark.metrics import latencies, loss, performance
from msdepth_ros.benchmark.timing import summary
from msdepth_ros.benchmark.usage import Usage, memory
from msdepth_ros.cli import main

MS = 1_000_000


def test_metrics_of_four_images_of_which_one_is_missed():
    """Sent every 100 ms; received after 10, 30 and 20 ms; an answer to nothing does not count."""
    sent = [1000 * MS, 1100 * MS, 1200 * MS, 1300 * MS]
    received = {1000 * MS: 1010 * MS, 1100 * MS: 1130 * MS, 1300 * MS: 1320 * MS, 7: 8}
    found = performance(sent, received)
    expected = {
        'NUM_FRAMES_SENT': 4,
        'NUM_MISSED_FRAMES': 1,
        'MEAN_PLAYBACK_FRAME_RATE': 10.0,
        'MEAN_FRAME_RATE': 2 / 0.310,
        'RECEIVED_DURATION': 310.0,
        'FIRST_SENT_RECEIVED_LATENCY': 10.0,
        'LAST_SENT_RECEIVED_LATENCY': 20.0,
        'FIRST_INPUT_LATENCY': 10.0,
        'LAST_INPUT_LATENCY': 20.0,
        'MAX_LATENCY': 30.0,
        'MIN_LATENCY': 10.0,
        'MEAN_LATENCY': 20.0,
        # Received 120 ms and then 190 ms apart.
        'MAX_JITTER': 70.0,
        'MIN_JITTER': 70.0,
        'MEAN_JITTER': 70.0,
        'STD_DEV_JITTER': 0.0,
    }
    assert found.keys() == {f'BasicPerformanceMetrics.{name}' for name in expected}
    for name, value in expected.items():
        assert found[f'BasicPerformanceMetrics.{name}'] == pytest.approx(value, abs=1e-6), name
    assert loss(sent, received) == 0.25
    assert latencies(sent, received)['p50'] == pytest.approx(20.0)


def test_metrics_of_a_run_that_nothing_answers():
    found = performance([0, 10**9], {})
    assert found['BasicPerformanceMetrics.NUM_MISSED_FRAMES'] == 2
    assert found['BasicPerformanceMetrics.MEAN_FRAME_RATE'] == 0.0
    assert 'BasicPerformanceMetrics.MEAN_LATENCY' not in found
    assert latencies([0, 10**9], {}) == {}


def test_a_summary_is_in_milliseconds():
    found = summary([0.001 * number for number in range(1, 102)])
    assert found == pytest.approx(
        {'count': 101, 'min': 1.0, 'mean': 51.0, 'p50': 51.0, 'p95': 96.0, 'p99': 100.0}
    )


def test_usage_sees_a_busy_process():
    with Usage(os.getpid()) as usage:
        block = mmap(-1, 50_000_000)  # given back at once, however malloc is set
        while sum(os.times()[:2]) < usage._cpu + 0.3:
            for page in range(0, len(block), PAGESIZE):
                block[page] = 1
    # What this process used, of what it could: less where others use the machine too.
    assert 0 < usage.metrics['ResourceMetrics.NODE_CPU_UTILIZATION'] < 130
    assert 0 < usage.metrics['ResourceMetrics.MEAN_OVERALL_CPU_UTILIZATION'] <= 100
    with_block = memory(os.getpid())
    block.close()
    assert 45 < with_block - memory(os.getpid()) < 60


def test_usage_shows_what_the_machine_held_up(monkeypatch):
    ticks = itertools.chain([(0, 7, 100)], itertools.repeat((40, 12, 150)))
    monkeypatch.setattr('msdepth_ros.benchmark.usage._machine_ticks', lambda: next(ticks))
    with Usage(os.getpid()) as held:
        while held._stall < 0.25:  # the thread that is held up may have to begin first
            time.sleep(0.05)
            ctypes.PyDLL(None).usleep(300_000)  # keeps the interpreter, so that no thread runs
    assert held.metrics['ResourceMetrics.MEAN_STOLEN_CPU'] == pytest.approx(10.0)
    assert held.metrics['ResourceMetrics.LONGEST_STALL'] > 250


def test_bars_are_as_long_as_their_values():
    bars = [Bar('a', 10.0, 4.0, 12.0), Bar('b', 5.0)]
    picture = bar_chart('title', 'legend', bars, 'note ' * 60)
    light = (picture == (210, 150, 60)).all(-1).sum(axis=1)
    dark = (picture == (130, 85, 25)).all(-1).sum(axis=1)
    first, second = light[dark > 20].max() + dark.max(), light[(dark == 0) & (light > 20)].max()
    assert first > 300
    assert second / first == pytest.approx(0.5, abs=0.01)
    assert dark.max() / first == pytest.approx(0.4, abs=0.01)


def test_the_first_two_layers_need_no_ros(tmp_path: Path):
    model = write_color_model(tmp_path)
    code = (
        'import sys; sys.modules["rclpy"] = sys.modules["sensor_msgs"] = None\n'
        'from msdepth_ros.cli import main\n'
        'sys.exit(main(sys.argv[1:]))'
    )
    out = tmp_path / 'figures'
    options = ['--layers', 'engine,estimator', '--seconds', '0.2', '--json', '--out', str(out)]
    options += ['--backend', 'onnxruntime', '--model', str(model), '--size', '320x240']
    result = subprocess.run(
        [sys.executable, '-c', code, 'benchmark', *options], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert json.loads((out / 'benchmark.json').read_text()) == document
    assert document.keys() == {'metadata', 'engine', 'estimator'}
    assert document['metadata']['setup']['size'] == [320, 240]
    assert document['metadata']['cores'] == len(os.sched_getaffinity(0))
    assert document['metadata']['versions']['numpy'] == np.__version__
    for name in ('engine', 'estimator'):
        layer = document[name]
        assert (layer['model'], layer['backend'], layer['precision']) == (
            'oracle', 'onnxruntime', 'fp32',
        )  # fmt: skip
        times = layer['milliseconds']
        assert 0 < times['min'] <= times['p50'] <= times['p95'] <= times['p99']
        assert times['count'] > 1
    assert len(document['engine']['model_sha256']) == 64
    estimator = document['estimator']
    assert 0 < estimator['network']['min'] < estimator['milliseconds']['p99']
    text = (out / 'benchmark.md').read_text()
    assert '| engine |' in text
    assert '| estimator |' in text
    picture = cv2.imread(str(out / 'benchmark.png'))
    assert picture.shape[1] == 1280


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (['--layers', 'engine,motor'], "--layers 'engine,motor' must be some of engine,estimator"),
        (['--layers', ''], '--layers'),
        (['--size', '640'], "--size '640' must be WIDTHxHEIGHT"),
        (['--size', '0x480'], '--size'),
        (['--size', '640x99999'], '--size'),
        (['--seconds', '-1'], '--seconds is -1'),
        (['--seconds', 'nan'], '--seconds is nan'),
        (['--threads', '-1'], '--threads is -1'),
        (['--backend', 'abacus', '--layers', 'engine'], "no backend named 'abacus'"),
        (['--model', 'nothing', '--layers', 'engine'], "no model named 'nothing'"),
    ],
)
def test_bad_arguments_are_one_line(capsys, options, words):
    assert main(['benchmark', *options]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert words in lines[-1]
    assert [line for line in lines if not line.startswith('measuring')] == lines[-1:]


def test_without_ros_the_node_is_refused_before_anything_is_measured(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'rclpy', None)
    assert main(['benchmark']) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert '--layers engine,estimator' in line


def test_an_unwritable_folder_is_reported(tmp_path: Path, capsys):
    (tmp_path / 'file').write_text('')
    model = str(write_color_model(tmp_path))
    options = ['--layers', 'engine', '--seconds', '0.1', '--model', model]
    assert main(['benchmark', *options, '--out', str(tmp_path / 'file')]) == 2
    assert 'cannot write to' in capsys.readouterr().err
