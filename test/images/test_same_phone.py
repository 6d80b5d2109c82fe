# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The focal length of a video is taken from a photo by the same phone."""

import cv2
import numpy as np
import pytest
from PIL import Image

from msdepth_ros.errors import CalibrationError
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.images.same_phone import camera_given, is_photo

FOCAL_35MM = 26  # mm
DIAGONAL_35MM = np.hypot(36, 24)


@pytest.fixture
def video(tmp_path):
    """Return a video of 640x360."""
    path = tmp_path / 'walk.mp4'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 30, (640, 360))
    for _ in range(3):
        writer.write(np.full((360, 640, 3), 90, np.uint8))
    writer.release()
    return path


def photo_of(path, size, focal=FOCAL_35MM, orientation=1):
    exif = Image.Exif()
    exif[0x0112] = orientation
    if focal:
        exif.get_ifd(0x8769)[0xA405] = focal
    Image.new('RGB', size, (90, 90, 90)).save(path, exif=exif)
    return str(path)


@pytest.mark.parametrize(
    ('size', 'orientation'), [((800, 600), 1), ((800, 600), 6), ((600, 800), 1)]
)
def test_the_focal_length_over_the_longer_side_is_the_photos(video, tmp_path, size, orientation):
    camera = camera_given(photo_of(tmp_path / 'photo.jpg', size, orientation=orientation), video)
    assert (camera.width, camera.height) == (640, 360)
    expected = FOCAL_35MM / DIAGONAL_35MM * np.hypot(800, 600) * 640 / 800
    assert camera.raw_intrinsics().fx == pytest.approx(expected)
    assert camera.raw_intrinsics().cx == 319.5
    camera.check()


def test_a_photo_without_a_focal_length_is_refused_with_the_remedy(video, tmp_path):
    with pytest.raises(CalibrationError, match='unchanged from the phone'):
        camera_given(photo_of(tmp_path / 'photo.jpg', (800, 600), focal=None), video)


def test_a_calibration_file_is_read_as_such(video, tmp_path):
    camera = Camera.pinhole(640, 360, 500.0, 500.0, 320.0, 180.0)
    (tmp_path / 'camera.yaml').write_text(camera.to_yaml())
    assert camera_given(str(tmp_path / 'camera.yaml'), video) == camera


def test_photos_are_recognised_by_their_suffix():
    assert is_photo('a/photo.JPG')
    assert is_photo('photo.heic')
    assert not is_photo('camera.yaml')
    assert not is_photo('file:///camera.yaml')
