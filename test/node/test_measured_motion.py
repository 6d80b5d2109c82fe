# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A scan of a turning robot is bent straight by its odometry."""

import math

import numpy as np
import pytest
from nav_msgs.msg import Odometry
from sensor_msgs.msg import LaserScan

from msdepth_ros.launching.camera_pose import CameraPose
from msdepth_ros.metric.message_points import points_of_scan
from msdepth_ros.metric.motion import moved
from msdepth_ros.node.measured.frames import pose_matrix
from msdepth_ros.node.measured.motion import Motion

SECOND = 10**9
TURN, SPEED = 1.0, 0.5  # rad/s, m/s
CAMERA = pose_matrix(CameraPose(0.2, 0, 0.6, 0, 0.2, 0), optical=True)
SCANNER = pose_matrix(CameraPose(0.1, 0, 0.3, 0, 0, 0), optical=False)
WALL = 3.0  # metres ahead in the odometry's frame


def pose(seconds):
    """Return the robot in the odometry's frame."""
    return pose_matrix(CameraPose(SPEED * seconds, 0, 0, 0, 0, TURN * seconds), optical=False)


def odometry(seconds):
    message = Odometry()
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


@pytest.mark.parametrize('known', [True, False])
def test_a_wall_stays_a_wall(known):
    motion = Motion()
    for step in range(100):
        if known:
            motion.hear(odometry(step * 0.01))
    message = scan_in_motion()
    points, ages = points_of_scan(message)
    stamp, first = 100 * SECOND + 700_000_000, 100 * SECOND + 500_000_000
    to_camera = np.linalg.inv(CAMERA) @ SCANNER
    found = moved(points, first + ages, stamp, motion.between, np.linalg.inv(CAMERA), to_camera)
    in_world = pose(0.7) @ CAMERA @ np.column_stack([found, np.ones(len(found))]).T
    off = np.abs(in_world[0] - WALL).max()
    assert off < 0.03 if known else off > 0.1


def test_an_odometry_that_is_none_is_passed_over():
    motion = Motion()
    broken = odometry(0.1)
    broken.pose.pose.orientation.w = broken.pose.pose.orientation.z = 0.0
    motion.hear(broken)
    assert motion.between(100 * SECOND, 101 * SECOND) is None
