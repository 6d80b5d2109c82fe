# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Flying pixels go, obstacles keep their size, and planes stay whole however flat they are seen."""

import numpy as np
import pytest
from ray_cast import Mounted, depth_of, wall

from msdepth_ros.geometry.flying_pixels import remove_flying_pixels
from msdepth_ros.geometry.pinhole import Intrinsics

THRESHOLD = 0.15
SHIPPED = Intrinsics(128, 96, 103.75, 103.75, 63.5, 47.5)  # the shipped network's own grid


def test_the_slope_between_two_walls_goes_and_the_near_wall_stays():
    row = [1.0, 1.0, 1.0, 1.4, 2.1, 3.0, 3.0, 3.0]
    depth = np.tile(np.float32(row), (5, 1))
    remove_flying_pixels(depth, THRESHOLD)
    for line in depth:
        np.testing.assert_array_equal(line, np.float32([1, 1, 1, *[np.nan] * 3, 3, 3]))


def test_at_a_step_one_cell_of_the_far_side_is_removed():
    depth = np.full((6, 6), 4, np.float32)
    depth[2:4, 2:4] = 2  # an obstacle
    cleaned = remove_flying_pixels(depth.copy(), THRESHOLD)
    assert (cleaned[2:4, 2:4] == 2).all()
    beside = np.zeros((6, 6), bool)
    beside[1:5, 2:4] = beside[2:4, 1:5] = True
    beside[2:4, 2:4] = False
    np.testing.assert_array_equal(np.isnan(cleaned), beside)


@pytest.mark.parametrize('axis', [0, 1])
@pytest.mark.parametrize('flip', [False, True])
def test_jumps_are_found_in_every_direction(axis, flip):
    depth = np.full((3, 3), 2, np.float32)
    depth[(0, 1) if axis else (1, 0)] = 1
    depth = depth[::-1, ::-1].copy() if flip else depth
    remove_flying_pixels(depth, THRESHOLD)
    assert np.isnan(depth[1, 1])
    assert np.isnan(depth).sum() == 3  # the centre and the two beside it on the border


def test_jumps_below_the_threshold_stay():
    depth = np.float32([[1.0, 1.1, 1.2, 1.3]])
    before = depth.copy()
    np.testing.assert_array_equal(remove_flying_pixels(depth, THRESHOLD), before)


def test_a_threshold_of_0_keeps_everything():
    depth = np.float32([[1, 9], [5, 1]])
    np.testing.assert_array_equal(remove_flying_pixels(depth.copy(), 0.0), depth)


def test_cells_next_to_nan_stay():
    depth = np.float32([[np.nan, 9, np.nan], [np.nan, np.nan, 1]])
    np.testing.assert_array_equal(remove_flying_pixels(depth.copy(), THRESHOLD), depth)


def seen(mounted, boxes=(), farthest=10.0, **options):
    """Return a perfect camera's depth, NaN beyond `farthest`."""
    depth = depth_of(mounted, boxes, SHIPPED, **options).astype(np.float32)
    depth[depth > farthest] = np.nan
    return depth


@pytest.mark.parametrize('threshold', [0.05, 0.10, 0.15])
@pytest.mark.parametrize(
    'mounted', [Mounted(0.35, 0.1), Mounted(0.15, 0.0), Mounted(0.62, 0.35), Mounted(1.3, 0.3)]
)
def test_the_far_floor_stays_whole(mounted, threshold):
    depth = seen(mounted)
    assert np.isfinite(depth).sum() > 2000
    cleaned = remove_flying_pixels(depth.copy(), threshold)
    np.testing.assert_array_equal(cleaned, depth)


def test_the_floor_before_a_wall_stays_whole():
    depth = seen(Mounted(0.35, 0.1), [wall(6.0)])
    np.testing.assert_array_equal(remove_flying_pixels(depth.copy(), 0.10), depth)


@pytest.mark.parametrize('side', [1, -1])
def test_the_walls_of_a_corridor_stay_whole(side):
    depth = seen(Mounted(0.8), [(-1, 30, *sorted((0.5 * side, 0.7 * side)), -1, 3)])
    np.testing.assert_array_equal(remove_flying_pixels(depth.copy(), 0.05), depth)


@pytest.mark.parametrize('ratio', [1.5, 3.0, 6.0])
@pytest.mark.parametrize('cells', [1, 2, 3])
@pytest.mark.parametrize('linear_in', ['depth', 'inverse', 'log'])
def test_a_blurred_step_of_any_shape_is_removed(ratio, cells, linear_in):
    """Nothing is left between the two walls, in each of the four directions."""
    there, back = {
        'depth': (lambda z: z, lambda z: z),
        'inverse': (np.reciprocal, np.reciprocal),
        'log': (np.log, np.exp),
    }[linear_in]
    slope = back(np.linspace(there(1.0), there(ratio), cells + 2))
    if (slope[1:] / slope[:-1]).min() < 1.2:
        pytest.skip('these jumps are allowed')
    row = np.concatenate([np.ones(8), slope[1:-1], np.full(8, ratio)]).astype(np.float32)
    for line in (row, row[::-1]):
        for depth in (np.tile(line, (9, 1)), np.tile(line, (9, 1)).T.copy()):
            cleaned = remove_flying_pixels(depth.copy(), THRESHOLD)
            known = cleaned[np.isfinite(cleaned)]
            assert np.isin(known, np.float32([1, ratio])).all()
            assert (cleaned == 1).sum() == (depth == 1).sum()
            assert (cleaned == np.float32(ratio)).sum() >= (depth == np.float32(ratio)).sum() - 9


def test_the_floor_behind_a_box_stays_except_at_the_edge():
    boxes = [(1.5, 1.8, -0.3, 0.3, 0, 0.2)]
    depth = seen(Mounted(0.62, 0.35), boxes)
    removed = np.isfinite(depth) & np.isnan(remove_flying_pixels(depth.copy(), THRESHOLD))
    box = seen(Mounted(0.62, 0.35), boxes, floor=False)
    assert np.isnan(box[removed]).all()
    assert 0 < removed.sum() < 80


def test_with_noise_of_one_percent_nearly_all_of_the_floor_stays():
    depth = seen(Mounted(0.35, 0.1), farthest=6.0)
    noisy = depth * np.random.default_rng(0).normal(1, 0.01, depth.shape).astype(np.float32)
    kept = np.isfinite(remove_flying_pixels(noisy, 0.10))
    assert kept.sum() > 0.95 * np.isfinite(depth).sum()
