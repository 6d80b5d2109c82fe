# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The rectified colour image shows each pixel what the lens put on its ray."""

import cv2
import numpy as np
import pytest
from oracle import write_depth_model

from msdepth_ros.geometry.camera import Camera
from msdepth_ros.inference.backends import create_backend
from msdepth_ros.inference.estimator import DepthEstimator, Settings
from msdepth_ros.inference.model import load_model

K = (300.0, 0.0, 161.0, 0.0, 302.0, 118.0, 0.0, 0.0, 1.0)
P = (250.0, 0.0, 158.5, 0.0, 0.0, 251.0, 121.5, 0.0, 0.0, 0.0, 1.0, 0.0)
LENSES = {
    'plumb_bob': (-0.28, 0.09, 0.001, -0.0005, 0.0),
    'rational_polynomial': (0.3, 0.1, 0.001, 0.0005, 0.01, 0.6, 0.15, 0.02),
    'equidistant': (0.02, -0.01, 0.004, -0.001),
}


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    path = write_depth_model(tmp_path_factory.mktemp('oracle'), lambda x, y: 2.0 + 0 * x)
    return load_model(path)


def estimate(model, image, camera, rectify='auto'):
    estimator = DepthEstimator(model, create_backend(model, 'onnxruntime'), Settings(rectify))
    return estimator.estimate(image, 'rgb8', camera)


@pytest.mark.parametrize('lens', LENSES)
def test_each_rectified_pixel_comes_from_where_the_lens_projects_its_ray(model, lens):
    """Red and green of the raw image are its own column and row, so colours tell positions."""
    camera = Camera(320, 240, K, LENSES[lens], lens, p=P)
    column, row = np.meshgrid(np.arange(320) * 0.75, np.arange(240))
    raw = np.stack([column, row, 0 * row], axis=-1).round().astype(np.uint8)
    rectified, encoding = estimate(model, raw, camera).rectified_image()
    assert encoding == 'rgb8'
    assert rectified.shape == raw.shape
    u, v = (
        grid.ravel().astype(float) for grid in np.meshgrid(range(20, 300, 8), range(20, 220, 8))
    )
    rays = np.stack([(u - P[2]) / P[0], (v - P[6]) / P[5], np.ones_like(u)], axis=-1)
    k, d, zero = np.reshape(K, (3, 3)), np.array(LENSES[lens]), np.zeros(3)
    if lens == 'equidistant':
        seen, _ = cv2.fisheye.projectPoints(rays[:, None], zero, zero, k, d)
    else:
        seen, _ = cv2.projectPoints(rays[:, None], zero, zero, k, d)
    x, y = seen.reshape(-1, 2).T
    inside = (x > 1) & (x < 318) & (y > 1) & (y < 238)
    assert inside.sum() > 300
    colors = rectified[v.astype(int), u.astype(int)][inside].astype(float)
    np.testing.assert_allclose(colors[:, 0] / 0.75, x[inside], atol=1.5)
    np.testing.assert_allclose(colors[:, 1], y[inside], atol=1.1)


@pytest.mark.parametrize(
    ('d', 'rectify'), [((0.0,) * 5, 'auto'), (LENSES['plumb_bob'], 'off')], ids=['no lens', 'off']
)
def test_an_image_that_needs_no_rectification_is_passed_on_uncopied(model, d, rectify):
    image = np.zeros((240, 320, 3), np.uint8)
    camera = Camera(320, 240, K, d, 'plumb_bob', p=P)
    rectified, _ = estimate(model, image, camera, rectify).rectified_image()
    assert np.shares_memory(rectified, image)
