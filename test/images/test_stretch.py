# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""16-bit pictures that use a part of the range, over time."""

import numpy as np
import pytest

from msdepth_ros.images.stretch import Stretch

V, U = np.indices((240, 320))
RAMP = (U / 319 + V / 239) / 2  # 0 to 1


def thermal(low, high, noise=0, seed=0):
    values = low + (high - low) * RAMP
    return (values + np.random.default_rng(seed).normal(0, noise, values.shape)).astype(np.uint16)


def test_the_whole_range_is_taken_by_its_upper_bytes():
    stretch = Stretch()
    values = thermal(0, 65535)
    np.testing.assert_array_equal(stretch.eight_bit(values), values >> 8)
    assert stretch.take_note() == ''


@pytest.mark.parametrize('bits', [10, 11, 12, 13, 14])
def test_images_of_few_bits_become_bright_and_black_stays_black(bits):
    stretch = Stretch()
    picture = stretch.eight_bit(thermal(0, (1 << bits) - 1))
    assert picture.dtype == np.uint8
    assert picture[0, 0] == 0
    assert picture[-1, -1] == 255
    assert abs(int(picture[120, 160]) - 128) < 15
    assert 'of 65535' in stretch.take_note()


@pytest.mark.parametrize(('low', 'high'), [(7500, 8200), (29000, 31500), (300, 420)])
def test_a_thermal_image_is_stretched(low, high):
    picture = Stretch().eight_bit(thermal(low, high))
    assert picture.min() == 0
    assert picture.max() == 255
    assert picture.std() > 40


def test_the_stretching_is_logged_once():
    stretch = Stretch()
    notes = []
    for _ in range(5):
        stretch.eight_bit(thermal(7500, 8200))
        notes.append(stretch.take_note())
    assert notes[0]
    assert notes[1:] == [''] * 4


def test_noise_of_a_uniform_image_is_not_amplified():
    picture = Stretch().eight_bit(thermal(8000, 8000, noise=2))
    assert picture.std() < 15


def test_noise_hot_spots_and_drift_do_not_make_images_flicker():
    """Neither noise, a hot spot that comes and goes, nor the sensor's drift."""
    stretch = Stretch()
    pictures = []
    for number in range(60):
        values = thermal(7500 + number, 8200 + number, noise=5, seed=number)
        if number % 2:
            values[:20, :20] = 15000
        pictures.append(stretch.eight_bit(values)[100:].mean())
    steps = np.abs(np.diff(pictures))
    assert steps.max() < 1.5


def test_the_limits_follow_a_new_scene():
    stretch = Stretch()
    stretch.eight_bit(thermal(7500, 8200))
    for _ in range(150):
        picture = stretch.eight_bit(thermal(7800, 8900))
    assert picture.min() < 12
    assert picture.max() > 243
    moved = stretch.eight_bit(thermal(12000, 12800))  # another gain: at once
    assert moved.std() > 40


@pytest.mark.parametrize('shape', [(1, 1), (1, 5000), (3, 2), (480, 640, 3), (7,)])
def test_any_shape(shape):
    values = np.random.default_rng(0).integers(500, 3000, shape).astype(np.uint16)
    picture = Stretch().eight_bit(values)
    assert picture.shape == shape
    assert picture.dtype == np.uint8


@pytest.mark.parametrize('value', [0, 1, 4095, 65535])
def test_a_uniform_image_stays_uniform(value):
    assert Stretch().eight_bit(np.full((8, 8), value, np.uint16)).std() == 0
