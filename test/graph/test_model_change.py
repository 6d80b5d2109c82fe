# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Another model while frames come: the present one runs until the next is loaded or fails to."""

import pytest
from camera_messages import camera_info, depth_of, uniform
from oracle import COLOR_OFFSET, write_depth_model, write_slow_model
from steady_camera import SteadyCamera

GREY = COLOR_OFFSET + 100 * 0.014  # metres that the colour model answers for grey 100
FAR = 3.0  # metres that the next model answers


def _named(path, name):
    path.write_text(path.read_text().replace('name: oracle', f'name: {name}'))
    return str(path)


def _answers(client, metres, stamp=0):
    """Return whether the newest answer, of an image after a stamp, is of this depth."""
    newest = max(client.received['depth/image_rect'], default=0)
    if newest <= stamp:
        return False
    depth = depth_of(client.received['depth/image_rect'][newest])
    return abs(depth[240, 320] - metres) < 1e-3


# The model `far` is loaded once a file is there.
HELD_LOADING = """
import pathlib, time
from msdepth_ros.inference import model_host
create = model_host.create_backend
def held(model, *arguments):
    while model.name == 'far' and not (model.onnx.parent / 'go').exists():
        time.sleep(0.01)
    return create(model, *arguments)
model_host.create_backend = held
"""


@pytest.fixture(scope='module')
def serving(graph, color_model):
    """A node and its camera, which never stops."""
    parameters = {'model': color_model, 'threads': 1}
    with graph.depth_node(parameters, preamble=HELD_LOADING) as (process, client):
        client.collect('depth/image_rect', 'points')
        client.ask(uniform(), camera_info())
        with SteadyCamera(client, 20) as camera:
            yield process, client, camera


def test_no_frame_waits_for_the_next_model(serving, tmp_path):
    _, client, camera = serving
    slow = _named(write_depth_model(tmp_path, lambda x, y: FAR + 0 * x), 'far')
    first = client.get('model')
    assert client.set('model', slow).successful
    assert client.diagnostics(lambda values: 'next model' in values)['next model'] == 'far'
    begun = set(camera.sent)
    answers = client.received['depth/image_rect']
    client.wait_until(lambda: len(set(camera.sent) & set(answers) - begun) >= 20, '20 answers')
    assert _answers(client, GREY)
    (tmp_path / 'go').touch()
    client.wait_until(lambda: _answers(client, FAR), 'the next model answers')
    assert client.get('model') == slow
    values = client.diagnostics(lambda values: values['model'] == 'far')
    assert 'next model' not in values
    assert values['last error'] == ''
    assert client.set('model', first).successful
    client.wait_until(lambda: _answers(client, GREY), 'the first model answers again')


def test_a_bad_name_is_refused_and_the_model_goes_on(serving):
    _, client, camera = serving
    first = client.get('model')
    result = client.set('model', 'no_such_model')
    assert not result.successful
    assert "no model named 'no_such_model'" in result.reason
    assert client.get('model') == first
    stamp = camera.sent[-1]
    client.wait_until(lambda: _answers(client, GREY, stamp), 'the model serves on')


def test_a_model_that_does_not_load_is_reported_and_the_parameter_is_reset(serving, tmp_path):
    process, client, camera = serving
    first = client.get('model')
    damaged = write_depth_model(tmp_path, lambda x, y: FAR + 0 * x)
    damaged.with_suffix('.onnx').write_bytes(b'not a network')
    assert client.set('model', str(damaged)).successful
    assert 'the model stays as it was' in process.wait_for_output('ONNX Runtime cannot load')
    values = client.diagnostics(lambda values: values['last error'])
    assert values['level'] == 'OK'
    assert 'ONNX Runtime cannot load' in values['last error']
    assert client.get('model') == first
    stamp = camera.sent[-1]
    client.wait_until(lambda: _answers(client, GREY, stamp), 'the model serves on')


def test_the_node_ends_and_is_configured_again_while_a_model_loads(graph, color_model, tmp_path):
    slow = _named(write_slow_model(tmp_path, layers=20), 'far')
    parameters = {'model': color_model, 'threads': 1}
    with graph.depth_node(parameters, preamble=HELD_LOADING) as (process, client):
        client.collect('depth/image_rect')
        client.ask(uniform(), camera_info())
        assert client.set('model', slow).successful
        refused = client.set('model', color_model)
        assert 'is being loaded' in refused.reason
        for transition in ('deactivate', 'cleanup'):
            assert client.change_state(transition)
        assert client.set('model', color_model).successful
        for transition in ('configure', 'activate'):
            assert client.change_state(transition)
        answer = client.ask(uniform(), camera_info())
        assert depth_of(answer.depth)[240, 320] == pytest.approx(GREY, abs=1e-4)
        (tmp_path / 'go').touch()
        client.wait_until(lambda: client.set('model', slow).successful, 'the next one may load')
        process.end_cleanly()
