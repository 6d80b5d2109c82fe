# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Intrinsics, grids and calibrations, against numbers worked out here."""

import math
from dataclasses import replace

import numpy as np
import pytest

from msdepth_ros.errors import CalibrationError
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.geometry.pinhole import Grid, Intrinsics

K = (520.0, 0.0, 325.5, 0.0, 525.0, 253.7, 0.0, 0.0, 1.0)
P = (500.0, 0.0, 320.0, 0.0, 0.0, 505.0, 240.0, 0.0, 0.0, 0.0, 1.0, 0.0)
D = (-0.3, 0.1, 0.001, -0.002, 0.0)


def _camera(**changes):
    return replace(Camera(640, 480, K, D, 'plumb_bob', p=P), **changes)


# --- Intrinsics and Grid ---------------------------------------------------------------------


def test_resizing_keeps_every_ray():
    """A pixel's left edge, u - 0.5, moves in proportion to the width."""
    before = Intrinsics(640, 480, 520, 525, 325.5, 253.7)
    after = before.resized(321, 97)
    for u, v in ((-0.5, -0.5), (639.5, 479.5), (100.25, 300.75)):
        new_u = (u + 0.5) * 321 / 640 - 0.5
        new_v = (v + 0.5) * 97 / 480 - 0.5
        assert math.isclose((new_u - after.cx) / after.fx, (u - before.cx) / before.fx)
        assert math.isclose((new_v - after.cy) / after.fy, (v - before.cy) / before.fy)


def test_sampling_keeps_the_ray_of_each_cell():
    image = Intrinsics(640, 480, 520, 525, 325.5, 253.7)
    grid = Grid(74, 55, (11.08, 10.03), (8.4, 8.5))
    cells = image.sampled(grid)
    assert (cells.width, cells.height) == (74, 55)
    for i, j in ((0, 0), (73, 54), (12, 40)):
        u, v = 11.08 + 8.4 * i, 10.03 + 8.5 * j
        assert math.isclose((i - cells.cx) / cells.fx, (u - 325.5) / 520)
        assert math.isclose((j - cells.cy) / cells.fy, (v - 253.7) / 525)


def test_ray_slopes_are_those_of_the_matrix():
    intrinsics = Intrinsics(7, 5, 4.0, 3.0, 2.5, 1.5)
    x, y = intrinsics.ray_slopes()
    assert (x.dtype, y.dtype, x.shape, y.shape) == (np.float32, np.float32, (7,), (5,))
    ray = np.linalg.inv(intrinsics.matrix()) @ [6, 4, 1]
    np.testing.assert_allclose([x[6], y[4], 1], ray, rtol=1e-6)


def test_the_grid_of_a_grid_is_a_grid():
    inner = Grid(3, 2, (1.0, 2.0), (2.0, 3.0)).within(Grid(9, 9, (10.0, 20.0), (0.5, 0.25)))
    u, v = inner.pixels()
    assert u.shape == v.shape == (2, 3)
    assert u[1].tolist() == [10.5, 11.5, 12.5]  # 10 + 0.5 * (1, 3, 5)
    assert v[:, 2].tolist() == [20.5, 21.25]  # 20 + 0.25 * (2, 5)


@pytest.mark.parametrize(('stride', 'size'), [(1, (74, 55)), (2, (37, 28)), (64, (2, 1))])
def test_a_strided_grid_is_every_nth_cell(stride, size):
    grid = Grid(74, 55, (5.0, 5.0), (4.0, 4.0))
    strided = grid.strided(stride)
    assert (strided.width, strided.height) == size
    for every, all_cells in zip(strided.pixels(), grid.pixels(), strict=True):
        np.testing.assert_array_equal(every, all_cells[::stride, ::stride])


# --- check -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'k': (0.0, *K[1:])}, 'not calibrated'),
        ({'k': (-520.0, *K[1:])}, 'not positive'),
        ({'k': (*K[:4], 0.0, *K[5:])}, 'not positive'),
        ({'k': (math.nan, *K[1:])}, 'NaN'),
        ({'d': (math.inf, 0.0, 0.0, 0.0)}, 'NaN'),
        ({'r': (math.nan,) * 9}, 'NaN'),
        ({'p': (math.nan,) * 12}, 'NaN'),
        ({'p': (*P[:5], 0.0, *P[6:])}, 'not positive'),
        ({'p': (-500.0, *P[1:])}, 'not positive'),
        ({'width': 0}, '0x480'),
        ({'height': -1}, '640x-1'),
        ({'binning': (1000, 1)}, '0x480'),
        ({'d': (0.1, 0.2, 0.3)}, 'plumb_bob has 4 or 5 coefficients'),
        ({'d': (0.1,) * 15}, 'plumb_bob has 4 or 5'),
        ({'d': (0.1,) * 5, 'distortion_model': 'equidistant'}, 'equidistant has 4'),
        ({'distortion_model': 'mystery'}, "'mystery' is not known"),
        ({'distortion_model': 'two\nlines' * 99}, 'two.+lines.+two.+ is not known: use'),
        ({'d': (0.1, 0.0, 0.0, 0.0, -1e7)}, 'no lens has a distortion coefficient of -1e.07'),
        ({'r': (2.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 2.0)}, 'R is not a rotation'),
        ({'r': (1e200, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)}, 'R is not a rotation'),
        (
            {'k': (1e9, 0.0, 300.0, 0.0, 600.0, 200.0, 0.0, 0.0, 1.0)},
            'not possible in an image of 640',
        ),
        (
            {'k': (600.0, 0.0, 300.0, 0.0, 0.1, 200.0, 0.0, 0.0, 1.0)},
            'not possible in an image of 480',
        ),
        (
            {'roi': (2**32 - 1, 0, 640, 480)},
            'point at -4.29497e.09 are not possible in an image of 640',
        ),
    ],
)
def test_a_calibration_without_metric_geometry_is_refused(changes, words):
    with pytest.raises(CalibrationError, match=words):
        _camera(**changes).check()


@pytest.mark.parametrize(
    'changes',
    [
        {},
        {'p': ()},
        {'p': (0.0,) * 12},
        {'d': ()},
        {'d': (0.0,) * 5},
        {'d': (0.0,) * 3, 'distortion_model': ''},
        {'d': (0.1, 0.0, 0.0, 0.0), 'distortion_model': 'equidistant'},
        {'d': (0.1,) * 8, 'distortion_model': 'rational_polynomial'},
        {'d': (*D, 0.0, 0.0, 0.0)},
        {'width': 0, 'height': 0},
        {'k': (0.0,) * 9},
    ],
)
def test_a_usable_calibration_is_taken(changes):
    _camera(**changes).check()


@pytest.mark.parametrize('changes', [{'k': K[:8]}, {'r': K[:8]}, {'p': P[:11]}])
def test_matrices_of_the_wrong_length_are_refused(changes):
    with pytest.raises(CalibrationError, match='9 numbers in K, 9 in R and 12 in P'):
        _camera(**changes)


def test_only_a_distortion_that_is_not_zero_counts():
    assert _camera().distorted
    assert not _camera(d=()).distorted
    assert not _camera(d=(0.0,) * 5).distorted


def test_equal_calibrations_compare_equal_and_hash_alike():
    assert _camera() == _camera()
    assert hash(_camera()) == hash(_camera())
    assert _camera() != _camera(d=(0.0,) * 5)


def test_without_k_the_intrinsics_are_those_of_p():
    camera = _camera(k=(0.0,) * 9, r=(2.0,) * 9)
    camera.check()
    assert camera.k == (500, 0, 320, 0, 505, 240, 0, 0, 1)
    assert camera.raw_intrinsics() == camera.rectified_intrinsics()
    assert not camera.distorted


@pytest.mark.parametrize('p', [(), (0.0,) * 12, (-500.0, *P[1:])])
def test_without_k_and_a_valid_p_a_camera_is_not_calibrated(p):
    with pytest.raises(CalibrationError, match='not calibrated'):
        _camera(k=(0.0,) * 9, p=p).check()


def test_a_calibration_without_a_size_is_of_the_images_size():
    camera = _camera(width=0, height=0)
    assert camera.for_image(640, 480) == _camera()
    assert camera.for_image(1280, 720).raw_intrinsics() == Intrinsics(
        1280, 720, 520, 525, 325.5, 253.7
    )
    binned = replace(camera, binning=(2, 2)).for_image(320, 240)
    assert binned == _camera(binning=(2, 2)).for_image(320, 240)


def test_a_calibration_without_a_size_is_checked_with_the_images():
    camera = _camera(width=0, height=0, k=(9000.0, *K[1:]))
    camera.check()
    camera.for_image(640, 480)
    with pytest.raises(CalibrationError, match='not possible in an image of 8 pixels'):
        camera.for_image(8, 6)


# --- K, P, ROI, binning, other sizes ---------------------------------------------------------


def test_the_rectified_image_has_the_intrinsics_of_p_and_the_raw_one_those_of_k():
    assert _camera().rectified_intrinsics() == Intrinsics(640, 480, 500, 505, 320, 240)
    assert _camera().raw_intrinsics() == Intrinsics(640, 480, 520, 525, 325.5, 253.7)


@pytest.mark.parametrize('p', [(), (0.0,) * 12])
def test_without_p_the_rectified_image_has_the_intrinsics_of_k(p):
    camera = _camera(p=p)
    assert camera.rectified_intrinsics() == camera.raw_intrinsics()


def test_the_image_of_the_calibration_itself_changes_nothing():
    assert _camera().for_image(640, 480) == _camera()


def test_roi_moves_the_principal_point_then_binning_divides():
    """As image_geometry does: cx' = (cx - x_offset) / binning_x."""
    camera = _camera(roi=(100, 60, 400, 300), binning=(2, 3))
    assert camera.delivered_size == (200, 100)
    delivered = camera.for_image(200, 100)
    raw = Intrinsics(200, 100, 520 / 2, 525 / 3, (325.5 - 100) / 2, (253.7 - 60) / 3)
    assert delivered.raw_intrinsics() == raw
    rectified = Intrinsics(200, 100, 500 / 2, 505 / 3, (320 - 100) / 2, (240 - 60) / 3)
    assert delivered.rectified_intrinsics() == rectified
    assert delivered.delivered_size == (200, 100)  # not applied twice


@pytest.mark.parametrize('binning', [(0, 0), (1, 1)])
def test_binning_of_0_or_1_is_none(binning):
    assert _camera(binning=binning).delivered_size == (640, 480)


def test_an_image_of_another_size_and_the_same_aspect_is_a_resized_one():
    half = _camera().for_image(320, 240)
    expected = Intrinsics(320, 240, 260, 262.5, 326 / 2 - 0.5, 254.2 / 2 - 0.5)
    for name in ('width', 'height', 'fx', 'fy', 'cx', 'cy'):
        assert math.isclose(getattr(half.raw_intrinsics(), name), getattr(expected, name)), name
    rectified = half.rectified_intrinsics()
    assert (rectified.fx, rectified.fy) == (250, 252.5)
    assert (rectified.cx, rectified.cy) == (320.5 / 2 - 0.5, 240.5 / 2 - 0.5)
    assert half.d == D


@pytest.mark.parametrize('size', [(640, 360), (480, 640), (640, 470), (650, 480)])
def test_an_image_of_another_aspect_is_refused_with_both_sizes(size):
    with pytest.raises(CalibrationError, match=f'{size[0]}x{size[1]}.*640x480'):
        _camera().for_image(*size)


def test_an_aspect_that_differs_by_rounding_is_taken():
    camera = _camera().for_image(427, 320)  # 426.67
    assert math.isclose(camera.k[0], 520 * 427 / 640)
    assert math.isclose(camera.k[4], 525 * 320 / 480)


def test_a_resized_region_of_interest():
    camera = _camera(roi=(100, 60, 400, 300)).for_image(200, 150)
    raw = camera.raw_intrinsics()
    assert math.isclose(raw.cx, (325.5 - 100 + 0.5) / 2 - 0.5)
    assert math.isclose(raw.fy, 525 / 2)
