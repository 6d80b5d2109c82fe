# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A source that repeats itself while the view changes is frozen, and not used."""

from types import SimpleNamespace

import numpy as np
import pytest
from sensor_msgs.msg import LaserScan

from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.node.measured.sources import Request, ScanSource, UnusableError

CAMERA = Intrinsics(640, 480, 600.0, 600.0, 319.5, 239.5)
# A scanner at the camera: x forward to z ahead, y left to x right.
FORWARD = np.array([[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]], float)
VALUES = {'metric.max_age': 0.2, 'fixed_frame': 'odom'}


def scan(number, distance=2.0):
    message = LaserScan(angle_min=-0.3, angle_increment=0.01, range_min=0.1, range_max=10.0)
    message.ranges = [distance] * 61
    message.header.stamp.sec = number
    return message


def request(number, metres):
    depth = np.full((96, 128), metres, np.float32)
    geometry = SimpleNamespace(intrinsics=CAMERA)
    return Request(number * 10**9, 'camera', VALUES, depth, geometry, {}, np.zeros((1, 1, 3)))


@pytest.fixture
def source():
    return ScanSource(SimpleNamespace(to_camera=lambda *_: FORWARD, pose=lambda *_: None))


def test_a_scan_that_stands_still_with_the_view_is_not_frozen(source):
    for number in range(1, 20):
        source.hear('measured/scan', scan(number))
        sparse, age = source.measure(request(number, 3.0))
        assert len(sparse.depth) > 30
        assert age == 0


def test_a_scan_that_stands_still_while_the_view_changes_is_frozen(source):
    for number in range(1, 9):
        source.hear('measured/scan', scan(number))
        source.measure(request(number, 3.0))
    for number in range(9, 12):
        source.hear('measured/scan', scan(number))
        with pytest.raises(UnusableError, match='same data'):
            source.measure(request(number, 2.0))
    source.hear('measured/scan', scan(12, 1.5))  # it moves again
    sparse, _ = source.measure(request(12, 2.0))
    assert np.median(sparse.depth) == pytest.approx(1.5, rel=0.05)  # ranges, not depths
