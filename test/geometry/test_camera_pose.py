# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Camera poses, against rotation matrices worked out here."""

import math

import numpy as np
import pytest

from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.camera_pose import CameraPose


def _rotate(quaternion, vector):
    x, y, z, w = quaternion
    axis = np.array([x, y, z])
    return vector + 2 * np.cross(axis, np.cross(axis, vector) + w * np.asarray(vector))


def _matrix(roll, pitch, yaw):
    c, s = np.cos([roll, pitch, yaw]), np.sin([roll, pitch, yaw])
    about_x = np.array([[1, 0, 0], [0, c[0], -s[0]], [0, s[0], c[0]]])
    about_y = np.array([[c[1], 0, s[1]], [0, 1, 0], [-s[1], 0, c[1]]])
    about_z = np.array([[c[2], -s[2], 0], [s[2], c[2], 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def test_optical_axes_of_a_camera_that_looks_forward():
    rotation = CameraPose.parse('0 0 0 0 0 0').optical_rotation()
    np.testing.assert_allclose(_rotate(rotation, [0, 0, 1]), [1, 0, 0], atol=1e-12)  # forward
    np.testing.assert_allclose(_rotate(rotation, [1, 0, 0]), [0, -1, 0], atol=1e-12)  # right
    np.testing.assert_allclose(_rotate(rotation, [0, 1, 0]), [0, 0, -1], atol=1e-12)  # down


def test_positive_pitch_looks_down():
    rotation = CameraPose.parse('0, 0, 1, 0, 0.5, 0').optical_rotation()
    expected = [math.cos(0.5), 0, -math.sin(0.5)]
    np.testing.assert_allclose(_rotate(rotation, [0, 0, 1]), expected, atol=1e-12)


@pytest.mark.parametrize('angles', [(0.3, -0.7, 2.1), (-3.0, 1.2, -0.4), (0.1, 0.2, 0.3)])
def test_rotation_is_yaw_after_pitch_after_roll(angles):
    pose = CameraPose(1, 2, 3, *angles)
    expected = _matrix(*angles)
    for axis in np.eye(3):
        np.testing.assert_allclose(_rotate(pose.body_rotation(), axis), expected @ axis, atol=1e-12)
    assert math.isclose(math.hypot(*pose.optical_rotation()), 1)


@pytest.mark.parametrize('text', ['', '0 0 1', '0 0 1 0 0 x', '0 0 1 0 0 nan', '0 0 0 0 0 0 0'])
def test_anything_but_six_numbers_is_refused(text):
    with pytest.raises(MsdepthError, match='six numbers'):
        CameraPose.parse(text)
