# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a click to a point."""

import numpy as np
import pytest

from msdepth_ros.geometry.cloud import point_cloud
from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.viewer.picking import letterbox, pick_pixel, pick_point, pixel_at

CAMERA = Intrinsics(64, 48, 50.0, 60.0, 31.5, 23.5)


@pytest.mark.parametrize(
    ('size', 'aspect', 'expected'),
    [
        ((640, 480), 4 / 3, (640, 480, 0, 0)),
        ((640, 480), 2.0, (960, 480, 160, 0)),
        ((640, 480), 0.5, (640, 1280, 0, 400)),
    ],
)
def test_a_picture_lies_in_the_middle_of_the_page(size, aspect, expected):
    assert letterbox(size, aspect) == expected


@pytest.mark.parametrize('aspect', [0.46, 1.0, 4 / 3, 2.2])
@pytest.mark.parametrize('shown', [(160, 120), (640, 480)])
def test_every_pixel_is_found_where_the_page_shows_it(aspect, shown):
    page_width, page_height, left, top = letterbox(shown, aspect)
    for u in (0, 17, 639):
        for v in (0, 255, 479):
            place = (
                (left + (u + 0.5) * shown[0] / 640) / page_width,
                (top + (v + 0.5) * shown[1] / 480) / page_height,
            )
            assert pixel_at(place, shown, aspect, (640, 480)) == (u, v)


def test_beside_the_picture_there_is_no_pixel():
    assert pixel_at((0.05, 0.5), (640, 480), 2.0, (640, 480)) is None
    assert pixel_at((0.5, 0.99), (640, 480), 0.5, (640, 480)) is None


def test_a_pixel_has_its_own_depth_and_place():
    depth = np.full((48, 64), 2.0, np.float32)
    depth[10, 20] = 3.0
    pick = pick_pixel(depth, CAMERA, (20, 10))
    assert (pick.depth, pick.pixel) == (3.0, (20, 10))
    x, y = 3 * (20 - 31.5) / 50, 3 * (10 - 23.5) / 60
    assert pick.position == pytest.approx([x, y, 3.0])
    assert pick.distance == pytest.approx(np.sqrt(x * x + y * y + 9))


def test_beside_a_hole_the_nearest_depth_counts_and_in_a_large_one_none():
    depth = np.full((48, 64), np.nan, np.float32)
    depth[10, 22] = 1.5
    depth[9, 20] = 2.5
    assert pick_pixel(depth, CAMERA, (20, 10)).pixel == (20, 9)
    assert pick_pixel(depth, CAMERA, (0, 0)) is None


def test_without_calibration_there_is_depth_alone():
    pick = pick_pixel(np.ones((48, 64), np.float32), None, (5, 6))
    assert (pick.depth, pick.position, pick.distance) == (1.0, None, None)


def test_a_ray_meets_the_nearer_of_two_surfaces():
    depth = np.full((48, 64), 4.0, np.float32)
    depth[:, 20:40] = 1.0
    points = point_cloud(depth, CAMERA).reshape(-1, 3)
    for u, expected in ((30, 1.0), (50, 4.0)):
        direction = np.array([(u - CAMERA.cx) / CAMERA.fx, 0.0, 1.0])
        pick = pick_point(points, np.zeros(3), direction)
        assert pick.depth == expected
        assert pick.position[0] == pytest.approx(direction[0] * expected, abs=0.02 * expected)


def test_a_ray_from_elsewhere_meets_what_lies_before_it():
    points = np.array([[0, 0, 2], [0, 0, -2], [1, 0, 2]], np.float32)
    pick = pick_point(points, np.array([0.0, 0.0, 5.0]), np.array([0.0, 0.0, -1.0]))
    assert pick.position == pytest.approx([0, 0, 2])


def test_a_ray_into_nothing_meets_nothing():
    points = np.array([[0, 0, 2]], np.float32)
    assert pick_point(points, np.zeros(3), np.array([1.0, 0, 0])) is None
    assert pick_point(np.empty((0, 3), np.float32), np.zeros(3), np.array([0, 0, 1.0])) is None
