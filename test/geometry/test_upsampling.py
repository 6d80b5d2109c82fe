# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Planes stay planes and steps stay steps."""

import numpy as np
import pytest

from msdepth_ros.geometry.pinhole import Grid
from msdepth_ros.geometry.upsampling import Upsampler

THRESHOLD = 0.15
RANGE = (0.1, 100.0)  # metres
GRIDS = [
    (Grid(74, 55, (5.5 * 640 / 304 - 0.5,) * 2, (4 * 640 / 304,) * 2), (640, 480)),
    (Grid(74, 55, (251.3, 25.6), (18.9, 18.9)), (1920, 1080)),
    (Grid(74, 55, (-100.0, 30.5), (9.5, 12.25)), (640, 480)),  # cells outside of the image
    (Grid(76, 57, (1.5, 1.5), (4.0, 4.0)), (304, 228)),  # cells tile the image exactly
    (Grid(80, 60, (0.5, 0.5), (2.0, 2.0)), (160, 120)),
    (Grid(90, 70, (0.3, 0.2), (0.7, 0.8)), (60, 50)),  # more cells than pixels
    (Grid(2, 2, (10.0, 10.0), (20.0, 20.0)), (41, 41)),
]


def _plane(u, v):
    """Return the depth, about 3 m, of a tilted plane: 1 / depth is linear in the pixel."""
    return 1 / (0.33 + 8e-5 * u - 5e-5 * v)


def _answered(cells, size):
    """Return which pixels lie within half a step of a cell."""
    inside = []
    for axis in (0, 1):
        position = (np.arange(size[axis]) - cells.origin[axis]) / cells.step[axis]
        last = (cells.width, cells.height)[axis] - 0.5
        inside.append((position >= -0.5 - 1e-9) & (position <= last + 1e-9))
    return inside[1][:, None] & inside[0]


@pytest.mark.parametrize('threshold', [THRESHOLD, 0.0])
@pytest.mark.parametrize(('cells', 'size'), GRIDS)
def test_a_plane_stays_a_plane_up_to_the_outermost_half_cells(cells, size, threshold):
    depth = _plane(*cells.pixels()).astype(np.float32)
    image = Upsampler(cells, size)(depth, threshold, RANGE)
    assert image.dtype == np.float32
    assert image.shape == (size[1], size[0])
    answered = _answered(cells, size)
    np.testing.assert_array_equal(np.isfinite(image), answered)
    truth = _plane(*np.meshgrid(np.arange(size[0]), np.arange(size[1])))
    np.testing.assert_allclose(image[answered], truth[answered], rtol=2e-6)


@pytest.mark.parametrize(('cells', 'size'), GRIDS)
def test_upsampling_does_not_bridge_a_step(cells, size):
    """No depth lies between two plateaus, for any shape of their border."""
    i, j = np.meshgrid(np.arange(cells.width), np.arange(cells.height))
    for near in (i < cells.width // 2, j < cells.height // 2, i + 2 * j < 60, (i + j) % 3 == 0):
        depth = np.where(near, 1.0, 3.0).astype(np.float32)
        image = Upsampler(cells, size)(depth, THRESHOLD, RANGE)
        values = image[np.isfinite(image)]
        plateau = np.where(values < 2, 1.0, 3.0)
        np.testing.assert_allclose(values, plateau, rtol=1e-6)


def test_each_pixel_of_a_step_takes_the_depth_of_its_nearest_cell():
    cells, size = GRIDS[0]
    depth = np.ones((55, 74), np.float32)
    depth[:, 40:] = 2
    image = Upsampler(cells, size)(depth, THRESHOLD, RANGE)
    border = cells.origin[0] + 39.5 * cells.step[0]
    u = np.arange(640)
    expected = np.where(u < border, 1.0, 2.0)
    seen = np.isfinite(image[240])
    np.testing.assert_allclose(image[240][seen], expected[seen], rtol=1e-6)


@pytest.mark.parametrize(('cells', 'size'), GRIDS[:-1])
def test_nan_cells_cover_their_own_pixels_and_no_more(cells, size):
    depth = _plane(*cells.pixels()).astype(np.float32)
    hole = np.zeros_like(depth, bool)
    hole[cells.height // 2, cells.width // 2] = hole[0, -1] = True
    hole[cells.height // 2, 0] = True
    depth[hole] = np.nan
    image = Upsampler(cells, size)(depth, THRESHOLD, RANGE)
    u, v = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    i = np.floor((u - cells.origin[0]) / cells.step[0] + 0.5).clip(0, cells.width - 1).astype(int)
    j = np.floor((v - cells.origin[1]) / cells.step[1] + 0.5).clip(0, cells.height - 1).astype(int)
    answered = _answered(cells, size)
    np.testing.assert_array_equal(np.isnan(image), ~answered | hole[j, i])
    # Beside a hole the plane continues.
    truth = _plane(u, v)
    known = np.isfinite(image)
    np.testing.assert_allclose(image[known], truth[known], rtol=2e-6)


def test_all_nan_gives_all_nan():
    cells, size = GRIDS[0]
    image = Upsampler(cells, size)(np.full((55, 74), np.nan, np.float32), THRESHOLD, RANGE)
    assert np.isnan(image).all()


@pytest.mark.parametrize('threshold', [0.0, THRESHOLD, 10.0])
def test_upsampled_noise_is_positive_and_finite(threshold):
    rng = np.random.default_rng(1)
    cells, size = GRIDS[1]
    depth = np.exp(rng.uniform(np.log(0.1), np.log(100), (55, 74))).astype(np.float32)
    depth[rng.random(depth.shape) < 0.2] = np.nan
    image = Upsampler(cells, size)(depth, threshold, RANGE)
    known = image[~np.isnan(image)]
    assert known.size > 1e6
    assert known.min() >= 0.1 * (1 - 1e-6)
    assert known.max() <= 100 * (1 + 1e-6)


def test_extrapolation_ends_at_the_depth_range():
    cells, size = GRIDS[0]
    depth = _plane(*cells.pixels()).astype(np.float32)
    low, high = float(depth.min()), float(depth.max())
    image = Upsampler(cells, size)(depth, THRESHOLD, (low, high))
    assert np.nanmin(image) == pytest.approx(low)
    assert np.nanmax(image) == pytest.approx(high)


@pytest.mark.parametrize('threshold', [0.0, THRESHOLD])
def test_interpolation_stays_between_its_cells(threshold):
    rng = np.random.default_rng(2)
    cells, size = Grid(40, 30, (-3.5, -3.5), (8.0, 8.0)), (300, 220)
    depth = rng.uniform(1, 3, (30, 40)).astype(np.float32)
    image = Upsampler(cells, size)(depth, threshold, RANGE)
    assert image.min() >= depth.min() * (1 - 1e-6)
    assert image.max() <= depth.max() * (1 + 1e-6)


def test_a_grid_beside_the_image_gives_all_nan():
    image = Upsampler(Grid(4, 4, (100.0, 100.0), (2.0, 2.0)), (50, 40))(
        np.ones((4, 4), np.float32), THRESHOLD, RANGE
    )
    assert image.shape == (40, 50)
    assert np.isnan(image).all()


def test_upsampling_into_a_buffer_overwrites_all_of_it():
    cells, size = GRIDS[0]
    upsampler = Upsampler(cells, size)
    depth = _plane(*cells.pixels()).astype(np.float32)
    buffer = np.full((480, 640), -5, np.float32)
    assert upsampler(depth, THRESHOLD, RANGE, buffer) is buffer
    np.testing.assert_array_equal(buffer, upsampler(depth, THRESHOLD, RANGE))
    assert not (buffer == -5).any()


@pytest.mark.parametrize(('cells', 'size'), GRIDS[:-1])
def test_a_mask_of_cells_covers_their_own_pixels(cells, size):
    mask = np.random.default_rng(3).random((cells.height, cells.width)) < 0.4
    image = Upsampler(cells, size).nearest(mask)
    assert image.dtype == bool
    depth = np.where(mask, np.nan, 1.0).astype(np.float32)
    unknown = np.isnan(Upsampler(cells, size)(depth, THRESHOLD, RANGE))
    np.testing.assert_array_equal(image, unknown & _answered(cells, size))


def test_upsampling_leaves_its_input_alone():
    cells, size = GRIDS[0]
    depth = _plane(*cells.pixels()).astype(np.float32)
    before = depth.copy()
    Upsampler(cells, size)(depth, THRESHOLD, RANGE)
    np.testing.assert_array_equal(depth, before)


@pytest.mark.parametrize(('ratio', 'bridged'), [(1.14, True), (1.16, False)])
def test_a_jump_is_a_ratio_of_depths(ratio, bridged):
    cells, size = GRIDS[0]
    depth = np.ones((55, 74), np.float32)
    depth[:, 40:] = ratio
    between = Upsampler(cells, size)(depth, THRESHOLD, RANGE)
    between = between[(between > 1.001) & (between < ratio - 0.001)]
    assert (between.size > 0) == bridged
