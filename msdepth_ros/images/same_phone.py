# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The calibration of pictures by a calibration file, or by a photo that the same camera took."""

from pathlib import Path

from msdepth_ros.calibration import camera_from_url
from msdepth_ros.errors import CalibrationError
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.images.files import read_photo
from msdepth_ros.images.sources import ImageSource

_PHOTOS = ('.jpg', '.jpeg', '.heic', '.heif')  # as cameras write them, with EXIF data


def is_photo(url: str) -> bool:
    """Return whether the name of a calibration is that of a photo."""
    return Path(url).suffix.lower() in _PHOTOS


def camera_given(url: str, pictures: str | Path) -> Camera:
    """Return the calibration of pictures that somebody gave.

    A phone's video says nothing of its lens, but a photo by the same phone does, in its EXIF data.
    The focal length over the longer side is taken as the same. Many phones crop a video that they
    stabilise, by some 10 %: depth is then too small by as much.

    Parameters
    ----------
    url : of a calibration file, or the path of a photo.
    pictures : what ImageSource reads.

    Raises
    ------
    CalibrationError
        If the file is no calibration, or the photo says no focal length.
    ImageError
        If the photo cannot be read.
    """
    if not is_photo(url):
        return camera_from_url(url)
    photo = read_photo(Path(url))
    if photo.focal is None:
        kind = 'HEIC' if Path(url).suffix.lower().startswith('.hei') else 'JPEG'
        raise CalibrationError(
            f'{url} is a {kind} image without a focal length in its EXIF data: give a photo just '
            'as the phone wrote it (messengers take that out), or a calibration file'
        )
    height, width = next(iter(ImageSource(pictures))).image.shape[:2]
    focal = photo.focal * max(width, height) / max(photo.image.shape[:2])
    return Camera.pinhole(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)
