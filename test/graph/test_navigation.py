# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What planners get from the running node: scans, clouds, colours on the depth, a metric scale."""

import math

import client as client_module
import numpy as np
import pytest
import yaml
from camera_messages import FRAME, camera_info, depth_of, image, points_of, uniform
from oracle import write_depth_model
from sensor_msgs.msg import CameraInfo, Image, LaserScan
from steady_camera import SteadyCamera

client_module.TYPES.update(
    {'rgb/image_rect_color': Image, 'rgb/camera_info': CameraInfo, 'scan': LaserScan}
)
ALL = ('depth/image_rect', 'points', 'rgb/image_rect_color', 'rgb/camera_info', 'scan')
HEIGHT, PITCH, SEEN = 0.6, 0.3, 1.6  # metres, radians; the model answers depth SEEN times too far
FOCAL = 600 * 304 / 640  # of camera_info() in network pixels


def floor_and_wall(x, y):
    """Return the depth of a floor and of a wall 4 m ahead, seen from the mount, times SEEN."""
    down = (y - 113.5) / FOCAL * math.cos(PITCH) + math.sin(PITCH)
    ahead = math.cos(PITCH) - (y - 113.5) / FOCAL * math.sin(PITCH)
    return SEEN * np.minimum(HEIGHT / np.maximum(down, 1e-6), 4 / ahead) + 0 * x


@pytest.fixture(scope='module')
def robot(graph, tmp_path_factory):
    """Run the node over a floor; return its client and the path of its scale file."""
    folder = tmp_path_factory.mktemp('robot')
    parameters = {
        'model': str(write_depth_model(folder, floor_and_wall)),
        'metric.sources': ['none'],  # else the floor corrects what is tested here
        'camera_height': HEIGHT,
        'camera_pitch': PITCH,
        'scale_file': str(folder / 'scale.yaml'),
    }
    with graph.depth_node(parameters) as (_, client):
        client.collect(*ALL)
        yield client, folder / 'scale.yaml'


def answer(client, picture):
    """Publish an image until all topics have answered one stamp; return those messages."""
    sent = []

    def found():
        sent.append(client.publish(picture, camera_info()))
        for stamp in sent:
            if all(stamp in client.received[topic] for topic in ALL):
                return {topic: client.received[topic][stamp] for topic in ALL}
        return None

    return client.wait_until(found, 'an answer on all topics')


def calibrate(client):
    return client.trigger('calibrate_scale')


def test_scan_is_made_of_the_middle_row_of_the_depth_image(robot):
    client, _ = robot
    messages = answer(client, uniform())
    scan, depth = messages['scan'], depth_of(messages['depth/image_rect'])
    assert scan.header.frame_id == FRAME.replace('_optical', '')
    assert scan.header.stamp == messages['depth/image_rect'].header.stamp
    assert (scan.range_min, scan.range_max) == pytest.approx((0.45, 10.0))
    assert (scan.scan_time, scan.time_increment) == (pytest.approx(0.033), 0)
    assert scan.angle_max == pytest.approx(math.atan(319.5 / 600))
    assert scan.angle_min == pytest.approx(-math.atan(319.5 / 600))
    assert len(scan.ranges) == 640
    middle = int((scan.angle_max - 0.0) / scan.angle_increment)
    row = int(239.5 - 1 / 2)
    near = np.array(scan.ranges[middle - 2 : middle + 3])  # beams between columns stay NaN
    assert near[np.isfinite(near)] == pytest.approx(depth[row, 320], rel=1e-3)
    assert np.isfinite(scan.ranges).mean() > 0.8
    assert all(math.isnan(r) or 0.45 <= r <= 10 or r == math.inf for r in scan.ranges)


def test_scan_limits_and_frame_follow_their_parameters(robot):
    client, _ = robot
    changes = {'scan.range_max': 3.5, 'scan.output_frame': 'laser', 'scan.scan_height': 9}
    with client.parameters(changes):
        client.received['scan'].clear()
        client.wait_until(
            lambda: answer(client, uniform())['scan'].header.frame_id == 'laser',
            'a scan in the frame laser',
        )
        scan = answer(client, uniform())['scan']
    assert scan.range_max == pytest.approx(3.5)
    ranges = np.array(scan.ranges)
    assert ranges[np.isfinite(ranges)].max() <= 3.5
    assert np.isposinf(ranges).any()


def test_an_impossible_scan_does_not_stop_the_depth(robot):
    client, _ = robot
    with client.parameters({'scan.scan_height': 4000}):
        client.received['depth/image_rect'].clear()
        client.received['scan'].clear()

        def depth_without_scan():
            client.publish(uniform(), camera_info())
            late = sorted(client.received['depth/image_rect'])[3:]
            return late and not set(late) & set(client.received['scan'])

        client.wait_until(depth_without_scan, 'depth without a scan')


def test_colour_image_has_size_and_stamp_of_the_depth_and_its_intrinsics(robot):
    client, _ = robot
    rng = np.random.default_rng(6)
    pixels = rng.integers(0, 256, (480, 640, 3), np.uint8)
    messages = answer(client, image(pixels, 'bgr8'))
    rgb, info, depth = (
        messages[topic] for topic in ('rgb/image_rect_color', 'rgb/camera_info', 'depth/image_rect')
    )
    assert (rgb.width, rgb.height) == (info.width, info.height) == (depth.width, depth.height)
    assert rgb.header == info.header == depth.header
    assert list(info.k) == pytest.approx(list(camera_info().k))
    assert rgb.encoding == 'bgr8'
    np.testing.assert_array_equal(np.frombuffer(rgb.data, np.uint8).reshape(480, 640, 3), pixels)


def test_colour_image_has_the_networks_size_where_the_depth_has(robot):
    client, _ = robot
    with client.parameters({'depth.resolution': 'network'}):
        client.wait_until(
            lambda: answer(client, uniform())['rgb/image_rect_color'].width == 74, 'the grid'
        )
        messages = answer(client, uniform((10, 20, 30)))
    rgb = messages['rgb/image_rect_color']
    assert (rgb.height, rgb.encoding) == (55, 'rgb8')
    assert (messages['rgb/camera_info'].width, messages['scan'].angle_increment) == (
        74,
        pytest.approx((messages['scan'].angle_max - messages['scan'].angle_min) / 73, rel=1e-5),
    )


def test_cloud_within_limits_and_of_voxels_is_dense(robot):
    client, _ = robot
    with client.parameters({'points.max_range': 4.0, 'points.voxel_size': 0.1}):
        client.wait_until(lambda: answer(client, uniform())['points'].height == 1, 'voxels')
        cloud = answer(client, uniform())['points']
    assert cloud.is_dense
    points = points_of(cloud)[0]
    xyz = np.stack([points[axis] for axis in 'xyz'], axis=-1).astype(float)
    assert 50 < len(xyz) < 2000
    assert np.isfinite(xyz).all()
    assert np.linalg.norm(xyz, axis=1).max() <= 4.0
    cubes = np.floor(xyz / 0.1 + 1e-4)
    assert len(np.unique(cubes, axis=0)) > 0.98 * len(cubes)  # a mean may lie on a cube's border


def test_calibrate_scale_makes_depth_metric_and_keeps_the_scale(robot):
    client, scale_file = robot
    before = depth_of(answer(client, uniform())['depth/image_rect'])
    with SteadyCamera(client, 10):
        reply = calibrate(client)
    assert reply.success, reply.message
    scale = client.get('depth.scale')
    try:
        assert scale == pytest.approx(1 / SEEN, rel=0.01)
        assert f'{scale:.4g}' in reply.message
        assert '0.6 m' in reply.message
        assert str(scale_file) in reply.message
        (kept,) = yaml.safe_load(scale_file.read_text())['scales'].values()
        assert kept['scale'] == scale
        after = depth_of(answer(client, uniform())['depth/image_rect'])
        both = np.isfinite(before) & np.isfinite(after)
        np.testing.assert_allclose(after[both] / before[both], scale, rtol=1e-4)
        with SteadyCamera(client, 10):
            again = calibrate(client)  # the second time there is nothing left to correct
        assert again.success
        assert client.get('depth.scale') == pytest.approx(scale, rel=1e-3)
    finally:
        client.set('depth.scale', 1.0)


def test_save_scale_keeps_the_scale_that_was_set(robot):
    client, scale_file = robot
    with client.parameters({'depth.scale': 1.375}):
        reply = client.trigger('save_scale')
    assert reply.success, reply.message
    assert str(scale_file) in reply.message
    (kept,) = yaml.safe_load(scale_file.read_text())['scales'].values()
    assert kept['scale'] == 1.375
    scale_file.unlink()


def test_calibrate_scale_refuses_with_numbers_and_changes_nothing(robot):
    client, _ = robot
    with client.parameters({'camera_pitch': -0.5}), SteadyCamera(client, 10):
        reply = calibrate(client)
    assert not reply.success
    assert 'too little floor' in reply.message
    assert 'of 4070 valid points' in reply.message
    assert client.get('depth.scale') == 1.0


def test_calibrate_scale_without_height_asks_tf_or_the_parameters(robot):
    client, _ = robot
    with client.parameters({'camera_height': 0.0}), SteadyCamera(client, 10):
        reply = calibrate(client)
    assert not reply.success
    assert 'camera_height' in reply.message


def test_a_scale_belongs_to_the_model_that_it_was_measured_for(robot, graph, color_model):
    client, scale_file = robot
    with SteadyCamera(client, 10):
        reply = calibrate(client)
    assert reply.success, reply.message
    measured, model = client.get('depth.scale'), client.get('model')
    try:
        assert client.set('model', color_model).successful
        client.diagnostics(lambda values: 'color' in values['model'] or (values['engine'] and True))
        client.wait_until(lambda: client.get('depth.scale') == 1.0, 'the other model has no scale')
        assert client.set('model', model).successful
        client.wait_until(lambda: client.get('depth.scale') == measured, 'its own scale again')
    finally:
        client.set('depth.scale', 1.0)
    for name, scale in ((model, measured), (color_model, 1.0)):
        parameters = {'model': name, 'scale_file': str(scale_file)}
        with graph.depth_node(parameters) as (process, other):
            assert other.get('depth.scale') == scale
            assert ('is taken from' in process.output) == (name == model)
            assert ('scales of other models only' in process.output) == (name != model)


def test_with_a_damaged_scale_file_no_model_gets_the_scale_of_another(graph, color_model, tmp_path):
    scale_file = tmp_path / 'scale.yaml'
    scale_file.write_text('scales: [')
    parameters = {
        'model': str(write_depth_model(tmp_path, floor_and_wall)),
        'depth.scale': 1.5,
        'scale_file': str(scale_file),
    }
    with graph.depth_node(parameters) as (process, client):
        process.wait_for_output('no calibrated scale is used')
        assert client.get('depth.scale') == 1.5  # given for this model
        assert client.set('model', color_model).successful
        client.wait_until(lambda: client.get('depth.scale') == 1.0, 'the scale is reset')
        process.wait_for_output('was for another model')


# A calibration waits for its frames for so long that whatever it held up would be seen.
LONG_CALIBRATION = 'from msdepth_ros.node.scale import service; service.PATIENCE = 60.0'


def test_images_and_services_are_answered_while_a_scale_is_calibrated(graph, tmp_path):
    parameters = {
        'model': str(write_depth_model(tmp_path, floor_and_wall)),
        'metric.sources': ['none'],
        'camera_height': HEIGHT,
        'camera_pitch': PITCH,
        'scale_file': str(tmp_path / 'scale.yaml'),
    }
    with graph.depth_node(parameters, preamble=LONG_CALIBRATION) as (_, client):
        client.collect('depth/image_rect')
        client.ask(uniform(), camera_info())
        first = client.start('calibrate_scale')
        client.wait_until(lambda: 'under way' in calibrate(client).message, 'it has begun')
        client.ask(uniform(), camera_info())
        assert not first.done()  # it needs more frames
        with SteadyCamera(client, 10):
            client.wait_until(first.done, 'the calibration')
    assert first.result().success, first.result().message


UNKNOWN_ERROR = """
from msdepth_ros.inference.estimator import DepthEstimator

def estimate(*arguments):
    raise RuntimeError('nobody expected this')

DepthEstimator.estimate = estimate
"""


def test_an_unexpected_error_does_not_end_the_node(graph, color_model):
    parameters = {'model': color_model, 'camera_height': HEIGHT}
    with graph.depth_node(parameters, preamble=UNKNOWN_ERROR) as (process, client):
        client.collect('depth/image_rect')

        def dropped(values):
            client.publish(uniform(), camera_info())
            return 'nobody expected this' in values['last error']

        client.diagnostics(dropped)
        reply = calibrate(client)
        assert not reply.success
        assert 'nobody expected this' in reply.message
        assert process.running


def test_calibrate_scale_without_a_camera(graph, color_model):
    with graph.depth_node({'model': color_model}) as (_, client):
        reply = calibrate(client)
    assert not reply.success
    assert 'start the camera' in reply.message
