# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Lens models under other tools' names, and coefficients by what they say."""

import cv2
import numpy as np
import pytest

from msdepth_ros.errors import CalibrationError
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.geometry.lens import check_lens, ros_lens
from msdepth_ros.geometry.undistortion import raw_pixels

FOUR, FIVE = (-0.3, 0.1, 0.001, -0.002), (-0.3, 0.1, 0.001, -0.002, 0.02)
EIGHT = (*FIVE, 0.01, -0.02, 0.03)
K = (520.0, 0.0, 325.5, 0.0, 525.0, 253.7, 0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    'name',
    ['plumb_bob', 'PLUMB_BOB', 'plumb-bob', 'radtan', 'radial_tangential', 'radial-tangential',
     'pinhole', 'none', '', ' ', 'Brown Conrady', 'Modified Brown Conrady', 'OPENCV',
     'pinhole-radtan'],
)  # fmt: skip
def test_names_of_plumb_bob(name):
    assert ros_lens(name, FIVE) == ('plumb_bob', FIVE)


@pytest.mark.parametrize(
    'name',
    ['equidistant', 'fisheye', 'equi', 'kannala_brandt4', 'Kannala Brandt4', 'KANNALA_BRANDT',
     'KannalaBrandt8', 'kb4', 'OPENCV_FISHEYE', 'pinhole-equi'],
)  # fmt: skip
def test_names_of_equidistant(name):
    assert ros_lens(name, FOUR) == ('equidistant', FOUR)


@pytest.mark.parametrize('name', ['rational_polynomial', 'rational', 'radtan8', 'FULL_OPENCV'])
def test_names_of_rational_polynomial(name):
    assert ros_lens(name, EIGHT) == ('rational_polynomial', EIGHT)


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        (('plumb_bob', (*FIVE, 0.0, 0.0, 0.0)), ('plumb_bob', FIVE)),  # Orbbec
        (('plumb_bob', (*FIVE, *(0.0,) * 7)), ('plumb_bob', FIVE)),
        (('plumb_bob', (*FOUR, *(0.0,) * 11)), ('plumb_bob', FOUR)),
        (('equidistant', (*FOUR, 0.0)), ('equidistant', FOUR)),  # RealSense
        (('kannala_brandt4', (*FOUR, 0.0, 0.0, 0.0, 0.0)), ('equidistant', FOUR)),
        (('equidistant', (0.1,)), ('equidistant', (0.1, 0.0, 0.0, 0.0))),
        (('plumb_bob', EIGHT), ('rational_polynomial', EIGHT)),
        (('radtan', (*EIGHT, *(0.01,) * 4)), ('rational_polynomial', (*EIGHT, *(0.01,) * 4))),
        (('', (*EIGHT, *(0.01,) * 6)), ('rational_polynomial', (*EIGHT, *(0.01,) * 6))),
        (('plumb_bob', (*FIVE, 0.01)), ('rational_polynomial', (*FIVE, 0.01, 0.0, 0.0))),
        (('plumb_bob', (*EIGHT, 0.01)), ('rational_polynomial', (*EIGHT, 0.01, 0.0, 0.0, 0.0))),
        (('rational_polynomial', FIVE), ('rational_polynomial', (*FIVE, 0.0, 0.0, 0.0))),
        (('rational_polynomial', (*EIGHT, 0.0)), ('rational_polynomial', EIGHT)),
        (('plumb_bob', (-0.3, 0.1)), ('plumb_bob', (-0.3, 0.1, 0.0, 0.0))),
        (('plumb_bob', (-0.3, 0.1, 0.0)), ('plumb_bob', (-0.3, 0.1, 0.0, 0.0))),
        (('anything', FIVE), ('anything', FIVE)),
    ],
)
def test_coefficients_decide_the_lens_model(given, expected):
    assert ros_lens(*given) == expected
    assert ros_lens(*expected) == expected


@pytest.mark.parametrize(
    ('model', 'd', 'words'),
    [
        ('plumb_bob', (0.1,) * 15, 'plumb_bob has 4 or 5'),
        ('plumb_bob', (0.1, 0.2, 0.3), 'plumb_bob has 4 or 5'),  # k3, or p1?
        ('fisheye', (0.1,) * 5, 'equidistant has 4'),
        ('rational_polynomial', (0.1,) * 15, '8 or 12 or 14'),
        ('inverse_brown_conrady', FIVE, "'inverse_brown_conrady' is not known"),
        ('omni', FOUR, "'omni' is not known"),
    ],
)
def test_coefficients_that_no_lens_model_has_are_refused(model, d, words):
    with pytest.raises(CalibrationError, match=words):
        check_lens(*ros_lens(model, d))


@pytest.mark.parametrize('d', [EIGHT, (*EIGHT, 0.01, 0.02, 0.03, 0.04), (*EIGHT, *(0.01,) * 6)])
def test_a_plumb_bob_of_many_is_undistorted_as_opencv_would(d):
    camera = Camera(640, 480, K, d, 'plumb_bob')
    camera.check()
    u, v = raw_pixels(camera, camera.rectified_intrinsics())
    matrix = np.reshape(K, (3, 3))
    x, y = (100 - K[2]) / K[0], (200 - K[5]) / K[4]
    expected = cv2.projectPoints(np.array([[x, y, 1.0]]), (0, 0, 0), (0, 0, 0), matrix, np.array(d))
    np.testing.assert_allclose((u[200, 100], v[200, 100]), expected[0].ravel(), atol=0.01)
