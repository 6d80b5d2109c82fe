# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The benchmarks that run the node: `msdepth benchmark`, the soak, the tutorial node."""

import contextlib
import itertools
import json
import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from oracle import write_slow_model
from patience import PATIENCE

from msdepth_ros.benchmark.camera import BenchmarkCamera, stamp_of
from msdepth_ros.benchmark.layers import Setup, measure_node
from msdepth_ros.benchmark.rig import DEPTH, DEPTH_NODE, POINTS, Rig
from msdepth_ros.errors import MsdepthError

pytestmark = pytest.mark.slow  # each starts a camera, a node and a receiver
ROOT = Path(__file__).resolve().parents[2]
NAMES = 'BasicPerformanceMetrics.'


def processes_with(argument):
    found = []
    for path in Path('/proc').glob('[0-9]*/cmdline'):
        with contextlib.suppress(OSError):  # it ended just now
            if argument in path.read_text(errors='replace'):
                found.append(path)
    return found


def run_script(name, *options, codes=(0,)):
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get('PYTHONPATH', '')]))
    result = subprocess.run(
        [sys.executable, str(ROOT / 'bench' / name), *options],
        env={**os.environ, 'PYTHONPATH': path},
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE,
    )
    assert result.returncode in codes, result.stdout + result.stderr
    return result.stdout


def test_the_node_is_measured_at_a_fixed_rate_and_at_its_peak(graph, color_model):
    setup = Setup(color_model, 'onnxruntime', size=(320, 240), seconds=1.0, rates=(20.0,))
    found = measure_node(setup)
    fixed = found.pop('20.0fps')
    assert fixed[f'{NAMES}NUM_FRAMES_SENT'] == 20
    assert 0 < fixed[f'{NAMES}MEAN_PLAYBACK_FRAME_RATE'] < 21  # a machine held up plays slower
    assert 0 <= fixed[f'{NAMES}NUM_MISSED_FRAMES'] < 20
    for run in (fixed, found):
        assert run[f'{NAMES}MIN_LATENCY'] > 0
        for topic in (DEPTH, POINTS):
            times = run['latency'][topic]
            assert 0 < times['min'] <= times['p50'] <= times['p99']
        assert 0 < run['network']['p50'] < run['latency'][DEPTH]['p99']
        assert run['ResourceMetrics.NODE_MEMORY'] > 10
    assert found[f'{NAMES}MEAN_FRAME_RATE'] > 0
    json.dumps(found, allow_nan=False)


def segments(pid):
    """Return the files of shared memory that a process has mapped, ports (shared by all) aside."""
    maps = Path(f'/proc/{pid}/maps').read_text(errors='replace')
    return {word for word in maps.split() if '/dev/shm/fastrtps_' in word and 'port' not in word}


@pytest.mark.parametrize('program', ['depth_node', 'forwarder_node.py', 'tutorial_node.py'])
def test_a_benchmark_leaves_no_shared_memory(graph, color_model, program):
    parameters = {'model': str(color_model), 'backend': 'onnxruntime'}
    command = DEPTH_NODE if program == 'depth_node' else (str(ROOT / 'bench' / program),)
    with Rig(parameters, (320, 240), command) as rig:
        used = segments(rig.pid) - segments(os.getpid())
        if not used:
            pytest.skip('the middleware does not keep shared memory in /dev/shm')
    assert not [path for path in used - segments(os.getpid()) if Path(path).exists()]


def test_a_network_slower_than_the_camera_shows_as_missed(graph, tmp_path):
    model = write_slow_model(tmp_path, layers=6)
    with Rig({'model': str(model), 'backend': 'onnxruntime', 'threads': 1}) as rig:
        run = rig.run(60.0, 1.0)
    answered = [stamp for stamp in run.sent if stamp in run.received[DEPTH]]
    assert len(run.sent) == 60
    assert 0 < len(answered) < 60


class Clock:
    """Stands in for the module time; it goes on when somebody sleeps."""

    now = 1000.0

    def monotonic(self):
        return self.now

    def time_ns(self):
        return round(1e9 * self.now)

    def sleep(self, seconds):
        self.now += seconds


def test_the_camera_sends_the_image_first_and_never_catches_up(monkeypatch):
    clock, sent = Clock(), []
    monkeypatch.setattr('msdepth_ros.benchmark.camera.time', clock)

    class Publisher:
        def __init__(self, kind):
            self._kind = kind

        def publish(self, message):
            sent.append((self._kind, stamp_of(message)))
            if len(sent) == 5:
                clock.sleep(0.3)  # held up for the time of six images

    camera = BenchmarkCamera.__new__(BenchmarkCamera)
    camera._image_publisher, camera._info_publisher = Publisher('image'), Publisher('info')
    camera._info, camera._images = bytearray(16), itertools.repeat(bytearray(16))
    stamps = camera.play(20.0, 8)
    assert sent == [(kind, stamp) for stamp in stamps for kind in ('image', 'info')]
    gaps = [1e-9 * (after - before) for before, after in itertools.pairwise(stamps)]
    # one image at once, which was due while it was held up
    assert gaps == pytest.approx([0.05, 0.05, 0.3, 0.0, 0.05, 0.05, 0.05], abs=1e-6)


def test_a_node_that_cannot_start_is_one_error(graph):
    with (
        pytest.raises(MsdepthError, match="no model named 'nothing'"),
        Rig({'model': 'nothing'}),
    ):
        pass


def test_the_soak_prints_every_period_and_judges(graph, color_model):
    options = ['--model', color_model, '--backend', 'onnxruntime', '--rate', '10']
    text = run_script('soak.py', '--minutes', '0.05', '--every', '1', *options, codes=(0, 1))
    lines = text.splitlines()
    assert len(lines) == 6
    assert all('memory' in line and ' of ' in line and 'stall' in line for line in lines[2:5])
    assert 'images dropped' in lines[5]


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_soak_and_all_it_started(color_model, number):
    command = [sys.executable, str(ROOT / 'bench' / 'soak.py'), '--model', color_model]
    soak = subprocess.Popen(
        [*command, '--backend', 'onnxruntime', '--minutes', '2', '--every', '1'],
        env={**os.environ, 'PYTHONPATH': f'{ROOT}:{os.environ.get("PYTHONPATH", "")}'},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # the signal is for the soak alone
    )
    try:
        for line in soak.stdout:
            if 'dropped' in line:
                break
        soak.send_signal(number)
        soak.communicate(timeout=PATIENCE)
    finally:
        soak.kill()
    assert soak.returncode not in (0, -signal.SIGKILL)
    assert not processes_with(f'/msdepth_benchmark_{soak.pid}_')


def test_overhead_measures_the_tutorial_node_too(graph, color_model, tmp_path):
    out = tmp_path / 'overhead.md'
    options = ['--model', color_model, '--backend', 'onnxruntime', '--rate', '10']
    run_script('overhead.py', '--seconds', '0.5', '--rounds', '1', '--out', str(out), *options)
    rows = [line.split(' | ') for line in out.read_text().splitlines() if ' of ' in line[-12:]]
    assert [row[0].lstrip('| ') for row in rows] == [
        'depth_node',
        'a node that computes nothing',
        'tutorial node, a point a cell',
        'tutorial node, a point a pixel',
    ]
    for row in rows:
        depth, cloud, network, beyond = map(float, row[1:5])
        assert (network > 0) == ('nothing' not in row[0])
        assert network < max(depth, cloud)
        assert beyond > 0


def test_the_peak_is_reported_with_the_rate_of_the_network_alone(graph, color_model, tmp_path):
    out = tmp_path / 'peak.md'
    options = ['--model', color_model, '--backend', 'onnxruntime', '--out', str(out)]
    run_script('peak.py', '--seconds', '0.5', '--rounds', '1', *options)
    rows = [line.split('|')[1:-1] for line in out.read_text().splitlines() if 'Hz' in line]
    cores = len(os.sched_getaffinity(0))
    assert [int(row[0]) for row in rows] == sorted({max(1, cores - 1), cores})
    for _, bare, peak, share, latency in rows:
        bare, peak = (float(rate.removesuffix(' Hz ')) for rate in (bare, peak))
        assert peak > 0
        assert float(share.strip(' %')) == pytest.approx(100 * peak / bare, abs=100 / bare + 1)
        assert float(latency.removesuffix(' ms ')) > 0


@pytest.mark.parametrize(
    ('memory', 'dropped', 'passed'),
    [((300, 304.9, 303), 0, True), ((300, 305.1, 303), 0, False), ((300, 290, 300), 1, False)],
)
def test_the_soak_fails_when_memory_grows_or_an_image_is_dropped(memory, dropped, passed):
    soak = runpy.run_path(str(ROOT / 'bench' / 'soak.py'))
    seen = [soak['Period'](8.0, 12.0, value, 1800, 0, 0.5, 9.0) for value in memory]
    seen.append(soak['Period'](9.0, 13.0, memory[-1], 1800, dropped, 0.5, 9.0))
    result, line = soak['verdict'](seen)
    assert result is passed
    assert line.startswith('passed' if passed else 'FAILED')
    assert f'{dropped} of 7200 images dropped' in line
    assert 'p50 went from 8.0 to 9.0 ms' in line
