# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Image and camera in, metric depth out: with models whose depth is known.

Where a known wall comes out is the matter of test_geometry.py.
"""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
import yaml
from oracle import COLOR_OFFSET, COLOR_WEIGHTS, write_color_model, write_depth_model
from truth import Fit, camera_of, matrix_of

from msdepth_ros.errors import CalibrationError, ImageError
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.inference.backends import create_backend
from msdepth_ros.inference.estimator import DepthEstimator, Settings
from msdepth_ros.inference.fit import FITS
from msdepth_ros.inference.model import load_model


def make_estimator(path, **settings):
    model = load_model(path)
    return DepthEstimator(model, create_backend(model, 'onnxruntime', 1), Settings(**settings))


@pytest.mark.parametrize('size', [(640, 480), (1920, 1080), (480, 640), (641, 479)])
@pytest.mark.parametrize('fit', FITS)
def test_pixels_outside_the_cells_are_nan(fit, size, tmp_path):
    """Eigen's cells answer for the network pixels 3 to 299 and 3 to 223, and no others."""
    estimator = make_estimator(write_depth_model(tmp_path, lambda x, y: 2 + 0 * x), fit=fit)
    full = estimator.estimate(np.zeros(size[::-1], np.uint8), 'mono8').full_depth()
    placed = Fit(fit, size)
    (x0, y0, w, h), (left, top, width, height) = placed.source, placed.target
    x = (np.arange(size[0]) - x0 + 0.5) * width / w - 0.5 + left
    y = (np.arange(size[1]) - y0 + 0.5) * height / h - 0.5 + top
    if fit == 'pad':  # a cell whose centre lies in a bar saw no image
        i, j = np.floor((x - 3) / 4), np.floor((y - 3) / 4)
        seen_x = (left - 0.5 <= 5 + 4 * i) & (5 + 4 * i <= left + width - 0.5)
        seen_y = (top - 0.5 <= 5 + 4 * j) & (5 + 4 * j <= top + height - 0.5)
    else:
        seen_x, seen_y = np.ones(len(x), bool), np.ones(len(y), bool)
    seen_x &= (x >= 3) & (x <= 299)
    seen_y &= (y >= 3) & (y <= 223)
    np.testing.assert_array_equal(np.isfinite(full), seen_y[:, None] & seen_x)
    assert (full[np.isfinite(full)] == 2).all()


@pytest.mark.parametrize('size', [(640, 480), (1280, 720), (480, 640), (96, 80)])
@pytest.mark.parametrize('fit', FITS)
def test_the_confidence_of_a_pixel_is_between_those_of_the_cells_around_it(fit, size, tmp_path):
    estimator = make_estimator(write_depth_model(tmp_path, lambda x, y: 2 + 0 * x), fit=fit)
    frame = estimator.estimate(np.zeros(size[::-1], np.uint8), 'mono8')
    rows, columns = np.indices(frame.std.shape)
    frame.std[:] = 0.1 + 0.002 * rows + 0.001 * columns
    full, depth = frame.full_confidence(), frame.full_depth()
    np.testing.assert_array_equal(np.isnan(full), np.isnan(depth))
    (x0, y0), (dx, dy) = frame.cells.origin, frame.cells.step
    v, u = np.nonzero(np.isfinite(depth))
    x, y = (u - x0) / dx, (v - y0) / dy
    std = 0.1 + 0.002 * np.clip(y, 0, rows.max()) + 0.001 * np.clip(x, 0, columns.max())
    expected = [math.erf(math.log(1.25) / (each * 2**0.5)) for each in std]
    np.testing.assert_allclose(full[v, u], expected, atol=0.004)


# --- what a cell sees ------------------------------------------------------------------------


@pytest.mark.parametrize('channels', ['rgb', 'bgr'])
@pytest.mark.parametrize('encoding', ['rgb8', 'bgr8', 'rgba8', 'bgra8', 'mono8'])
def test_the_network_reads_the_colours_in_its_own_order(encoding, channels, tmp_path):
    color = {'r': 200, 'g': 120, 'b': 30, 'a': 255}
    if encoding == 'mono8':
        color = dict.fromkeys('rgb', 77)
        image = np.full((480, 640), 77, np.uint8)
    else:
        image = np.empty((480, 640, len(encoding) - 1), np.uint8)
        image[:] = [color[letter] for letter in encoding[:-1]]
    estimator = make_estimator(write_color_model(tmp_path, channels=channels))
    frame = estimator.estimate(image, encoding)
    metres = COLOR_OFFSET + COLOR_WEIGHTS @ [color[letter] for letter in channels]
    np.testing.assert_allclose(frame.depth, metres, rtol=1e-5)
    assert (frame.colors() == [color[letter] for letter in 'rgb']).all()


def test_each_cell_has_the_colour_of_the_camera_pixel_at_its_centre(tmp_path):
    v, u = np.indices((480, 640))
    image = np.stack([u * 255 / 639, v * 255 / 479, 0 * u], axis=-1).round().astype(np.uint8)
    estimator = make_estimator(write_color_model(tmp_path))
    frame = estimator.estimate(image, 'rgb8')
    colors = frame.colors()
    assert colors.shape == (55, 74, 3)
    column = (4 * np.arange(74) + 5.5) * 640 / 304 - 0.5
    row = (4 * np.arange(55) + 5.5) * 480 / 228 - 0.5
    np.testing.assert_allclose(
        colors[..., 0], np.tile(column * 255 / 639, (55, 1)), atol=1.6
    )  # rounded three times

    np.testing.assert_allclose(colors[..., 1], np.tile(row * 255 / 479, (74, 1)).T, atol=1.6)
    weighted = COLOR_OFFSET + colors @ COLOR_WEIGHTS
    np.testing.assert_allclose(frame.depth, weighted, rtol=1e-5)


def test_the_rectified_image_lies_on_the_depth(tmp_path):
    """A raw pixel that OpenCV undistorts to (u, v) has its colour at (u, v)."""
    camera = camera_of((640, 480), 'plumb_bob')
    raw = np.zeros((480, 640), np.uint8)
    spots = [(100, 80), (320, 240), (560, 400), (500, 60)]
    for x, y in spots:
        raw[y - 1 : y + 2, x - 1 : x + 2] = 255
    estimator = make_estimator(write_depth_model(tmp_path, lambda x, y: 2 + 0 * x))
    image, encoding = estimator.estimate(raw, 'mono8', camera).rectified_image()
    assert encoding == 'mono8'
    assert image.shape == raw.shape
    k, p = np.array(camera.k).reshape(3, 3), np.array(camera.p).reshape(3, 4)
    points = np.array(spots, np.float64)[:, None]
    ideal = cv2.undistortPoints(points, k, np.array(camera.d), P=p)[:, 0]
    for u, v in ideal.round().astype(int):
        around = image[v - 4 : v + 5, u - 4 : u + 5].astype(float)
        y, x = np.indices(around.shape) - 4
        centre = [np.average(axis, weights=around) for axis in (x, y)]
        assert np.hypot(*centre) < 1


def test_an_image_that_needs_no_rectification_is_not_copied(tmp_path):
    image = np.zeros((48, 64), np.uint8)
    estimator = make_estimator(write_depth_model(tmp_path, lambda x, y: 2 + 0 * x))
    assert estimator.estimate(image, 'mono8', None).rectified_image()[0] is image
    camera = camera_of((64, 48))
    assert estimator.estimate(image, 'mono8', camera).rectified_image()[0] is image


# --- metric scale ----------------------------------------------------------------------------


def constant(tmp_path, value, **options):
    return write_depth_model(tmp_path, lambda x, y: value + 0 * x, **options)


def median_depth(estimator, camera, size=(640, 480)):
    return np.nanmedian(estimator.estimate(np.zeros(size[::-1], np.uint8), 'mono8', camera).depth)


@pytest.mark.parametrize('fit', FITS)
@pytest.mark.parametrize('size', [(640, 480), (1280, 720), (480, 640)])
def test_depth_scales_with_the_focal_length_in_network_pixels(fit, size, tmp_path):
    camera = Camera.pinhole(*size, 500.0, 600.0, size[0] / 2, size[1] / 2)
    step = Fit(fit, size).step
    f = math.sqrt(500 / step[0] * 600 / step[1])  # geometric mean for pixels not square
    estimator = make_estimator(constant(tmp_path, 2.0, focal=250.0), fit=fit)
    assert median_depth(estimator, camera, size) == pytest.approx(2 * f / 250, rel=1e-5)


def test_half_the_focal_length_means_half_the_depth(tmp_path):
    estimator = make_estimator(constant(tmp_path, 2.0, focal=250.0))
    long, wide = (Camera.pinhole(640, 480, f, f, 320.0, 240.0) for f in (600.0, 300.0))
    assert median_depth(estimator, long) == pytest.approx(2 * median_depth(estimator, wide))


@pytest.mark.parametrize('focal', [0.0, 250.0])
def test_no_scaling_without_a_focal_length_or_a_calibration(focal, tmp_path):
    estimator = make_estimator(constant(tmp_path, 2.0, focal=focal))
    assert median_depth(estimator, None) == 2
    if focal == 0:
        assert median_depth(estimator, camera_of((640, 480))) == 2


def test_depth_scale_multiplies_the_depth(tmp_path):
    estimator = make_estimator(constant(tmp_path, 2.0, focal=250.0), scale=1.5)
    camera = Camera.pinhole(640, 480, 500.0, 500.0, 320.0, 240.0)
    expected = 2 * 500 * 304 / 640 / 250 * 1.5
    assert median_depth(estimator, camera) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ('rectify', 'd', 'matrix'),
    [
        ('on', 'plumb_bob', 'p'),
        ('on', 'none', 'p'),
        ('off', 'plumb_bob', 'p'),
        ('off', 'none', 'p'),
        ('auto', 'plumb_bob', 'p'),
        ('auto', 'none', 'k'),
    ],
)
def test_rectified_images_have_the_focal_length_of_p_and_raw_ones_that_of_k(
    rectify, d, matrix, tmp_path
):
    camera = camera_of((640, 480), d)
    fx, fy, cx, cy = matrix_of(camera, rectified=matrix == 'p')
    estimator = make_estimator(constant(tmp_path, 2.0, focal=250.0), rectify=rectify)
    frame = estimator.estimate(np.zeros((480, 640), np.uint8), 'mono8', camera)
    f = math.sqrt(fx * fy) * 304 / 640
    assert np.nanmedian(frame.depth) == pytest.approx(2 * f / 250, rel=1e-5)
    i = frame.camera_intrinsics
    assert (i.fx, i.fy, i.cx, i.cy) == (fx, fy, cx, cy)


@pytest.mark.parametrize(('rectify', 'moves'), [('on', True), ('auto', True), ('off', False)])
def test_rectify_decides_whether_pixels_move(rectify, moves, tmp_path):
    camera = camera_of((640, 480), 'plumb_bob')
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(0, 256, (24, 32, 3), np.uint8), (640, 480))
    path = write_color_model(tmp_path)
    frame = make_estimator(path, rectify=rectify).estimate(image, 'rgb8', camera)
    plain = make_estimator(path).estimate(image, 'rgb8')
    assert np.array_equal(frame.depth, plain.depth, equal_nan=True) != moves


# --- validity --------------------------------------------------------------------------------


@pytest.mark.parametrize('quantity', ['depth', 'log_depth', 'inverse_depth'])
def test_every_quantity_becomes_metres(quantity, tmp_path):
    answer = {'depth': 2.5, 'log_depth': math.log(2.5), 'inverse_depth': 0.4}[quantity]
    estimator = make_estimator(constant(tmp_path, answer, quantity=quantity, focal=250.0))
    camera = Camera.pinhole(640, 480, 500.0, 500.0, 320.0, 240.0)
    assert median_depth(estimator, camera) == pytest.approx(2.5 * 500 * 304 / 640 / 250, rel=1e-5)


INVALID = {
    'depth': [math.nan, math.inf, -math.inf, -2.0, 0.0, 1e-30, 0.29, 10.1, 3e38],
    'log_depth': [math.nan, math.inf, -math.inf, 1e30, -1e30, math.log(0.29), math.log(10.1)],
    'inverse_depth': [math.nan, math.inf, -math.inf, 0.0, -0.0, -0.5, 1 / 0.29, 1 / 10.1, 1e-45],
}


@pytest.mark.parametrize('quantity', INVALID)
def test_invalid_depth_is_nan_and_never_0(quantity, tmp_path):
    good = {'depth': 2.0, 'log_depth': math.log(2.0), 'inverse_depth': 0.5}[quantity]
    values = INVALID[quantity]

    def depth(x, y):
        index = np.rint((x - 5) / 4).astype(int)
        return np.select([index == 3 * i + 2 for i in range(len(values))], values, good)

    path = write_depth_model(tmp_path, depth, quantity=quantity, depth_range=(0.3, 10.0))
    frame = make_estimator(path).estimate(np.zeros((480, 640, 3), np.uint8), 'bgr8')
    bad = np.zeros(74, bool)
    bad[2 : 3 * len(values) : 3] = True
    np.testing.assert_array_equal(np.isnan(frame.depth), np.tile(bad, (55, 1)))
    assert np.allclose(frame.depth[:, ~bad], 2)
    full = frame.full_depth()
    known = full[~np.isnan(full)]
    assert known.size > 200_000
    np.testing.assert_allclose(known, 2, rtol=1e-6)


def test_limits_of_the_user_replace_those_of_the_model(tmp_path):
    path = write_depth_model(tmp_path, lambda x, y: x / 30, depth_range=(0.3, 10.0))
    image = np.zeros((480, 640), np.uint8)
    x = np.tile((5 + 4 * np.arange(74)) / 30, (55, 1))
    for settings, low, high in (
        ({}, 0.3, 10.0),
        ({'min_depth': 2.0}, 2.0, 10.0),
        ({'max_depth': 5.0}, 0.3, 5.0),
        ({'min_depth': 0.1, 'max_depth': 5.0}, 0.1, 5.0),
    ):
        frame = make_estimator(path, edge_threshold=0.0, **settings).estimate(image, 'mono8')
        valid = (x >= low) & (x <= high)
        assert 0 < valid.sum() < valid.size or low == 0.1
        np.testing.assert_array_equal(np.isfinite(frame.depth), valid)
        np.testing.assert_array_equal(frame.beyond, x > high)
        full = frame.full_depth()
        assert np.isnan(full[frame.full_beyond()]).all()
        assert frame.full_beyond().sum() == pytest.approx((x > high).sum() * 8.42**2, rel=0.02)
        assert np.nanmin(full) >= low * (1 - 1e-6)
        assert np.nanmax(full) <= high * (1 + 1e-6)


def test_flying_pixels_are_removed_and_an_obstacle_keeps_its_size(tmp_path):
    """A box at 1 m before a wall at 3 m, a cell of slope between them."""

    def depth(x, y):
        away = np.abs(x - 149) / 4 - 10  # cells from the box's side
        return np.interp(away, [0, 2], [1.0, 3.0])

    path = write_depth_model(tmp_path, depth)
    image = np.zeros((480, 640), np.uint8)
    row = make_estimator(path).estimate(image, 'mono8').depth[20]
    away = np.abs(np.arange(74) - 36) - 10
    np.testing.assert_array_equal(row == 1, away <= 0)
    assert np.isnan(row[(away == 1) | (away == 2)]).all()
    assert (row[away > 2] == 3).all()
    full = make_estimator(path).estimate(image, 'mono8').full_depth()
    assert set(np.unique(full[np.isfinite(full)]).round(5)) == {1.0, 3.0}
    kept = make_estimator(path, edge_threshold=0.0).estimate(image, 'mono8')
    assert np.isfinite(kept.depth).all()


# --- changes and refusals --------------------------------------------------------------------


def test_size_calibration_and_settings_may_change_between_frames(tmp_path):
    path = constant(tmp_path, 2.0, focal=250.0)
    estimator = make_estimator(path)
    for size, camera, settings in (
        ((640, 480), camera_of((640, 480)), Settings()),
        ((320, 240), camera_of((640, 480)), Settings()),
        ((1280, 720), None, Settings(fit='pad')),
        ((640, 480), camera_of((640, 480), 'equidistant'), Settings(rectify='on', scale=0.5)),
        ((640, 480), camera_of((640, 480)), Settings()),
    ):
        image = np.zeros(size[::-1], np.uint8)
        frame = estimator.estimate(image, 'mono8', camera, settings)
        expected = make_estimator(path).estimate(image, 'mono8', camera, settings)
        assert frame.full_depth().shape == size[::-1]
        np.testing.assert_array_equal(frame.full_depth(), expected.full_depth())
        assert frame.intrinsics == expected.intrinsics


def test_a_frame_is_not_changed_by_the_next_one(tmp_path):
    estimator = make_estimator(write_color_model(tmp_path))
    dark, bright = (np.full((480, 640, 3), value, np.uint8) for value in (10, 200))
    frame = estimator.estimate(dark, 'rgb8')
    before = frame.depth.copy()
    estimator.estimate(bright, 'rgb8')
    np.testing.assert_array_equal(frame.depth, before)
    assert (frame.colors() == 10).all()


def test_a_calibration_of_another_aspect_is_refused_and_the_next_frame_works(tmp_path):
    estimator = make_estimator(constant(tmp_path, 2.0, focal=250.0))
    camera = camera_of((640, 480))
    before = median_depth(estimator, camera)
    with pytest.raises(CalibrationError, match='1280x720'):
        estimator.estimate(np.zeros((720, 1280), np.uint8), 'mono8', camera)
    with pytest.raises(CalibrationError, match='not calibrated'):
        estimator.estimate(
            np.zeros((480, 640), np.uint8), 'mono8', replace(camera, k=(0.0,) * 9, p=())
        )
    assert median_depth(estimator, camera) == before
    assert median_depth(estimator, None) == 2


@pytest.mark.parametrize(
    ('shape', 'encoding'),
    [((480, 640), 'rgb8'), ((480, 640, 3), 'mono8'), ((640,), 'mono8'), ((0, 640, 3), 'rgb8'),
     ((480, 0), 'mono8'), ((), 'mono8'), ((480, 640, 3), 'yuyv')],
)  # fmt: skip
def test_an_image_of_another_shape_is_refused_and_the_next_one_works(shape, encoding, tmp_path):
    estimator = make_estimator(constant(tmp_path, 2.0))
    with pytest.raises(ImageError):
        estimator.estimate(np.zeros(shape, np.uint8), encoding)
    assert median_depth(estimator, None) == 2


def test_an_unknown_rectify_is_refused(tmp_path):
    estimator = make_estimator(constant(tmp_path, 2.0), rectify='maybe')
    with pytest.raises(CalibrationError, match='auto, on, off'):
        estimator.estimate(np.zeros((480, 640), np.uint8), 'mono8')


def test_frames_state_how_long_they_took(tmp_path):
    estimator = make_estimator(constant(tmp_path, 2.0))
    frame = estimator.estimate(np.zeros((480, 640), np.uint8), 'mono8')
    assert 0 < frame.infer_time < 60
    assert frame.camera_shape == (480, 640)
    assert frame.intrinsics is None
    assert frame.camera_intrinsics is None


def with_keys(path, **keys):
    path.write_text(path.read_text() + yaml.safe_dump(keys))
    return path


@pytest.mark.parametrize(
    ('focal_from', 'focal'),
    [('geometric_mean', math.sqrt(200 * 300)), ('mean', 250.0), ('fx', 200.0)],
)
def test_the_model_says_which_focal_length_counts(focal_from, focal, tmp_path):
    path = write_depth_model(tmp_path, lambda x, y: 2 + 0 * x, focal=100.0)
    estimator = make_estimator(with_keys(path, focal_from=focal_from), fit='stretch')
    camera = Camera.pinhole(304, 228, 200.0, 300.0, 151.5, 113.5)
    depth = estimator.estimate(np.zeros((228, 304), np.uint8), 'mono8', camera).depth
    assert np.nanmedian(depth) == pytest.approx(2 * focal / 100)


@pytest.mark.parametrize('own', [None, *FITS])
def test_the_model_says_how_images_are_fitted_in_unless_the_user_does(own, tmp_path):
    path = write_depth_model(tmp_path, lambda x, y: 2 + 0 * x)
    if own is not None:
        with_keys(path, fit=own)
    image = np.zeros((480, 1280), np.uint8)
    shapes = {}
    for fit in ('auto', *FITS):
        frame = make_estimator(path, fit=fit).estimate(image, 'mono8')
        shapes[fit] = np.isfinite(frame.full_depth()).sum()
    assert len({shapes[fit] for fit in FITS}) > 1
    assert shapes['auto'] == shapes[own or 'crop']


def test_a_model_that_fp16_is_too_coarse_for_runs_in_fp32(tmp_path):
    path = with_keys(write_depth_model(tmp_path, lambda x, y: 2 + 0 * x), precision='fp32')
    backend = create_backend(load_model(path), 'auto', 1)
    assert backend.precision == 'fp32'
    backend.close()
