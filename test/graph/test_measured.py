# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What sensors beside the camera measure makes the node's depth true, over DDS as on a robot."""

import math
import time

import client as client_module
import numpy as np
import pytest
import yaml
from camera_messages import FRAME, camera_info, depth_of, image, points_of, uniform
from oracle import write_depth_model
from rclpy.qos import qos_profile_sensor_data
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image, LaserScan, PointCloud2, PointField

client_module.TYPES.update({'depth/confidence': Image, 'measurements': PointCloud2})
PITCH, HEIGHT, WALL = 0.3, 0.6, 3.0  # radians, metres
OFF = 1.5  # the model answers OFF times too far
FOCAL = 600 * 304 / 640  # of camera_info() in network pixels
RATE = 10.0  # Hz, by the stamps
SCAN_POSE = (0.1, 0.0, 0.3, 0.0, 0.0, 0.0)  # of a scanner, in base_frame
CAMERA_POSE = (0.2, 0.0, HEIGHT, 0.0, PITCH, 0.0)


def true_depth(x, y):
    """Return the depth at network pixels of a floor and of a wall ahead."""
    down = (y - 113.5) / FOCAL * math.cos(PITCH) + math.sin(PITCH)
    ahead = math.cos(PITCH) - (y - 113.5) / FOCAL * math.sin(PITCH)
    return np.minimum(HEIGHT / np.maximum(down, 1e-6), WALL / ahead) + 0 * x


def truth_at(u, v):
    """Return the depth at pixels of the 640x480 camera image."""
    return true_depth((u + 0.5) * 304 / 640 - 0.5, (v + 0.5) * 228 / 480 - 0.5)


V, U = np.mgrid[:480, :640]
TRUTH = truth_at(U, V)


def text(pose):
    return ' '.join(map(str, pose))


def scan(factor=1.0, noise=0.0):
    """Return what a level scanner at SCAN_POSE sees of the wall, WALL m ahead of the camera."""
    message = LaserScan(angle_min=-1.2, angle_increment=0.01, range_min=0.1, range_max=12.0)
    angles = message.angle_min + message.angle_increment * np.arange(241)
    ranges = (WALL + CAMERA_POSE[0] - SCAN_POSE[0]) / np.cos(angles)
    ranges = ranges * factor * np.exp(np.random.default_rng().normal(0, 0.01 + noise, 241))
    ranges[:5], ranges[5:8], ranges[8] = np.nan, np.inf, -np.inf
    message.ranges = ranges.astype(np.float32).tolist()
    message.header.frame_id = 'laser'
    return message


def cloud(points, layout='xyz', dtype='f4', big_endian=False, pad=0):
    """Return a PointCloud2 of points [n, 3] with fields in the order of `layout`."""
    order = '>' if big_endian else '<'
    size = np.dtype(dtype).itemsize
    names = [name if name in 'xyz' else 'other' for name in layout]
    kinds = {'f4': PointField.FLOAT32, 'f8': PointField.FLOAT64}
    values = np.zeros((len(points), len(layout)), order + dtype)
    for place, name in enumerate(names):
        if name in 'xyz':
            values[:, place] = points[:, 'xyz'.index(name)]
    data = np.pad(values.view(np.uint8).reshape(len(points), -1), ((0, 0), (0, pad)))
    message = PointCloud2(height=1, width=len(points), point_step=data.shape[1])
    message.row_step, message.is_bigendian = data.size, big_endian
    message.fields = [
        PointField(name=name, offset=place * size, datatype=kinds[dtype], count=1)
        for place, name in enumerate(names)
    ]
    message.data.frombytes(data.tobytes())
    message.header.frame_id = FRAME
    return message


def landmarks(count=60, seed=0):
    """Return points of the scene in the camera's optical frame, [n, 3]."""
    rng = np.random.default_rng(seed)
    u, v = rng.uniform(20, 620, count), rng.uniform(20, 460, count)
    z = truth_at(u, v) * np.exp(rng.normal(0, 0.01, count))
    return np.stack([(u - 319.5) / 600 * z, (v - 239.5) / 600 * z, z], axis=-1)


class Robot:
    """Publishes images and measurements at RATE, by their stamps, and keeps the depths.

    Each image is sent once the one before is answered: all that is measured in time goes by stamps.
    """

    def __init__(self, client, kinds):
        self.client = client
        self.publishers = {
            topic: client.node.create_publisher(kind, topic, qos_profile_sensor_data)
            for topic, kind in kinds.items()
        }
        client.collect('depth/image_rect', 'depth/confidence')
        self.info = camera_info()
        self.stamp = client.node.get_clock().now().nanoseconds

    def run(self, seconds, make=dict, offset=0.0):
        """Publish for some seconds; return the median of depth / truth of each answer.

        `make` returns the messages by topic; `offset` seconds are added to their stamps.
        """
        return [self.step(make(), offset) for _ in range(round(seconds * RATE))]

    def step(self, measured, offset=0.0):
        """Publish what is measured, then an image; return the median of depth / truth."""
        self.stamp += round(1e9 / RATE)
        for topic, message in measured.items():
            message.header.stamp = Time(nanoseconds=self.stamp + round(1e9 * offset)).to_msg()
            self.publishers[topic].publish(message)
        time.sleep(0.01)  # so that it comes before the image, mostly
        for messages in self.client.received.values():
            messages.clear()
        return ratio(depth_of(self.client.answer_to(uniform(), self.info, self.stamp)))

    def settle(self, make=dict):
        """Wait for the node to hear all topics; return its first answers."""
        self.client.wait_until(
            lambda: all(each.get_subscription_count() for each in self.publishers.values()),
            'the node subscribes to what is measured',
        )
        return self.run(0.3, make)

    @property
    def last(self):
        return self._last('depth/image_rect')

    @property
    def last_confidence(self):
        return self._last('depth/confidence')

    def _last(self, topic):
        found = self.client.received[topic]
        return depth_of(self.client.wait_until(lambda: found.get(self.stamp), topic))


def ratio(depth):
    return float(np.nanmedian(depth / TRUTH))


@pytest.fixture
def robot(graph, tmp_path):
    """Return a function that runs a node with parameters and gives a Robot."""
    from contextlib import contextmanager

    @contextmanager
    def run(sources, kinds, preamble='', changes=None, **parameters):
        path = write_depth_model(tmp_path / 'model', lambda x, y: OFF * true_depth(x, y))
        if changes:
            path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **changes}))
        values = {'model': str(path), 'metric.sources': sources, **parameters}
        values.setdefault('camera_pose', text(CAMERA_POSE))
        with graph.depth_node(values, preamble=preamble) as (process, client):
            yield Robot(client, kinds), process

    return run


SCAN = {'measured/scan': LaserScan}


def test_a_scan_makes_the_depth_metric_and_its_scale_is_held(robot):
    with robot(['scan'], SCAN, **{'measured.scan_pose': text(SCAN_POSE), 'metric.hold': 4.0}) as (
        node,
        _,
    ):
        node.settle()
        alone = node.run(0.5)
        assert np.median(alone) == pytest.approx(OFF, rel=0.01)
        told = node.run(2.0, lambda: {'measured/scan': scan()})
        assert told[-1] == pytest.approx(1.0, abs=0.08)
        steps = np.abs(np.diff(np.log(alone + told)))
        assert steps.max() < 0.25  # metres do not jump by as much as they are off
        measured = node.last_confidence[100:140, 200:440]
        values = node.client.diagnostics(lambda values: values['metres'] == 'measured')
        assert 'used' in values['measured scan']
        assert 'ms from the image' in values['measured scan']
        assert float(values['metric factor'].split()[0]) == pytest.approx(1 / OFF, abs=0.1)
        held = node.run(1.0)
        assert held[-1] == pytest.approx(1.0, abs=0.12)
        after = node.run(7.0)
        assert after[-1] == pytest.approx(OFF, rel=0.02)
        assert np.nanmean(measured) > np.nanmean(node.last_confidence[100:140, 200:440])
        assert node.client.diagnostics(lambda values: values['metres'] == 'predicted')


def test_a_scan_that_suddenly_reads_half_is_rejected(robot):
    with robot(['scan'], SCAN, **{'measured.scan_pose': text(SCAN_POSE)}) as (node, _):
        node.settle()
        node.run(2.0, lambda: {'measured/scan': scan()})
        lied = node.run(1.5, lambda: {'measured/scan': scan(0.5)})
        assert np.abs(np.array(lied) - 1).max() < 0.15
        assert node.client.diagnostics(lambda values: 'contradicts' in values['measured scan'])


def test_scans_of_another_clock_or_of_an_unknown_place_change_nothing(robot):
    with robot(['scan'], SCAN) as (node, process):  # no scan_pose, and no TF here
        node.settle()
        told = node.run(1.0, lambda: {'measured/scan': scan()})
        assert told[-1] == pytest.approx(OFF, rel=0.01)
        assert node.client.diagnostics(lambda values: 'no transform' in values['measured scan'])
        assert 'measured scan is not used' in process.output
    with robot(['scan'], SCAN, **{'measured.scan_pose': text(SCAN_POSE)}) as (node, _):
        node.settle()
        told = node.run(1.0, lambda: {'measured/scan': scan()}, offset=-3.0)
        assert told[-1] == pytest.approx(OFF, rel=0.01)
        assert node.client.diagnostics(lambda values: 'age' in values['measured scan'])


@pytest.mark.parametrize('wrong', [(0.05, 0, 0.03, 0, 0, 0), (0, 0.03, 0, 0.03, 0.03, 0.04)])
def test_a_scan_with_a_slightly_wrong_mount_is_better_than_no_scan(robot, wrong):
    pose = tuple(np.add(SCAN_POSE, wrong))
    with robot(['scan'], SCAN, **{'measured.scan_pose': text(pose)}) as (node, _):
        node.settle()
        node.run(2.0, lambda: {'measured/scan': scan()})
        error = np.nanmean(np.abs(node.last / TRUTH - 1))
        assert error < 0.15  # alone 0.5


FAKE_TF = f"""
import sys, types
import numpy as np
module = types.ModuleType('tf2_ros')
class Buffer:
    def lookup_transform(self, target, source, time):
        if (target, source) != ({FRAME!r}, 'laser'):
            raise RuntimeError('not known')
        message = types.SimpleNamespace()
        message.transform = types.SimpleNamespace(
            translation=types.SimpleNamespace(x=XX, y=YY, z=ZZ),
            rotation=types.SimpleNamespace(x=QX, y=QY, z=QZ, w=QW))
        return message
    def can_transform(self, *arguments):
        return False
class TransformListener:
    def __init__(self, buffer, node): pass
    def unregister(self): pass
module.Buffer, module.TransformListener = Buffer, TransformListener
sys.modules['tf2_ros'] = module
"""


def test_tf_gives_the_place_of_the_scanner_where_it_is_installed(robot):
    # From the level scanner (x forward, z up) to the camera's optical frame, by hand.
    c, s = math.cos(PITCH), math.sin(PITCH)
    rotation = np.array([[0, -1, 0], [-s, 0, -c], [c, 0, -s]])
    place = rotation @ np.subtract(SCAN_POSE[:3], CAMERA_POSE[:3])
    w = math.sqrt(max(0.0, 1 + np.trace(rotation))) / 2
    q = [
        (rotation[2, 1] - rotation[1, 2]) / (4 * w),
        (rotation[0, 2] - rotation[2, 0]) / (4 * w),
        (rotation[1, 0] - rotation[0, 1]) / (4 * w),
        w,
    ]
    preamble = FAKE_TF
    for name, value in zip(('XX', 'YY', 'ZZ', 'QX', 'QY', 'QZ', 'QW'), (*place, *q), strict=True):
        preamble = preamble.replace(name, repr(float(value)))
    with robot(['scan'], SCAN, preamble, camera_pose='') as (node, _):
        node.settle()
        told = node.run(2.0, lambda: {'measured/scan': scan()})
        assert told[-1] == pytest.approx(1.0, abs=0.08)


@pytest.mark.parametrize(
    'how',
    [
        {},
        {'layout': 'izyx', 'pad': 5},
        {'dtype': 'f8', 'layout': 'yxz'},
        {'big_endian': True},
    ],
)
def test_clouds_of_any_layout(robot, how):
    with robot(['points'], {'measured/points': PointCloud2}) as (node, _):
        node.settle()
        told = node.run(1.5, lambda: {'measured/points': cloud(landmarks(), **how)})
        assert told[-1] == pytest.approx(1.0, abs=0.05)


def test_a_depth_camera_with_holes_keeps_what_it_measured_and_its_holes_are_filled(robot):
    kinds = {'measured/depth': Image, 'measured/camera_info': CameraInfo}
    rng = np.random.default_rng(0)
    hole = (slice(60, 180), slice(100, 300))

    def measure(encoding):
        small = TRUTH[1::2, 1::2] * np.exp(rng.normal(0, 0.003, (240, 320)))
        small[hole] = 0 if encoding == '16UC1' else np.nan
        if encoding == '16UC1':
            small = (1000 * small).round().astype(np.uint16)
        return image(small.astype(np.uint16 if encoding == '16UC1' else np.float32), encoding)

    for encoding in ('16UC1', '32FC1'):
        with robot(['depth'], kinds) as (node, _):
            node.settle()
            node.run(2.0, lambda e=encoding: {'measured/depth': measure(e)})
            off = np.abs(node.last / TRUTH - 1)
            big = (slice(140, 340), slice(230, 560))
            assert np.nanmean(off[100:110, 20:180]) < 0.02
            assert np.nanmean(off[big]) < 0.06
            sure = node.last_confidence
            assert np.nanmean(sure[big]) < np.nanmean(sure[360:, :150]) - 0.001


def test_a_depth_camera_beside_the_camera_has_its_own_calibration_and_pose(robot):
    kinds = {'measured/depth': Image, 'measured/camera_info': CameraInfo}
    pose = (CAMERA_POSE[0], 0.05, *CAMERA_POSE[2:])  # 5 cm to the left, at the same angle

    def measure():
        v, u = np.mgrid[:120, :160]
        z = truth_at(u * 4 + 1.5, v * 4 + 1.5)  # the scene is the same along y
        info = camera_info(160, 120, 150.0)
        depth = image(z.astype(np.float32), '32FC1')
        depth.header.frame_id = info.header.frame_id = 'depth_optical_frame'
        return {'measured/camera_info': info, 'measured/depth': depth}

    with robot(['depth'], kinds, **{'measured.depth_pose': text(pose)}) as (node, _):
        node.settle()
        told = node.run(2.0, measure)
        assert told[-1] == pytest.approx(1.0, abs=0.04)


def test_the_floor_is_measured_by_default_where_the_mount_is_known(robot):
    with robot(['floor'], {}) as (node, _):
        told = node.settle()
        told = node.run(1.5)
        assert told[-1] == pytest.approx(1.0, abs=0.1)
        assert node.client.diagnostics(lambda values: ' used' in values['measured floor'])
    with robot(['floor'], {}, camera_pose='') as (node, _):
        node.settle()
        assert node.run(0.5)[-1] == pytest.approx(OFF, rel=0.001)


def test_a_network_without_metres_gives_none_until_something_is_measured(robot):
    changes = {'metric': 'scale', 'depth_range': [0.1, 50.0]}
    with robot(['points'], {'measured/points': PointCloud2}, changes=changes) as (node, process):
        alone = node.settle()
        assert np.isnan(alone).all()
        assert 'no depth' in process.output
        assert node.client.diagnostics(lambda values: 'no depth' in values['message'])
        told = node.run(1.0, lambda: {'measured/points': cloud(landmarks())})
        assert told[-1] == pytest.approx(1.0, abs=0.05)


def test_depth_that_is_not_sure_is_nan(robot):
    parameters = {'depth.min_confidence': 0.9}
    with robot(['points'], {'measured/points': PointCloud2}, **parameters) as (node, _):
        node.settle()
        assert np.isnan(node.last).all()
        node.run(1.5, lambda: {'measured/points': cloud(landmarks(400))})
        assert np.isfinite(node.last).mean() > 0.7
        sure = node.last_confidence
        assert np.nanmin(sure) >= 0.85
        assert np.array_equal(np.isnan(sure), np.isnan(node.last))


def test_invalid_measurements_are_refused_and_depth_goes_on(robot):
    kinds = {'measured/points': PointCloud2, 'measured/depth': Image, **SCAN}
    poses = {f'measured.{name}_pose': text(SCAN_POSE) for name in ('scan', 'points', 'depth')}

    def garbage():
        bad_cloud = cloud(landmarks())
        bad_cloud.point_step = 9000
        empty = LaserScan()
        empty.header.frame_id = 'laser'
        bad_depth = image(np.zeros((4, 4, 3), np.uint8), 'rgb8')
        return {'measured/points': bad_cloud, 'measured/scan': empty, 'measured/depth': bad_depth}

    with robot(['scan', 'points', 'depth'], kinds, **poses) as (node, process):
        node.settle()
        told = node.run(1.0, garbage)
        assert told[-1] == pytest.approx(OFF, rel=0.01)
        assert process.running
        assert node.client.diagnostics(lambda values: 'not usable' in values['measured points'])


def test_the_image_does_not_wait_for_a_measurement(robot):
    with robot(['scan'], SCAN, **{'measured.scan_pose': text(SCAN_POSE)}) as (node, _):
        node.settle()
        for _ in range(20):
            message = scan()
            told = node.step({})  # fails without an answer
            message.header.stamp = Time(nanoseconds=node.stamp).to_msg()
            node.publishers['measured/scan'].publish(message)
        assert told == pytest.approx(1.0, abs=0.08)  # by the scans of the images before


def test_the_published_measurements_say_which_were_used(robot):
    """Of 60 landmarks six lie, each by a factor of two."""
    given = landmarks()
    given[::10] *= 2.0
    kinds = {'measured/points': PointCloud2}
    with robot(['points'], kinds) as (node, _):
        node.client.collect('measurements')
        node.settle(lambda: {'measured/points': cloud(given)})
        node.run(1.0, lambda: {'measured/points': cloud(given)})
        received = node.client.received['measurements']
        message = node.client.wait_until(lambda: [*received.values()], 'measurements')[-1]
    points = points_of(message)[0]
    xyz = np.stack([points[name] for name in 'xyz'], axis=-1)
    used = points['used'] > 0
    assert used.sum() > 30
    assert (~used).sum() >= 3
    nearest = np.linalg.norm(xyz[:, None] - given[None], axis=-1)
    assert nearest.min(axis=1).max() < 0.1
    wrong = nearest.argmin(axis=1) % 10 == 0
    assert (wrong == ~used).mean() > 0.9
