# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The depth node's life: states, start-up errors, and how it ends."""

import signal

import cv2
import numpy as np
import pytest
from camera_messages import camera_info, compressed, depth_of, uniform
from oracle import write_color_model, write_slow_model
from steady_camera import SteadyCamera

GREY = 0.5 + 100 * (0.001 + 0.003 + 0.01)  # metres that the colour model answers for grey 100


@pytest.fixture(scope='module')
def graph(graph):
    """Start each process as on a robot, so that it also ends as one."""
    graph.fresh = True
    return graph


def _center(answer):
    return float(depth_of(answer.depth)[240, 320])


def test_all_transitions_and_back(graph, color_model):
    parameters = {'model': color_model, 'autostart': False}
    with graph.depth_node(parameters, state='unconfigured') as (_, client):
        assert client.diagnostics()['message'] == 'not configured'
        for _ in range(2):
            assert client.node.count_publishers(f'{client.namespace}/points') == 0
            assert client.change_state('configure')
            assert client.state() == 'inactive'
            client.collect('depth/image_rect')
            assert client.change_state('activate')
            answer = client.ask(uniform(), camera_info())
            assert _center(answer) == pytest.approx(GREY, abs=1e-4)
            assert client.change_state('deactivate')
            assert client.state() == 'inactive'
            assert client.change_state('cleanup')
            assert client.state() == 'unconfigured'
            client.wait_until(
                lambda: not client.node.count_publishers(f'{client.namespace}/points'),
                'cleanup takes the topics back',
            )


def test_an_impossible_transition_is_refused(graph, color_model):
    with graph.depth_node({'model': color_model}) as (process, client):
        client.collect('depth/image_rect')
        assert not client.change_state('cleanup')
        assert client.state() == 'active'
        client.ask(uniform(), camera_info())
        assert client.change_state('deactivate')
        assert not client.change_state('deactivate')
        assert client.change_state('cleanup')
        assert not client.change_state('activate')
        assert process.output.count('is refused') == 3


@pytest.mark.parametrize('autostart', [True, False])
def test_a_manager_configures_and_activates_whatever_autostart_says(graph, color_model, autostart):
    """Nav2's lifecycle_manager asks for the state after each transition, and gives up else."""
    parameters = {'model': color_model, 'autostart': autostart}
    start = 'active' if autostart else 'unconfigured'
    with graph.depth_node(parameters, state=start, joined=False) as (process, client):
        client.collect('depth/image_rect')
        for _ in range(2):
            for transition, state in (('configure', 'inactive'), ('activate', 'active')):
                for _ in range(2):  # a manager that is started again
                    assert client.change_state(transition)
                    assert client.state() == state
            assert _center(client.ask(uniform(), camera_info())) == pytest.approx(GREY, abs=1e-4)
        assert 'refused' not in process.output


def test_a_failed_transition_is_reported_and_undone(graph, color_model):
    image = '/lifecycle/image'
    parameters = {
        'model': color_model,
        f'qos_overrides.{image}.subscription.reliability': 'best-effort',  # best_effort
    }
    started = graph.depth_node(
        parameters, state='unconfigured', remappings=(f'image:={image}',), joined=False
    )
    with started as (process, client):
        process.wait_for_output('a transition failed')
        status = client.diagnostics(lambda values: values['last error'])
        assert 'a transition failed' in status['last error']
        assert not client.node.count_publishers(f'{client.namespace}/points')
        assert client.set('backend', 'auto').successful  # as of a node that is not configured


def test_no_work_while_inactive_and_work_again_when_active(graph, color_model):
    with graph.depth_node({'model': color_model}) as (_, client):
        client.collect('depth/image_rect')
        client.ask(uniform(), camera_info())
        assert client.change_state('deactivate')
        client.wait_until(lambda: not client.images.get_subscription_count(), 'unsubscribed')
        before = client.diagnostics()
        for _ in range(10):
            client.publish(uniform(), camera_info())
        after = client.diagnostics()
        assert after['frames received'] == before['frames received']
        assert after['frames published'] == before['frames published']
        assert client.change_state('activate')
        client.ask(uniform(), camera_info())


def test_the_error_of_a_frame_is_cleared_with_the_model(graph, color_model):
    bad = uniform()
    bad.step = 5
    with graph.depth_node({'model': color_model}) as (_, client):
        client.collect('depth/image_rect')
        client.ask(uniform(), camera_info())

        def complained(values):
            client.publish(bad, camera_info())
            return 'step' in values['last error']

        client.diagnostics(complained)
        assert client.change_state('deactivate')
        values = client.diagnostics(lambda values: 'inactive' in values['message'])
        assert values['level'] == 'OK'
        assert client.change_state('cleanup')
        values = client.diagnostics(lambda values: values['engine'] == 'not loaded')
        assert (values['level'], values['message']) == ('WARN', 'not configured')
        assert values['last error'] == ''


def test_deactivate_in_mid_frame_again_and_again(graph, color_model):
    """The frame at work while the subscriptions go must not take the worker with it."""
    parameters = {'model': color_model, 'image_transport': 'compressed'}
    noise = np.random.default_rng(1).integers(0, 256, (720, 1280, 3), np.uint8)
    png = cv2.imencode('.png', noise, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()
    message, info = compressed(png, 'png'), camera_info(1280, 720)
    with graph.depth_node(parameters, compressed=True) as (process, client):
        client.collect('depth/image_rect')
        client.ask(message, info)
        with SteadyCamera(client, message=message, info=info):
            for _ in range(6):
                assert client.change_state('deactivate')
                assert client.change_state('activate')
                client.received['depth/image_rect'].clear()
                client.wait_until(lambda: client.received['depth/image_rect'], 'work goes on')
        assert 'dropped' not in process.output


# The model is loaded once the node is told to end.
SLOW_LOADING = """
import time
import rclpy
from msdepth_ros.inference import model_host
create = model_host.create_backend
def slow(*arguments):
    print('it loads', flush=True)
    while rclpy.ok():
        time.sleep(0.01)
    return create(*arguments)
model_host.create_backend = slow
"""


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
class TestEndsWithExitCode0:
    def test_idle(self, graph, color_model, number):
        with graph.depth_node({'model': color_model}) as (process, _):
            process.end_cleanly(number)

    def test_under_load(self, graph, tmp_path, number):
        model = write_slow_model(tmp_path, layers=1)
        with graph.depth_node({'model': str(model), 'threads': 1}) as (process, client):
            client.collect('depth/image_rect', 'points')
            client.ask(uniform(), camera_info())
            with SteadyCamera(client):
                process.end_cleanly(number)

    def test_while_the_model_loads(self, graph, color_model, number):
        parameters = {'model': color_model, 'backend': 'onnxruntime'}
        with graph.process('node.depth_node', parameters, preamble=SLOW_LOADING) as process:
            process.wait_for_output('it loads')
            process.end_cleanly(number)
            assert 'on onnxruntime' not in process.output

    def test_unconfigured(self, graph, number):
        with graph.depth_node({'autostart': False}, state='unconfigured') as (process, _):
            process.end_cleanly(number)


def _one_line(process):
    lines = [line for line in process.output.splitlines() if line.strip()]
    assert len(lines) == 1, process.output
    return lines[0]


@pytest.mark.parametrize(
    ('parameters', 'reason'),
    [
        ({'points.stride': 0}, 'points.stride'),
        ({'depth.scale': -1.0}, 'depth.scale'),
        ({'backend': 'cuda'}, 'backend'),
        ({'points.stride': 'many'}, 'points.stride'),
        ({'depth.min': 3.0, 'depth.max': 2.0}, 'depth.max'),
    ],
    ids=['below the range', 'negative', 'not a choice', 'wrong type', 'min above max'],
)
def test_refuses_to_start_with_a_wrong_parameter(graph, parameters, reason):
    with graph.process('node.depth_node', parameters) as process:
        assert process.wait() == 2, process.output
        line = _one_line(process)
        assert reason in line


EXECUTABLE = """
import atexit, signal, sys
from msdepth_ros.host.executables import depth_node
atexit.register(lambda: print(signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)))
sys.exit(depth_node())
"""


def test_interrupts_are_ignored_while_the_process_ends(graph, color_model):
    """A terminal sends SIGINT to what `ros2 launch` started, and `ros2 launch` does so too."""
    with graph.depth_node({'model': color_model}, preamble=EXECUTABLE) as (process, _):
        process.send(signal.SIGINT)
        assert process.wait() == 0, process.output
        ignored = str(signal.SIG_IGN)
        assert process.output.splitlines()[-1] == f'{ignored} {ignored}'


# Fast DDS's threads, but for the one that belongs to no node, when `main` has returned.
THREADS_LEFT = """
import atexit
from pathlib import Path
def tell():
    names = {path.read_text().strip() for path in Path('/proc/self/task').glob('*/comm')}
    print('left:', sorted(n for n in names if n.startswith('dds.') and n != 'dds.shm.wdog'))
atexit.register(tell)
"""


REFUSAL = """
from msdepth_ros import errors
from msdepth_ros.node import depth_node
def refuse(*_):
    raise errors.MsdepthError('refused')
depth_node.ScaleCalibration = refuse
"""


@pytest.mark.parametrize(
    ('parameters', 'preamble'),
    [({'backend': 'cuda'}, ''), ({}, REFUSAL)],
    ids=['its parameters', 'what comes after them'],
)
def test_a_refused_node_leaves_no_thread_of_dds(graph, parameters, preamble):
    """At the process's end they read what is taken from them, and now and then it crashes."""
    with graph.process('node.depth_node', parameters, preamble=preamble + THREADS_LEFT) as process:
        assert process.wait() == 2
        assert process.output.splitlines()[-1] == 'left: []'


def test_a_node_that_is_ended_leaves_no_thread_of_dds(graph, color_model):
    with graph.depth_node({'model': color_model}, preamble=THREADS_LEFT) as (process, client):
        client.collect('depth/image_rect')
        client.ask(uniform(), camera_info())
        process.send(signal.SIGINT)
        assert process.wait() == 0
        assert process.output.splitlines()[-1] == 'left: []'


# The signal comes while the executor is at work, which then stands still with what it goes on with.
SIGNAL_IN_A_CALLBACK = """
import os, signal, time
import rclpy
from msdepth_ros.node.depth_node import DepthNode
def end(node):
    os.kill(os.getpid(), signal.SIGINT)
    while rclpy.ok():
        time.sleep(0.01)
DepthNode._watch = end
"""


def test_a_node_that_is_ended_within_a_callback_leaves_no_thread_of_dds(graph, color_model):
    parameters = {'model': color_model, 'backend': 'onnxruntime'}
    preamble = SIGNAL_IN_A_CALLBACK + THREADS_LEFT
    with graph.process('node.depth_node', parameters, preamble=preamble) as process:
        assert process.wait() == 0
        assert process.output.splitlines()[-1] == 'left: []'


def _missing(folder):
    return 'no_such_model'


def _without_onnx(folder):
    path = write_color_model(folder)
    (folder / 'oracle.onnx').unlink()
    return path


def _damaged_onnx(folder):
    path = write_color_model(folder)
    (folder / 'oracle.onnx').write_bytes(b'not a network')
    return path


def _wrong_sha(folder):
    path = write_color_model(folder)
    path.write_text(path.read_text() + f'sha256: {"a" * 64}\n')
    return path


def _wrong_tensor(folder):
    path = write_color_model(folder)
    path.write_text(path.read_text().replace('name: depth', 'name: disparity'))
    return path


def _not_yaml(folder):
    path = write_color_model(folder)
    path.write_text('{')
    return path


def test_configure_fails_on_wrong_models_and_succeeds_after_them(graph, color_model, tmp_path):
    """One process meets one wrong model after the other, then a good one."""
    wrong = {
        'no_such_model': _missing,
        'cannot read': _without_onnx,
        'ONNX Runtime cannot load': _damaged_onnx,
        'SHA-256': _wrong_sha,
        'disparity': _wrong_tensor,
        'model description': _not_yaml,
    }
    models = {
        words: make(tmp_path / str(number)) for number, (words, make) in enumerate(wrong.items())
    }
    first = next(iter(models.values()))
    with graph.depth_node({'model': str(first)}, state='unconfigured') as (process, client):
        process.wait_for_output('no_such_model')
        status = client.diagnostics()
        assert status['level'] == 'ERROR'
        assert 'no_such_model' in status['message']
        for words, model in models.items():
            assert client.set('model', str(model)).successful
            lines = process.output.count('\n')
            assert not client.change_state('configure')
            assert client.state() == 'unconfigured'
            process.wait_for_output(words)
            assert process.output.count('\n') == lines + 1, process.output
        assert client.set('model', color_model).successful
        assert client.change_state('configure')
        assert client.change_state('activate')
        client.collect('depth/image_rect')
        answer = client.ask(uniform(), camera_info())
        assert _center(answer) == pytest.approx(GREY, abs=1e-4)
