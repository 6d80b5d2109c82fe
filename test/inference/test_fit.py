# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which part of the camera image the network sees, worked out by hand."""

from fractions import Fraction

import numpy as np
import pytest

from msdepth_ros.geometry.pinhole import Grid, Intrinsics
from msdepth_ros.inference.fit import FITS, fit_window

EIGEN_INPUT = (304, 228)
EIGEN_GRID = Grid(74, 55, (5.0, 5.0), (4.0, 4.0))
SIZES = [
    (640, 480), (320, 240), (1280, 720), (1920, 1080), (3840, 2160), (480, 640), (1080, 1920),
    (641, 479), (333, 999), (7, 5000), (5000, 7), (304, 228), (1, 1), (2, 3),
]  # fmt: skip


@pytest.mark.parametrize(
    ('fit', 'camera', 'source', 'target'),
    [
        ('crop', (640, 480), (0, 0, 640, 480), (0, 0, 304, 228)),  # 304:228 is 4:3
        ('crop', (1920, 1080), (240, 0, 1440, 1080), (0, 0, 304, 228)),
        ('crop', (480, 640), (0, 140, 480, 360), (0, 0, 304, 228)),
        ('crop', (641, 479), (1, 0, 639, 479), (0, 0, 304, 228)),  # 638.67 wide
        ('pad', (640, 480), (0, 0, 640, 480), (0, 0, 304, 228)),
        ('pad', (1920, 1080), (0, 0, 1920, 1080), (0, 28, 304, 171)),
        ('pad', (480, 640), (0, 0, 480, 640), (66, 0, 171, 228)),
        ('stretch', (1920, 1080), (0, 0, 1920, 1080), (0, 0, 304, 228)),
        ('stretch', (641, 479), (0, 0, 641, 479), (0, 0, 304, 228)),
    ],
)
def test_windows(fit, camera, source, target):
    window = fit_window(fit, camera, EIGEN_INPUT)
    assert (window.source, window.target) == (source, target)


@pytest.mark.parametrize('fit', FITS)
@pytest.mark.parametrize('camera', SIZES)
def test_any_size_gives_whole_centred_rectangles_of_the_right_aspect(fit, camera):
    window = fit_window(fit, camera, EIGEN_INPUT)
    for (x, y, w, h), (width, height) in (
        (window.source, camera),
        (window.target, EIGEN_INPUT),
    ):
        assert all(isinstance(number, int) for number in (x, y, w, h))
        assert w >= 1
        assert h >= 1
        assert 0 <= x <= x + w <= width
        assert 0 <= y <= y + h <= height
        assert abs(2 * x + w - width) <= 1  # centred
        assert abs(2 * y + h - height) <= 1
    assert camera == window.source[2:] or fit == 'crop'
    assert window.target == (0, 0, *EIGEN_INPUT) or fit == 'pad'
    if fit == 'crop':  # right within half a pixel, unless it would have none
        (_, _, w, h), aspect = window.source, Fraction(304, 228)
        off = min(abs(w - h * aspect), abs(h - w / aspect) if w == camera[0] else 99)
        assert off <= Fraction(1, 2) or 1 in (w, h)
        assert w == camera[0] or h == camera[1]  # the largest


def test_an_unknown_fit_is_refused():
    with pytest.raises(ValueError, match="'zoom' but must be one of crop, pad, stretch"):
        fit_window('zoom', (640, 480), EIGEN_INPUT)


def test_eigen_cells_in_a_vga_image():
    """Cell (i, j) is at network pixel (4i + 5, 4j + 5), hence at u = (4i + 5.5) * 640/304 - 0.5."""
    window = fit_window('crop', (640, 480), EIGEN_INPUT)
    cells = EIGEN_GRID.within(window.network_grid(EIGEN_INPUT))
    u, v = cells.pixels()
    for i, j in ((0, 0), (73, 54), (40, 7)):
        assert u[j, i] == pytest.approx(float(Fraction(8 * i + 11, 2) * Fraction(640, 304)) - 0.5)
        assert v[j, i] == pytest.approx(float(Fraction(8 * j + 11, 2) * Fraction(480, 228)) - 0.5)
    assert (u[0, 0], v[0, 0]) == pytest.approx((11.078947, 11.078947))
    assert (u[54, 73], v[54, 73]) == pytest.approx((625.815789, 465.815789))


def test_intrinsics_of_the_eigen_grid():
    """NYU's camera: fx 518.86 at a step of 4 * 640/304 = 8.42 camera pixels a cell."""
    camera = Intrinsics(640, 480, 518.86, 519.47, 325.58, 253.74)
    window = fit_window('crop', (640, 480), EIGEN_INPUT)
    cells = camera.sampled(EIGEN_GRID.within(window.network_grid(EIGEN_INPUT)))
    assert (cells.width, cells.height) == (74, 55)
    assert cells.fx == pytest.approx(518.86 * 304 / 640 / 4)  # 61.6146
    assert cells.fy == pytest.approx(519.47 * 304 / 640 / 4)
    assert cells.cx == pytest.approx(((325.58 + 0.5) * 304 / 640 - 0.5 - 5) / 4)  # 37.347
    assert cells.cy == pytest.approx(((253.74 + 0.5) * 228 / 480 - 0.5 - 5) / 4)


@pytest.mark.parametrize('fit', FITS)
@pytest.mark.parametrize('camera', SIZES)
def test_network_pixels_tile_the_source(fit, camera):
    """The target's outer edges are the source's, and pad continues the same scale outside."""
    window = fit_window(fit, camera, EIGEN_INPUT)
    network = window.network_grid(EIGEN_INPUT)
    (x, y, w, h), (left, top, width, height) = window.source, window.target
    u, v = network.pixels()
    assert u.shape == (228, 304)
    step_u, step_v = w / width, h / height
    np.testing.assert_allclose(u[0, left] - step_u / 2, x - 0.5, atol=1e-9)
    np.testing.assert_allclose(u[0, left + width - 1] + step_u / 2, x + w - 0.5, atol=1e-9)
    np.testing.assert_allclose(v[top, 0] - step_v / 2, y - 0.5, atol=1e-9)
    np.testing.assert_allclose(v[top + height - 1, 0] + step_v / 2, y + h - 0.5, atol=1e-9)
    np.testing.assert_allclose(np.diff(u[0]), step_u)
    np.testing.assert_allclose(np.diff(v[:, 0]), step_v)


def test_stretch_changes_the_focal_lengths_apart():
    camera = Intrinsics(1920, 1080, 1400, 1400, 959.5, 539.5)
    stretched = fit_window('stretch', (1920, 1080), EIGEN_INPUT)
    network = camera.sampled(stretched.network_grid(EIGEN_INPUT))
    assert network.fx == pytest.approx(1400 * 304 / 1920)
    assert network.fy == pytest.approx(1400 * 228 / 1080)
    cropped = camera.sampled(fit_window('crop', (1920, 1080), EIGEN_INPUT).network_grid((304, 228)))
    assert cropped.fx == pytest.approx(cropped.fy) == pytest.approx(1400 * 228 / 1080)
