# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a moving robot measured is put where it is when the image is taken."""

import math
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from geometry_msgs.msg import TransformStamped
from nav_msgs.msg import Odometry
from sensor_msgs.msg import LaserScan, PointCloud2, PointField

from msdepth_ros.geometry.camera_pose import CameraPose
from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.geometry.rigid import quaternion
from msdepth_ros.metric.message_points import points_of_scan
from msdepth_ros.node.measured.camera_poses import CameraPoses
from msdepth_ros.node.measured.sources import CloudSource, Request, ScanSource
from msdepth_ros.node.measured.transforms import Transforms, pose_matrix

SECOND = 10**9
TURN, SPEED = 1.0, 0.5  # rad/s, m/s
CAMERA_POSE, SCAN_POSE = '0.2 0 0.6 0 0.2 0', '0.1 0 0.3 0 0 0'
CAMERA = pose_matrix(CameraPose.parse(CAMERA_POSE), optical=True)
SCANNER = pose_matrix(CameraPose.parse(SCAN_POSE), optical=False)
INTRINSICS = Intrinsics(640, 480, 400.0, 400.0, 319.5, 239.5)
IMAGE = 0.7  # seconds; the scan begins 0.2 before
WALL = 3.0  # metres ahead in the odometry's frame


def pose(seconds):
    """Return the robot in the odometry's frame."""
    return pose_matrix(CameraPose(SPEED * seconds, 0, 0, 0, 0, TURN * seconds), optical=False)


def odometry(seconds):
    message = Odometry(child_frame_id='base_link')
    message.header.stamp.sec = 100 + int(seconds)
    message.header.stamp.nanosec = round(1e9 * (seconds % 1))
    message.pose.pose.position.x = SPEED * seconds
    message.pose.pose.orientation.z = math.sin(TURN * seconds / 2)
    message.pose.pose.orientation.w = math.cos(TURN * seconds / 2)
    return message


def scan_in_motion():
    """Return a scan that takes 0.1 s, of a wall, by a robot that turns and drives."""
    message = LaserScan(angle_min=-0.6, angle_increment=0.01, range_min=0.1, range_max=20.0)
    message.time_increment = 0.1 / 120
    message.header.stamp.sec, message.header.stamp.nanosec = 100, 500_000_000
    ranges = []
    for beam in range(120):
        scanner = pose(0.5 + beam * message.time_increment) @ SCANNER
        angle = message.angle_min + beam * message.angle_increment
        way = scanner[:3, :3] @ [math.cos(angle), math.sin(angle), 0]
        ranges.append((WALL - scanner[0, 3]) / way[0])
    message.ranges = ranges
    return message


def transform(matrix, seconds):
    message = TransformStamped()
    message.header.stamp.sec = 100 + int(seconds)
    message.header.stamp.nanosec = round(1e9 * (seconds % 1))
    place, turn = message.transform.translation, message.transform.rotation
    place.x, place.y, place.z = matrix[:3, 3].tolist()
    turn.x, turn.y, turn.z, turn.w = quaternion(matrix)
    return message


class Buffer:
    """What TF knows: where all sits on the robot, and the robot in 'odom' if it is to know that."""

    moving = False

    def lookup_transform(self, target, source, time):
        seconds = time.nanoseconds / SECOND - 100
        if time.nanoseconds == 0 or seconds > 0.69:  # that is the newest one
            seconds = 0.69
        places = {'base_link': np.eye(4), 'camera': CAMERA, 'laser': SCANNER}
        if self.moving:
            places['odom'] = np.linalg.inv(pose(seconds))
        if target not in places or (time.nanoseconds > 0 and seconds == 0.69):
            raise RuntimeError('not known')
        return transform(np.linalg.inv(places[target]) @ places[source], seconds)


@pytest.fixture
def tf(monkeypatch):
    """Stand in for tf2_ros."""
    module = ModuleType('tf2_ros')
    module.Buffer = Buffer
    module.TransformListener = lambda buffer, node: SimpleNamespace(unregister=lambda: None)
    monkeypatch.setitem(sys.modules, 'tf2_ros', module)


def request(camera_pose='', scan_pose='', **values):
    values = {
        'metric.max_age': 0.3,
        'camera_pose': camera_pose,
        'camera_height': 0.0,
        'camera_pitch': 0.0,
        'measured.scan_pose': scan_pose,
        'measured.points_pose': scan_pose,
        'fixed_frame': 'odom',
        **values,
    }
    depth, geometry = np.full((96, 128), 2.0, np.float32), SimpleNamespace(intrinsics=INTRINSICS)
    stamp = 100 * SECOND + round(IMAGE * SECOND)
    return Request(stamp, 'camera', values, depth, geometry, {}, np.zeros((1, 1, 3)))


def off_the_wall(sparse):
    """Return how far measurements of the image at IMAGE are from the wall, at most, metres."""
    i = INTRINSICS
    x, y = (sparse.u - i.cx) / i.fx * sparse.depth, (sparse.v - i.cy) / i.fy * sparse.depth
    assert len(sparse) > 50
    in_world = pose(IMAGE) @ CAMERA @ [x, y, sparse.depth, np.ones(len(x))]
    return np.abs(in_world[0] - WALL).max()


BY_PARAMETERS = (CAMERA_POSE, SCAN_POSE)


@pytest.mark.parametrize(
    ('poses', 'odom', 'moving', 'known'),
    [
        (BY_PARAMETERS, True, False, True),
        (('', ''), True, False, True),  # the mount by TF
        (('', ''), False, True, True),  # the odometry by TF, too
        (('', ''), False, False, False),
        (BY_PARAMETERS, False, False, False),
    ],
)
def test_a_wall_stays_a_wall(tf, monkeypatch, poses, odom, moving, known):
    monkeypatch.setattr(Buffer, 'moving', moving)
    source = ScanSource(Transforms(None))
    for step in range(70 if odom else 0):
        source.hear('odom', odometry(step * 0.01))
    message = scan_in_motion()
    message.header.frame_id = 'laser'
    source.hear('measured/scan', message)
    off = off_the_wall(source.measure(request(*poses))[0])
    assert off < 0.03 if known else off > 0.1


def test_height_and_pitch_are_enough_for_the_rotation_of_the_camera():
    source = ScanSource(Transforms(None))
    for step in range(70):
        source.hear('odom', odometry(step * 0.01))
    message = scan_in_motion()
    message.header.frame_id = 'laser'
    source.hear('measured/scan', message)
    # So the camera is taken to be 0.2 m behind where it is, and so is the scanner.
    given = request(scan_pose='-0.1 0 0.3 0 0 0', camera_height=0.6, camera_pitch=0.2)
    assert off_the_wall(source.measure(given)[0]) < 0.1


@pytest.mark.parametrize('known', [True, False])
def test_a_cloud_moves_as_a_whole(known):
    source = CloudSource(Transforms(None))
    for step in range(70 if known else 0):
        source.hear('odom', odometry(step * 0.01))
    scanner = pose(0.5) @ SCANNER
    y, z = (each.ravel() for each in np.meshgrid(np.linspace(-1, 3, 20), np.linspace(0, 1, 5)))
    wall = np.stack([np.full(100, WALL), y, z, np.ones(100)])
    points = (np.linalg.inv(scanner) @ wall)[:3].T.astype(np.float32)
    message = PointCloud2(height=1, width=100, point_step=12, row_step=1200)
    message.fields = [
        PointField(name=name, offset=4 * place, datatype=PointField.FLOAT32, count=1)
        for place, name in enumerate('xyz')
    ]
    message.data.frombytes(points.tobytes())
    message.header.frame_id = 'laser'
    message.header.stamp.sec, message.header.stamp.nanosec = 100, 500_000_000
    source.hear('measured/points', message)
    off = off_the_wall(source.measure(request(*BY_PARAMETERS))[0])
    assert off < 0.01 if known else off > 0.1


@pytest.mark.parametrize('increment', [math.nan, -1.0, 5.0])
def test_invalid_times_are_ignored(increment):
    message = scan_in_motion()
    message.time_increment = increment
    _, ages = points_of_scan(message)
    assert not ages.any()


def test_invalid_odometry_is_ignored():
    poses = CameraPoses(Transforms(None))
    broken = odometry(0.1)
    broken.pose.pose.orientation.w = broken.pose.pose.orientation.z = 0.0
    poses.hear(broken)
    assert poses.between(100 * SECOND, 101 * SECOND, 'base_link', {'fixed_frame': ''}) is None
