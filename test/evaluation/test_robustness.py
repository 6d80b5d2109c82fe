# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Disturbances of images, to see how much a model's errors grow."""

import cv2
import numpy as np
import pytest

from msdepth_ros.evaluation.robustness import CHANGES, add_noise, blur, compress, disturb, expose

RNG = np.random.default_rng(0)


def grey(level):
    return np.full((48, 64, 3), level, np.uint8)


def edge(width=64):
    image = np.zeros((48, width, 3), np.uint8)
    image[:, width // 2 :] = 200
    return image


@pytest.mark.parametrize(('stops', 'level'), [(0, 100), (1, 137), (-1, 73), (2, 188), (6, 255)])
def test_exposure_is_linear_in_light(stops, level):
    assert np.unique(expose(grey(100), stops, RNG)).tolist() == [level]
    assert expose(grey(0), stops, RNG).max() == 0


def test_blur_is_of_an_image_640_across():
    """The step response of a Gaussian is 84 % one sigma past an edge."""
    for width, sigma in ((640, 4), (320, 8)):
        row = blur(edge(width), sigma, RNG)[24, :, 0].astype(float)
        assert row[width // 2 + 4] == pytest.approx(200 * 0.84, abs=6)
        assert row[width // 2 - 5] == pytest.approx(200 * 0.16, abs=6)


def test_jpeg_loses_more_at_lower_quality():
    image = np.random.default_rng(1).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    image = cv2.GaussianBlur(image, (0, 0), 1.5)
    errors = [np.abs(compress(image, q, RNG).astype(int) - image).mean() for q in (95, 50, 20, 5)]
    assert errors == sorted(errors)
    assert 2 * errors[0] < errors[-1]


def test_noise_has_the_given_deviation():
    noisy = add_noise(grey(128), 10, np.random.default_rng(2)).astype(float)
    assert noisy.std() == pytest.approx(10, rel=0.05)
    assert noisy.mean() == pytest.approx(128, abs=0.5)


@pytest.mark.parametrize('name', CHANGES)
def test_each_change_is_repeatable_and_keeps_shape(name):
    image = np.random.default_rng(1).integers(0, 256, (48, 640, 3)).astype(np.uint8)
    before = image.copy()
    changed = disturb(image, name, 3)
    np.testing.assert_array_equal(changed, disturb(image, name, 3))
    np.testing.assert_array_equal(image, before)
    assert changed.shape == image.shape
    assert changed.dtype == np.uint8
    assert np.array_equal(changed, image) == (name == 'as it is')
    if name.startswith('noise'):
        assert not np.array_equal(changed, disturb(image, name, 4))
