# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The laser scan agrees with depthimage_to_laserscan's definition, computed pixel by pixel here."""

import math
import struct

import numpy as np
import pytest
import ray_cast
from ray_cast import Mounted, depth_of

from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.geometry.scan import floor_in_scan, laser_scan, scan_frame

RAY_CAMERA = ray_cast.CAMERA
CAMERA = Intrinsics(64, 48, 50.0, 52.0, 30.25, 23.5)


def float32(value):
    """Round a number as a float32 field of a message does."""
    return struct.unpack('f', struct.pack('f', value))[0]


def scan_by_hand(depth, camera, scan_height, range_min, range_max):
    """Fill the scan a pixel at a time: nearest range in limits wins, NaN where there is none."""
    _, width = depth.shape
    angle_max = float32(math.atan2(camera.cx, camera.fx))
    angle_min = float32(-math.atan2(width - 1 - camera.cx, camera.fx))
    increment = float32(float32(angle_max - angle_min) / (width - 1))
    ranges = [math.nan] * width
    first = int(camera.cy - scan_height / 2)
    for v in range(first, first + scan_height):
        for u in range(width):
            z = float(depth[v, u])
            if not math.isfinite(z):
                continue
            x = (u - camera.cx) * z / camera.fx
            r = math.sqrt(x * x + z * z)
            index = int((-math.atan2(u - camera.cx, camera.fx) - angle_min) / increment)
            if range_min <= r <= range_max and not ranges[index] <= r:
                ranges[index] = r
    return angle_min, angle_max, increment, ranges


@pytest.fixture
def depth():
    rng = np.random.default_rng(4)
    depth = rng.uniform(0.2, 8, (48, 64)).astype(np.float32)
    depth[rng.random(depth.shape) < 0.3] = np.nan
    depth[:, 40:44] = np.nan
    return depth


@pytest.mark.parametrize('scan_height', [1, 2, 7, 46, 47])
@pytest.mark.parametrize('limits', [(0.45, 10.0), (1.0, 4.0)])
def test_every_range_is_the_nearest_of_its_beam(depth, scan_height, limits):
    scan = laser_scan(depth, CAMERA, scan_height, *limits)
    angle_min, angle_max, increment, ranges = scan_by_hand(depth, CAMERA, scan_height, *limits)
    assert scan.angle_min == pytest.approx(angle_min, abs=1e-6)
    assert scan.angle_max == pytest.approx(angle_max, abs=1e-6)
    assert scan.angle_increment == pytest.approx(increment, rel=1e-6)
    assert scan.ranges.dtype == np.float32
    np.testing.assert_allclose(scan.ranges, ranges, rtol=1e-6)


def test_a_beam_without_a_range_has_the_value_of_rep_117():
    """REP-117: +inf beyond the range, -inf nearer, NaN where nothing is known."""
    depth = np.full((48, 64), np.nan, np.float32)
    depth[:, 10:20] = 8.0
    depth[:, 20:25] = 0.2
    depth[22, 12] = 0.2  # one near pixel: the beam may not clear
    depth[22, 14] = 2.0  # one in range: it counts
    beyond = np.zeros((48, 64), bool)
    beyond[23, 30:35] = True
    limits = (0.45, 5.0)
    column = {}
    scan = laser_scan(depth, CAMERA, 5, *limits, beyond=beyond, use_inf=True)
    for u in range(64):
        angle = np.float32(-math.atan((u - CAMERA.cx) / CAMERA.fx))
        increment = np.float32(scan.angle_increment)
        column[u] = scan.ranges[int((angle - np.float32(scan.angle_min)) / increment)]
    assert all(column[u] == np.inf for u in (*range(10, 12), 13, *range(16, 19), *range(31, 34)))
    assert all(column[u] == -np.inf for u in (12, *range(21, 24)))
    assert column[14] == pytest.approx(2.0 * math.hypot(1, (14 - 30.25) / 50))
    assert all(math.isnan(column[u]) for u in (*range(9), *range(37, 64)))
    plain = laser_scan(depth, CAMERA, 5, *limits, beyond=beyond)
    in_range = np.isfinite(scan.ranges)
    assert 1 <= in_range.sum() <= 3
    np.testing.assert_array_equal(plain.ranges[in_range], scan.ranges[in_range])
    assert np.isnan(plain.ranges[~in_range]).all()


@pytest.mark.parametrize(('pitch', 'rows'), [(0.1, 20), (0.3, 1), (0.0, 20)])
def test_the_floor_comes_into_the_scan_where_its_lowest_row_meets_it(pitch, rows):
    mounted = Mounted(0.35, pitch)
    depth = depth_of(mounted, intrinsics=RAY_CAMERA).astype(np.float32)
    scan = laser_scan(depth, RAY_CAMERA, rows, 0.1, 1000.0)
    up = mounted.rotation.T @ [0.0, 0.0, 1.0]
    expected = floor_in_scan(RAY_CAMERA, rows, mounted.height, up)
    assert np.nanmin(scan.ranges) == pytest.approx(expected, rel=1e-3)


def test_a_camera_that_looks_up_sees_no_floor():
    up = Mounted(0.35, -0.3).rotation.T @ [0.0, 0.0, 1.0]
    assert floor_in_scan(RAY_CAMERA, 20, 0.35, up) == math.inf


def test_angles_run_counter_clockwise_from_the_right_end_of_the_image():
    """An obstacle on the left of the image is at a positive angle: y is left."""
    depth = np.full((48, 64), np.nan, np.float32)
    depth[:, 3] = 2.0
    scan = laser_scan(depth, CAMERA, 1, 0.45, 10.0)
    (index,) = np.flatnonzero(np.isfinite(scan.ranges))
    angle = scan.angle_min + index * scan.angle_increment
    assert angle == pytest.approx(math.atan(27.25 / 50), abs=scan.angle_increment)
    assert scan.ranges[index] == pytest.approx(2 * math.hypot(1, 27.25 / 50), rel=1e-6)


def test_a_wall_is_straight():
    scan = laser_scan(np.full((48, 64), 3.0, np.float32), CAMERA, 5, 0.45, 10.0)
    angles = scan.angle_min + np.arange(64) * scan.angle_increment
    seen = np.isfinite(scan.ranges)
    assert seen.sum() > 50
    ahead = scan.ranges[seen] * np.cos(angles[seen])
    # A beam holds a column that is at most one increment further to the left.
    slack = 3 * np.tan(np.abs(angles[seen]) + scan.angle_increment) * scan.angle_increment
    assert np.all(np.abs(ahead - 3) <= slack + 1e-5)


def test_a_band_that_does_not_fit_is_refused_with_the_numbers(depth):
    with pytest.raises(MsdepthError, match='at least two columns'):
        laser_scan(np.ones((48, 1), np.float32), CAMERA, 1, 0.1, 10.0)
    with pytest.raises(MsdepthError, match=r'scan_height 48 .* 48 rows .* row 23\.5'):
        laser_scan(depth, CAMERA, 48, 0.45, 10.0)


def test_the_frame_has_x_forward():
    assert scan_frame('camera_optical_frame') == 'camera_frame'
    assert scan_frame('front/camera_color_optical_frame') == 'front/camera_color_frame'
    assert scan_frame('camera') == 'camera_depth_frame'
    assert scan_frame('camera_optical_frame', 'laser') == 'laser'
