# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every combination of lens, readout, fit, image size, resolution and stride, against the truth.

A known wall is answered by an oracle at the network's cells: its points must come out on the wall.
Meanwhile the image is a sine wave along columns or rows, red, green and blue a third of a period
apart, so that its colours tell which raw pixel the network saw where.
"""

import functools
import itertools
import math
import zlib

import numpy as np
import pytest
from oracle import write_depth_model
from truth import (
    CELLS_X,
    CELLS_Y,
    LENSES,
    READOUTS,
    Fit,
    camera_of,
    matrix_of,
    off_wall,
    raw_pixels,
    rays,
    undistorted,
    wall_bound,
    wall_depth,
)

from msdepth_ros.geometry.cloud import point_cloud
from msdepth_ros.inference.backends import create_backend
from msdepth_ros.inference.estimator import DepthEstimator, Settings
from msdepth_ros.inference.fit import FITS
from msdepth_ros.inference.model import load_model

SIZES = [(320, 240), (640, 480), (641, 479), (480, 640), (1280, 720), (1920, 1080), (3840, 2160)]
STRIDES = (1, 2, 3, 5)
TOLERANCE = 1e-4  # metres: a tenth of the millimetre at 3 m that is promised


@functools.lru_cache(maxsize=2)
def wave(size, axis):
    """Return an rgb8 image whose colours are a wave along axis 0 (columns) or 1, and its period."""
    period = 8 * max(1.0, *(max(Fit(fit, size).step) for fit in FITS))
    phase = np.arange(size[axis]) * (2 * np.pi / period)
    shifts = np.array([0, 2, -2]) * np.pi / 3
    line = np.rint(128 + 120 * np.cos(phase[:, None] - shifts)).astype(np.uint8)
    line = line if axis == 0 else line[:, None]
    return np.ascontiguousarray(np.broadcast_to(line, (size[1], size[0], 3))), period


def position(colors, period):
    """Return the place of colours [..., 3] on the wave, in pixels, modulo the period."""
    red, green, blue = np.moveaxis(colors.astype(np.float64), -1, 0)
    return np.arctan2(math.sqrt(3) * (green - blue), 2 * red - green - blue) * period / (2 * np.pi)


CASES = list(itertools.product(SIZES, LENSES, READOUTS, FITS))


def pairwise(cases):
    """Return the cases that, taken in order, are the first with some pair of values."""
    seen, kept = set(), []
    for case in sorted(cases, key=lambda case: hash_of(case)):
        pairs = set(itertools.combinations(enumerate(map(str, case)), 2))
        if len(pairs - seen) > 1:
            kept.append(case)
            seen |= pairs
    return kept


def hash_of(case):
    """Return a number that is the same in every run, to take the cases in a mixed order."""
    return zlib.crc32(repr(case).encode())


PAIRS = pairwise(CASES)


def test_nearly_all_pairs_of_options_are_among_the_fast_cases():
    """All but few pairs of sizes, lenses, readouts and fits are among the cases tried always."""

    def pairs(cases):
        return {p for c in cases for p in itertools.combinations(enumerate(map(str, c)), 2)}

    assert len(pairs(PAIRS)) > 0.9 * len(pairs(CASES))
    assert len(PAIRS) < 60


@pytest.mark.parametrize(
    ('size', 'lens', 'readout', 'fit'),
    [pytest.param(*case, marks=[] if case in PAIRS else pytest.mark.slow) for case in CASES],
)
def test_a_known_wall_and_the_pixels_that_were_seen(size, lens, readout, fit, tmp_path):
    camera = camera_of(size, lens, readout)
    matrix = matrix_of(camera, rectified=lens != 'none')
    placed = Fit(fit, size)
    path = write_depth_model(tmp_path, lambda x, y: wall_depth(matrix, *placed.camera_pixels(x, y)))
    model = load_model(path)
    estimator = DepthEstimator(model, create_backend(model, 'onnxruntime', 1), Settings(fit=fit))
    columns, period = wave(size, 0)
    frame = estimator.estimate(columns, 'rgb8', camera)
    saw_column = position(estimator.backend.inputs['image'], period)
    assert_camera_resolution(frame, matrix, placed)
    assert_network_resolution_and_strides(frame, matrix, placed)
    estimator.estimate(wave(size, 1)[0], 'rgb8', camera)
    saw_row = position(estimator.backend.inputs['image'], period)
    assert_rays(camera, matrix, placed, size, (saw_column, saw_row), period)


def assert_camera_resolution(frame, matrix, placed):
    """Some pixels of depth/image_rect and its intrinsics, by depth_image_proc's formula."""
    i = frame.camera_intrinsics
    assert (i.fx, i.fy, i.cx, i.cy) == pytest.approx(matrix, rel=1e-12)
    full = frame.full_depth()
    assert full.shape == (i.height, i.width) == frame.camera_shape
    rng = np.random.default_rng(0)
    u, v = rng.integers(0, i.width, 20_000), rng.integers(0, i.height, 20_000)
    u, v = (axis[np.isfinite(full[v, u])] for axis in (u, v))
    z = full[v, u]
    points = np.stack([(u - i.cx) * z / i.fx, (v - i.cy) * z / i.fy, z], axis=-1)
    assert len(points) > 4000
    bound, alone = wall_bound(np.isfinite(frame.depth), matrix, placed, u, v, z)
    assert (off_wall(points) < TOLERANCE + bound).all()
    assert alone.mean() < 0.01


def assert_network_resolution_and_strides(frame, matrix, placed):
    """The grid as a depth image of its own, and clouds of every stride."""
    u, v = placed.camera_pixels(*np.meshgrid(CELLS_X, CELLS_Y))
    expected = rays(matrix, u, v) * frame.depth[..., None]
    valid = np.isfinite(frame.depth)
    assert valid.sum() > 700
    assert off_wall(expected[valid]).max() < TOLERANCE
    i = frame.intrinsics
    columns, rows = np.meshgrid(np.arange(i.width), np.arange(i.height))
    by_camera_info = rays((i.fx, i.fy, i.cx, i.cy), columns, rows) * frame.depth[..., None]
    np.testing.assert_allclose(by_camera_info, expected, atol=1e-5)
    for stride in STRIDES:
        every = (slice(None, None, stride),) * 2
        intrinsics = frame.camera_intrinsics.sampled(frame.cells.strided(stride))
        cloud = point_cloud(frame.depth[every], intrinsics)
        assert cloud.shape[:2] == (intrinsics.height, intrinsics.width)
        np.testing.assert_allclose(cloud, expected[every], atol=1e-5)


def assert_rays(camera, matrix, placed, size, saw, period):
    """The raw pixels that were seen, undistorted by OpenCV, lie on the rays of network pixels."""
    left, top, width, height = placed.target
    x, y = np.meshgrid(np.arange(left, left + width, 4), np.arange(top, top + height, 4))
    u, v = placed.camera_pixels(x.ravel(), y.ravel())
    near = raw_pixels(camera, rays(matrix, u, v))  # to a period
    step = max(1.0, *placed.step)
    inside = np.all((near > 2 * step) & (near < np.array(size) - 1 - 2 * step), axis=-1)
    assert inside.sum() > 600
    seen = near.copy()
    for axis in (0, 1):
        error = saw[axis][y, x].ravel() - near[:, axis] + period / 2
        seen[:, axis] += error % period - period / 2
    slopes = undistorted(camera, seen[inside])[:, :2]
    found = slopes * matrix[:2] + matrix[2:]
    error = (found - np.stack([u, v], axis=-1)[inside]) / step
    # In pixels of the network, or of the camera where those are larger; the map's fixed point
    # knows 1/32 of a pixel of the (halved) image that it reads.
    assert np.abs(error).max() < 0.05
    assert np.abs(error.mean(axis=0)).max() < 0.01


def test_the_wall_shows_errors_of_a_pixel():
    """With rays one pixel of 640x480 off, the points are ten tolerances or more off the wall."""
    camera = camera_of((640, 480), 'none')
    matrix = matrix_of(camera, rectified=False)
    u, v = np.meshgrid(np.arange(640), np.arange(480))
    depth = wall_depth(matrix, u, v)[..., None]
    assert off_wall(rays(matrix, u, v) * depth).max() < 1e-12
    for moved in (rays(matrix, u + 1, v), rays(matrix, u, v + 1)):
        assert off_wall(moved * depth).min() > 10 * TOLERANCE
