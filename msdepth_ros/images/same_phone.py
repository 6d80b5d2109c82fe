# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The calibration of images, from a calibration file or from a photo of the same camera."""

from pathlib import Path

from msdepth_ros.calibration import camera_from_url
from msdepth_ros.errors import CalibrationError
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.images.files import read_photo
from msdepth_ros.images.sources import ImageSource

_PHOTOS = ('.jpg', '.jpeg', '.heic', '.heif')  # as cameras write them, with EXIF data


def is_photo(url: str) -> bool:
    """Return whether a path or URL names a photo, not a calibration file."""
    return Path(url).suffix.lower() in _PHOTOS


def camera_given(url: str, pictures: str | Path) -> Camera:
    """Return the calibration of images from a file that the user gave.

    A phone's video has no data about its lens, but the EXIF data of a photo by the same phone has.
    The focal length divided by the longer side is assumed to be the same. Many phones crop a video
    by some 10 % to stabilise it: depth is then too small by as much.

    Parameters
    ----------
    url : of a calibration file, or the path of a photo.
    pictures : what ImageSource reads.

    Raises
    ------
    CalibrationError
        If the file is not a calibration, or the photo has no focal length.
    ImageError
        If the photo or the pictures cannot be read.
    """
    if not is_photo(url):
        return camera_from_url(url)
    photo = read_photo(Path(url))
    if photo.focal is None:
        kind = 'HEIC' if Path(url).suffix.lower().startswith('.hei') else 'JPEG'
        raise CalibrationError(
            f'{url} is a {kind} image without a focal length in its EXIF data: give a photo '
            'unchanged from the phone (messengers remove EXIF data), or a calibration file'
        )
    height, width = next(iter(ImageSource(pictures))).image.shape[:2]
    focal = photo.focal * max(width, height) / max(photo.image.shape[:2])
    return Camera.pinhole(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)
