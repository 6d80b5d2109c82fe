# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of the running node: what is refused and why, what takes effect at the next frame."""

import math

import numpy as np
import pytest
from camera_messages import camera_info, depth_of, image, points_of, uniform
from oracle import write_depth_model


def _step(x, y):
    return np.where(x < 150, 2.0, 3.0)


@pytest.fixture(scope='module')
def client(graph, tmp_path_factory):
    model = write_depth_model(tmp_path_factory.mktemp('step'), _step)
    parameters = {'model': str(model), 'depth.edge_threshold': 0.0}
    with graph.depth_node(parameters) as (_, client):
        client.collect('depth/image_rect', 'points')
        yield client


@pytest.mark.parametrize(
    ('name', 'value', 'reason'),
    [
        ('points.stride', 0, 'range'),
        ('points.stride', 65, 'range'),
        ('depth.scale', 0.0, 'range'),
        ('depth.scale', math.nan, 'range'),
        ('depth.max', math.inf, 'range'),
        ('depth.min', -1.0, 'range'),
        ('max_image_age', -1.0, 'range'),
        ('fit', 'squeeze', 'crop, pad, stretch'),
        ('rectify', 'maybe', 'auto, on, off'),
        ('depth.resolution', 'full', 'camera, network'),
        ('points.enabled', 1, 'type'),
        ('depth.scale', 'two', 'number'),
        (
            'model',
            'no_such_model',
            "no model named 'no_such_model': shipped are eigen2014, msdepth",
        ),
        ('backend', 'onnxruntime', 'unconfigured'),
        ('threads', 2, 'unconfigured'),
        ('camera_info_url', 'file:///camera.yaml', 'unconfigured'),
        ('image_transport', 'compressed', 'unconfigured'),
        ('autostart', False, 'read-only'),
    ],
)
def test_refused_with_the_reason_and_the_old_value_stays(client, name, value, reason):
    before = client.get(name)
    result = client.set(name, value)
    assert not result.successful
    assert reason in result.reason.lower(), result.reason
    assert client.get(name) == before


def test_an_unknown_parameter_is_refused(client):
    result = client.set('points.strid', 2)
    assert not result.successful
    assert 'declared' in result.reason


def test_min_above_max_is_refused(client):
    with client.parameters({'depth.max': 5.0, 'depth.min': 1.0}):
        for name, value in (('depth.min', 6.0), ('depth.max', 0.5)):
            result = client.set(name, value)
            assert not result.successful
            assert 'must exceed depth.min' in result.reason
        assert (client.get('depth.min'), client.get('depth.max')) == (1.0, 5.0)


def _range(message):
    depth = depth_of(message)
    return float(np.nanmin(depth)), float(np.nanmax(depth))


@pytest.mark.parametrize(
    ('values', 'expected'),
    [
        ({'depth.scale': 1.5}, (3.0, 4.5)),
        ({'depth.max': 2.5}, (2.0, 2.0)),
        ({'depth.min': 2.5}, (3.0, 3.0)),
    ],
    ids=['scale', 'max', 'min'],
)
def test_depth_parameters_take_effect_at_the_next_frame(client, values, expected):
    with client.parameters(values):  # the answer of the service comes after the change
        stamp = max(client.received['depth/image_rect'], default=0)
        answer = client.ask(uniform(), camera_info())
        assert answer.stamp > stamp
        assert _range(answer.depth) == pytest.approx(expected, abs=1e-4)
    assert _range(client.ask(uniform(), camera_info()).depth) == pytest.approx((2, 3), abs=1e-4)


def test_edge_threshold_removes_the_far_side_of_a_step(client):
    with client.parameters({'depth.edge_threshold': 0.15}):
        z = points_of(client.ask(uniform(), camera_info()).points)['z']
    first_far = int(np.argmax(_step(4 * np.arange(74) + 5, 0) > 2.5))
    assert np.isnan(z[:, first_far]).all()
    assert np.isfinite(np.delete(z, first_far, axis=1)).all()


def test_points_enabled_off_stops_the_cloud_only(client):
    with client.parameters({'points.enabled': False}):
        stamps = []
        for _ in range(3):
            answer = client.ask(uniform(), camera_info(), topics=('depth/image_rect',))
            stamps.append(answer.stamp)
        assert not set(stamps) & set(client.received['points'])
    client.ask(uniform(), camera_info())


@pytest.mark.parametrize(
    ('fit', 'shape'), [('crop', (0, 80)), ('pad', (0, 0)), ('stretch', (0, 0))]
)
def test_fit_decides_what_of_a_wide_image_is_seen(client, fit, shape):
    """640x360 in 4:3: crop keeps the middle 480 columns, pad and stretch see all of them."""
    pixels = image(np.zeros((360, 640, 3), np.uint8), 'rgb8')
    with client.parameters({'fit': fit}):
        depth = depth_of(client.ask(pixels, camera_info(640, 360)).depth)
    columns = np.flatnonzero(np.isfinite(depth).any(axis=0))
    margin = 3.5 * (480 if fit == 'crop' else 640) / 304
    assert columns[0] == pytest.approx(shape[1] + margin, abs=1.1)
