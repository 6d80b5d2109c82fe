# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Processes that die, a disk that is full, a stop in the middle: the next good frame is answered.

A camera that stops, changes its size or its calibration, and a clock that jumps, are in
test_inputs_missing.py and test_bad_input.py; a model that changes is in test_model_change.py.
"""

import contextlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from camera_messages import camera_info, depth_of, uniform
from oracle import COLOR_OFFSET, write_slow_model
from ros_process import RosProcess
from steady_camera import SteadyCamera

GREY = COLOR_OFFSET + 100 * 0.014  # metres that the colour model answers for grey 100
pytestmark = pytest.mark.slow
SUBSCRIBER = Path(__file__).with_name('stuck_subscriber.py')


def _assert_answered(client):
    answer = client.ask(uniform(), camera_info())
    assert float(depth_of(answer.depth)[240, 320]) == pytest.approx(GREY, abs=1e-4)


@pytest.mark.slow
def test_a_node_that_is_killed_under_load_and_started_again(graph, color_model):
    parameters = {'model': color_model, 'backend': 'onnxruntime'}
    with (
        graph.process('node.depth_node', parameters) as first,
        graph.client(first) as client,
        SteadyCamera(client, 30) as camera,
    ):
        client.collect('depth/image_rect', 'points')
        received = client.received['points']
        client.wait_until(lambda: len(received) > 20, 'the camera is answered')
        first.kill()
        begun, last = len(camera.sent), max(received)
        # A death that held up the driver would end this.
        client.wait_until(lambda: len(camera.sent) > begun + 20, 'the camera runs on')
        again = RosProcess('node.depth_node', first.namespace, graph.folder / 'again', parameters)
        try:
            client.wait_until(lambda: again.running and max(received) > last, 'the new one answers')
            values = client.diagnostics(lambda values: values['level'] == 'OK')
            assert int(values['frames received']) > 0
            again.end_cleanly()
        finally:
            again.kill()


def _answered(client, sent):
    return [stamp for stamp in sent if stamp in client.arrival['points']]


@pytest.mark.slow
def test_a_subscriber_that_dies_in_mid_message(graph, color_model):
    with graph.depth_node({'model': color_model}) as (_, client):
        client.collect('depth/image_rect', 'points')
        client.ask(uniform(), camera_info())
        command = [sys.executable, str(SUBSCRIBER), client.namespace]
        with (
            SteadyCamera(client, 20) as camera,
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other,
        ):
            try:
                assert other.stdout.readline() == 'got one\n'
                first = len(camera.sent)
                client.wait_until(
                    lambda: len(_answered(client, camera.sent[first:])) >= 20, 'before'
                )
                other.send_signal(signal.SIGSTOP)  # so that messages are on the way when it dies
                begun = len(camera.sent)
                client.wait_until(lambda: len(camera.sent) > begun + 2, 'messages are sent')
            finally:
                other.kill()
            dead = len(camera.sent)
            client.wait_until(lambda: len(_answered(client, camera.sent[dead:])) >= 20, 'after')
        assert client.diagnostics()['last error'] == ''


@contextlib.contextmanager
def _small_disk(folder):
    """Mount a disk of 64 KB; skip where that needs rights that these tests have not."""
    folder.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=64k,nr_inodes=4', 'tmpfs', str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f'no disk to fill: {done.stderr.strip()}')
    try:
        yield folder
    finally:
        subprocess.run(['umount', '--lazy', str(folder)], check=True)


FULL_CONSOLE = 'import os; os.dup2(os.open("/dev/full", os.O_WRONLY), 2)'


def test_the_disk_gets_full_and_the_console_too(graph, color_model, tmp_path, monkeypatch):
    with _small_disk(tmp_path / 'disk') as disk:
        monkeypatch.setenv('ROS_LOG_DIR', str(disk))
        with graph.depth_node({'model': color_model}, preamble=FULL_CONSOLE) as (_, client):
            client.collect('depth/image_rect')
            _assert_answered(client)
            (log,) = disk.glob('*.log')
            with pytest.raises(OSError, match='No space left'), (disk / 'rest').open('wb') as rest:
                rest.write(bytes(1 << 20))
            size = log.stat().st_size
            bad = uniform()
            bad.encoding = 'rgb9'

            def told(values):
                client.publish(bad, camera_info())
                return 'rgb9' in values['last error'] and 'not usable' in values['message']

            client.diagnostics(told)  # which the log cannot hold
            assert log.stat().st_size <= size + 4096
            _assert_answered(client)


@pytest.mark.parametrize('cause', ['a full disk', 'not a folder'])
def test_a_node_starts_where_no_log_can_be_made(graph, color_model, tmp_path, monkeypatch, cause):
    with contextlib.ExitStack() as stack:
        if cause == 'a full disk':
            disk = stack.enter_context(_small_disk(tmp_path / 'disk'))
            for number in range(3):  # all the files that it holds
                (disk / str(number)).touch()
            monkeypatch.setenv('ROS_LOG_DIR', str(disk))
        else:
            monkeypatch.setenv('ROS_LOG_DIR', '/dev/null/log')
        with graph.depth_node({'model': color_model}) as (process, client):
            client.collect('depth/image_rect')
            _assert_answered(client)
            assert 'no log file is written' in process.output
            client.diagnostics(lambda values: values['model'] == 'oracle')


# An engine is built for real, by TensorRT for RTX, for a GPU that is not there. Its first step
# lasts until the node is told to end.
SLOW_BUILD = """
import time
import rclpy
from msdepth_ros.inference.backends.tensorrt import backend as tensorrt
from msdepth_ros.inference.backends.tensorrt import build_progress
class Gpu:
    name, capability, driver = 'no GPU', 'sm89', '13.0'
    def close(self):
        pass
tensorrt.check_installed = lambda: None
tensorrt.CudaDevice = Gpu
step = build_progress.BuildProgress.step
def slow_step(*arguments):
    while step(*arguments) and rclpy.ok():
        time.sleep(0.2)
    return step(*arguments)
build_progress.BuildProgress.step = slow_step
"""
# TensorRT before 10 tells nothing while it builds.
QUIET_BUILD = f"""{SLOW_BUILD}
from msdepth_ros.inference.backends.tensorrt import engine_builder

build_progress.BuildProgress.monitor = lambda self, trt: None
run = engine_builder._Build.run
def slow_run(build, *arguments):
    while build._follow.error is None:
        time.sleep(0.01)
    return run(build, *arguments)
engine_builder._Build.run = slow_run
"""


@pytest.mark.parametrize('preamble', [SLOW_BUILD, QUIET_BUILD], ids=['slow', 'quiet'])
def test_sigint_while_an_engine_is_built(graph, tmp_path, preamble):
    pytest.importorskip('tensorrt_rtx_bindings', exc_type=ImportError)
    parameters = {
        'model': str(write_slow_model(tmp_path, layers=1)),
        'backend': 'tensorrt',
        'engine_cache_dir': str(tmp_path / 'engines'),
    }
    with (
        graph.process('node.depth_node', parameters, preamble=preamble) as process,
        graph.client(process) as client,
    ):
        for _ in range(3):
            values = client.diagnostics(lambda values: 'building the engine' in values['message'])
            assert values['level'] == 'WARN'
            assert '%' in values['message']
        process.end_cleanly()
    left = [path.name for path in (tmp_path / 'engines').iterdir() if path.suffix != '.lock']
    assert left == [], 'an engine that is half built is not kept'


def test_a_stamp_before_1970_does_not_end_the_node(graph, color_model):
    with graph.depth_node({'model': color_model}) as (_, client):
        client.collect('depth/image_rect')
        _assert_answered(client)
        for sec, nanosec in ((-1, 0), (-(2**31), 2**32 - 1), (2**31 - 1, 2**32 - 1)):
            message, info = uniform(), camera_info()
            for each in (message, info):
                each.header.stamp.sec, each.header.stamp.nanosec = sec, nanosec
            client.infos.publish(info)
            client.images.publish(message)
            _assert_answered(client)
