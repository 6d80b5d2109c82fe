# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Calibrations with implausible numbers are used, and reported with the likely cause."""

from dataclasses import replace

import pytest

from msdepth_ros.geometry.camera import Camera
from msdepth_ros.geometry.plausibility import doubts

GOOD = Camera.pinhole(640, 480, 600.0, 601.0, 322.0, 238.0)


def _scaled(factor, **changes):
    k = tuple(value * factor for value in GOOD.k[:8])
    return replace(GOOD, k=(*k, 1.0), p=(), **changes)


@pytest.mark.parametrize(
    'camera',
    [
        GOOD,
        replace(GOOD, p=()),
        replace(GOOD, d=(-0.3, 0.1, 0.0, 0.0, 0.0)),
        Camera.pinhole(640, 480, 600.0, 600.0, 380.0, 200.0),  # a cheap lens
        Camera.pinhole(720, 576, 800.0, 733.3, 360.0, 288.0),  # pixels of analogue video
        Camera.pinhole(1920, 1080, 6000.0, 6000.0, 960.0, 540.0),  # a long lens
        Camera(640, 480, (180.0, 0, 320, 0, 180.0, 240, 0, 0, 1), (0.1,) * 4, 'equidistant'),
        replace(GOOD, binning=(2, 2)),
        replace(GOOD, roi=(300, 200, 100, 100)),
        replace(GOOD, width=0, height=0),
    ],
)
def test_calibrations_of_real_cameras_are_plausible(camera):
    camera.check()
    assert doubts(camera) == ''


@pytest.mark.parametrize(
    ('camera', 'cause'),
    [
        # Gazebo: K of 320x240 for every image
        (Camera.pinhole(640, 480, 277.1, 277.1, 160.5, 120.5), 'another image size, 322x242'),
        (_scaled(6.0), 'another image size, 3865x2857'),
        (_scaled(0.5, binning=(2, 2)), 'the full image, before binning'),
        (_scaled(2.0, binning=(2, 2)), 'the full image, before binning'),
        (Camera.pinhole(640, 480, 600.0, 600.0, 240.0, 320.0), 'rotated by 90 degrees'),
        (Camera.pinhole(640, 480, 600.0, 600.0, 0.0, 0.0), 'from the upper left corner'),
        (Camera.pinhole(640, 480, 600.0, 600.0, 500.0, 240.0), 'cropped but roi is not set'),
        (replace(GOOD, k=(600.0, 0, 0, 0, 600.0, 0, 320.0, 240.0, 1.0)), 'column-major'),
        (Camera.pinhole(640, 480, 600.0, 450.0, 320.0, 240.0), 'the image was stretched'),
        (replace(GOOD, k=(*GOOD.k[:8], 2.0)), 'K[8] is 2, not 1'),
        (replace(GOOD, k=(*GOOD.k[:8], 0.0)), 'K[8] is 0, not 1'),
        (Camera.pinhole(640, 480, 3.6, 3.6, 320.0, 240.0), 'in pixels, not in millimetres'),
        (Camera.pinhole(640, 480, 30000.0, 30000.0, 320.0, 240.0), 'too narrow for a camera'),
        (replace(GOOD, p=(60.0, 0, 320.0, 0, 0, 60.0, 240.0, 0, 0, 0, 1, 0)), "P's fx 60"),
        (replace(GOOD, p=(600.0, 0, 40.0, 0, 0, 600.0, 30.0, 0, 0, 0, 1, 0)), "P's principal"),
    ],
)
def test_implausible_calibrations_are_reported_with_cause_and_numbers(camera, cause):
    camera.check()
    doubt = doubts(camera)
    assert cause in doubt
    assert '\n' not in doubt
    assert f'{camera.width}x{camera.height}, K fx {camera.k[0]:g} fy {camera.k[4]:g}' in doubt
    assert 'used unchanged' in doubt
