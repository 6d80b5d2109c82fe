# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bad images, calibrations and stamps through the running node: the next good frame is answered."""

import math

import numpy as np
import pytest
from camera_messages import HEIGHT, WIDTH, camera_info, depth_of, points_of, uniform
from oracle import COLOR_OFFSET, write_depth_model

from msdepth_ros.benchmark.usage import memory

GREY = COLOR_OFFSET + 100 * 0.014  # metres that the colour model answers for grey 100


@pytest.fixture(scope='module')
def node(graph, color_model):
    with graph.depth_node({'model': color_model}) as (process, client):
        client.collect('depth/image_rect', 'depth/camera_info', 'points')
        client.ask(uniform(), camera_info())
        yield process, client


def _changed(**fields):
    message = uniform()
    for name, value in fields.items():
        setattr(message, name, value)
    return message


def _short(message, bytes_less):
    del message.data[len(message.data) - bytes_less :]
    return message


BAD_IMAGES = {
    'data one byte short': lambda: _short(uniform(), 1),
    'no data': lambda: _short(uniform(), len(uniform().data)),
    'step too small': lambda: _changed(step=3 * WIDTH - 1),
    'step 0 and a byte short': lambda: _short(_changed(step=0), 1),
    'step larger than the data': lambda: _changed(step=2**32 - 1),
    'width 0': lambda: _changed(width=0),
    'height 0': lambda: _changed(height=0),
    'huge size': lambda: _changed(width=2**32 - 1, height=2**32 - 1, step=2**32 - 1),
    'unknown encoding': lambda: _changed(encoding='rgb9'),
    'no encoding': lambda: _changed(encoding=''),
    'depth image': lambda: _changed(encoding='32FC1', step=4 * WIDTH),
}


def _count(values, fate):
    return int(values.get(f'frames {fate}', 0))


def _assert_answered(client):
    answer = client.ask(uniform(), camera_info())
    assert float(depth_of(answer.depth)[240, 320]) == pytest.approx(GREY, abs=1e-4)
    assert np.nanmean(points_of(answer.points)['z']) == pytest.approx(GREY, abs=1e-4)


def test_malformed_images_are_dropped_counted_and_reported(node):
    process, client = node
    before = client.diagnostics()
    bad = []
    for make in BAD_IMAGES.values():
        for _ in range(3):  # on a busy machine one is lost, or replaced before its turn
            bad.append(client.publish(make(), camera_info()))
            client.get('fit')  # a round trip, in which the node comes to the image
        _assert_answered(client)
    assert not set(bad) & set(client.received['depth/image_rect'])
    after = client.diagnostics()
    malformed = _count(after, 'malformed') - _count(before, 'malformed')
    assert len(BAD_IMAGES) <= malformed <= len(bad)
    assert after['level'] == 'WARN'
    assert 'not usable' in after['message']
    assert after['last error']
    assert f'{client.namespace}/image' in process.wait_for_output('frame dropped')


def _bad_calibration(name):
    info = camera_info()
    if name == 'K and P zero':
        info.k, info.p = [0.0] * 9, [0.0] * 12
    elif name == 'K NaN':
        info.k[0] = math.nan
    elif name == 'D NaN':
        info.d = [math.nan] * 5
    elif name == 'negative focal length':
        info.k[0] = -600.0
    elif name == 'width 0':
        info.width = 0
    elif name == 'unknown distortion model':
        info.distortion_model, info.d = 'mei', [0.1] * 5
    elif name == 'another aspect':
        info = camera_info(1280, 720)
    return info


BAD_CALIBRATIONS = (
    'K and P zero',
    'K NaN',
    'D NaN',
    'negative focal length',
    'width 0',
    'unknown distortion model',
    'another aspect',
)


@pytest.mark.parametrize('name', BAD_CALIBRATIONS)
def test_no_cloud_and_no_camera_info_from_a_bad_calibration(node, name):
    process, client = node
    info = _bad_calibration(name)

    def without_cloud(answer):
        return answer.stamp not in client.received['points']

    answer = client.ask(uniform(), info, until=without_cloud, topics=('depth/image_rect',))
    # One more frame, so that the cloud of the first would have come by now.
    client.ask(uniform(), info, topics=('depth/image_rect',))
    assert answer.stamp not in client.received['points']
    assert answer.stamp not in client.received['depth/camera_info']
    assert np.isfinite(depth_of(answer.depth)[240, 320])
    line = process.wait_for_output(f'{client.namespace}/camera_info: ')
    assert 'no cloud' in line
    _assert_answered(client)


def test_the_warning_about_a_bad_calibration_names_the_remedy(graph, color_model):
    with graph.depth_node({'model': color_model}) as (process, client):
        client.publish(None, _bad_calibration('K and P zero'))
        line = process.wait_for_output('/camera_info: ')
        assert 'not calibrated' in line
        assert 'camera_info_url' in line


def test_a_calibration_of_another_size_and_the_same_aspect_is_rescaled(node):
    _, client = node
    info = camera_info(2 * WIDTH, 2 * HEIGHT, focal=1200.0, center=(640.5, 500.5))
    answer = client.ask(uniform(), info, until=lambda a: abs(a.info.k[2] - 320) < 1)
    assert (answer.info.width, answer.info.height) == (WIDTH, HEIGHT)
    # Half-pixel centres: (640.5 + 0.5) / 2 - 0.5.
    expected = [600, 0, 320.0, 0, 600, 250.0, 0, 0, 1]
    assert list(answer.info.k) == pytest.approx(expected, abs=1e-6)


def test_size_and_calibration_change_in_mid_run(node):
    _, client = node
    for width, height in ((640, 480), (320, 240), (1280, 720), (480, 640), (641, 479)):
        for focal in (500.0, 700.0):
            answer = client.ask(
                uniform(width=width, height=height),
                camera_info(width, height, focal),
                until=lambda a, f=focal, w=width: a.info.k[0] == f and a.info.width == w,
            )
            assert depth_of(answer.depth).shape == (height, width)
            assert (answer.info.width, answer.info.height) == (width, height)
            z = points_of(answer.points)['z']
            np.testing.assert_allclose(z, GREY, atol=1e-4)
    _assert_answered(client)


def test_a_stamp_that_goes_backwards_is_dropped_and_counted(node):
    _, client = node
    _assert_answered(client)
    before = _count(client.diagnostics(), 'stamp went backwards')
    newest = max(client.received['depth/image_rect'])
    old = []
    for _ in range(3):

        def counted(values, more=before):
            if _count(values, 'stamp went backwards') > more:
                return True
            old.append(newest - (len(old) + 1) * 10**9)  # the one before was lost, or comes yet
            client.publish(uniform(), camera_info(), old[-1])
            return False

        before = _count(client.diagnostics(counted), 'stamp went backwards')
    assert not set(old) & set(client.received['depth/image_rect'])
    _assert_answered(client)


def test_a_stale_image_is_dropped_and_counted(node):
    _, client = node
    with client.parameters({'max_image_age': 5.0}):
        now = client.node.get_clock().now().nanoseconds
        stale = now - 20 * 10**9

        def counted(values):
            client.publish(uniform(), camera_info(), stale)
            return _count(values, 'stale') > 0

        client.diagnostics(counted)
        assert stale not in client.received['depth/image_rect']
        _assert_answered(client)


def test_simulated_time_may_be_reset(graph, tmp_path):
    """Backwards in simulated time is a new run of the simulation: nothing is dropped."""
    from rclpy.time import Time
    from rosgraph_msgs.msg import Clock

    model = write_depth_model(tmp_path, lambda x, y: 2.0 + 0 * x)
    parameters = {'model': str(model), 'use_sim_time': True, 'max_image_age': 5.0}
    with graph.depth_node(parameters, remappings=('/clock:=clock',)) as (_, client):
        clock = client.node.create_publisher(Clock, 'clock', 1)
        client.wait_until(clock.get_subscription_count, 'the node listens to the clock')
        client.collect('depth/image_rect')
        for start in (1000, 50):
            sent = []

            def answered(start=start, sent=sent):
                stamp = start * 10**9 + len(sent) * 10**8
                clock.publish(Clock(clock=Time(nanoseconds=stamp).to_msg()))
                sent.append(client.publish(uniform(), camera_info(), stamp))
                return set(sent) & set(client.received['depth/image_rect'])

            client.wait_until(answered, f'images are answered from {start} s on')


@pytest.mark.slow
def test_memory_is_bounded_whatever_sizes_and_calibrations_alternate(node):
    """No map is kept but the last, and what malloc keeps of freed images does not pile up."""
    process, client = node

    def alternate(count):
        for number in range(count):
            width, height = 320 + 8 * (number * 37 % 101), 240 + 8 * (number * 53 % 83)
            client.ask(
                uniform(width=width, height=height),
                camera_info(width, height, focal=500.0 + number % 7),
                topics=('points',),
            )

    alternate(40)
    before = memory(process.pid)
    alternate(80)
    assert memory(process.pid) - before < 40  # MB; that many maps and images are more
    _assert_answered(client)
