# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Depth in colours: warm is near, black is unknown."""

import warnings

import numpy as np

from msdepth_ros.images.pictures import FARTHEST, NEAREST, colorize


def test_only_nan_is_black():
    depth = np.float32([[np.nan, 0.05, 0.3, 1], [3, 10, 50, np.nan]])
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        picture = colorize(depth)
    assert picture.dtype == np.uint8
    assert picture.shape == (2, 4, 3)
    np.testing.assert_array_equal(~picture.any(axis=-1), np.isnan(depth))


def test_near_is_warm_and_far_is_cold():
    blue, _, red = colorize(np.full((1, 1), 0.5, np.float32))[0, 0].astype(int)
    assert red > blue + 50
    blue, _, red = colorize(np.full((1, 1), 6.0, np.float32))[0, 0].astype(int)
    assert blue > red + 50


def test_a_colour_means_the_same_distance_in_every_picture():
    alone = colorize(np.full((2, 2), 2.0, np.float32))
    beside = colorize(np.float32([[2.0, 9.0], [0.4, 2.0]]))
    np.testing.assert_array_equal(alone[0, 0], beside[1, 1])


def test_beyond_the_ends_of_the_range_the_colour_stays():
    for end, beyond in ((NEAREST, 0.01), (FARTHEST, 1000.0)):
        picture = colorize(np.float32([[end, beyond]]))
        np.testing.assert_array_equal(picture[0, 0], picture[0, 1])


def test_equal_ratios_of_depth_are_equal_steps_of_colour():
    """Logarithmic: from 1 to 2 m the level changes as much as from 2 to 4 m."""
    depth = np.geomspace(NEAREST, FARTHEST, 256).astype(np.float32)[None]
    picture = colorize(depth)
    assert len(np.unique(picture[0], axis=0)) > 200  # 158 if they were linear


def test_strided_depth():
    depth = np.linspace(0.5, 8, 60, dtype=np.float32).reshape(6, 10)
    np.testing.assert_array_equal(colorize(depth[::2, ::3]), colorize(depth)[::2, ::3])
