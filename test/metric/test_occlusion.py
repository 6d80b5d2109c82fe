# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the sensor sees and the camera cannot is dropped."""

import numpy as np
import pytest

from msdepth_ros.metric.occlusion import thinned, visible
from msdepth_ros.metric.sparse_depth import SparseDepth

SIZE = 640, 480


def wall(depth, step=8, left=0, right=640):
    u, v = (
        each.ravel() for each in np.meshgrid(np.arange(left, right, step), np.arange(0, 480, step))
    )
    return SparseDepth(u, v, np.full(u.size, depth), np.full(u.size, 0.02), 'points')


def joined(*parts):
    columns = (np.concatenate([getattr(p, c) for p in parts]) for c in ('u', 'v', 'depth', 'sigma'))
    return SparseDepth(*columns, 'points')


def test_a_wall_behind_a_box_is_hidden_and_nothing_else():
    box = wall(1.0, left=200, right=400)
    both = joined(wall(3.0), box)
    seen = visible(both, SIZE, 10.0)
    behind = (seen.depth == 3.0) & (seen.u >= 200) & (seen.u < 400)
    assert not behind.any()
    assert (seen.depth == 1.0).sum() == len(box)
    beside = (seen.depth == 3.0) & ((seen.u < 180) | (seen.u > 420))
    whole = wall(3.0)
    assert beside.sum() == ((whole.u < 180) | (whole.u > 420)).sum()


def test_a_slanted_floor_hides_nothing_of_itself():
    floor = wall(1.0)
    sloped = SparseDepth(floor.u, floor.v, 400 / (floor.v + 250), floor.sigma, 'points')
    assert len(visible(sloped, SIZE, 10.0)) == len(sloped)


@pytest.mark.parametrize('parallax', [0.0, 30.0])
def test_a_third_that_is_too_near_hides_nothing_of_what_the_sensor_sees_beside_it(parallax):
    points = wall(3.0)
    points.depth[::3] = 1.5  # 30 px m * (1/1.5 - 1/3) m = 10 px, not more than two tiles
    assert len(visible(points, SIZE, 10.0, parallax=parallax)) == len(points)
    apart = visible(points, SIZE, 10.0, parallax=1000.0)
    assert (apart.depth == 1.5).all()


def test_empty_and_outside():
    assert len(visible(SparseDepth([], [], [], [], 'points'), SIZE, 10.0)) == 0
    outside = SparseDepth([-50, 9000], [10, 10], [1, 1], [0.1, 0.1], 'points')
    assert len(visible(outside, SIZE, 10.0)) == 0


def test_thinning_keeps_first_and_last():
    some = thinned(wall(2.0), 100)
    assert len(some) == 100
    assert some.u[0] == 0
    assert some.v[-1] == 472
