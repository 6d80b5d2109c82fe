# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads the image files of datasets; errors say what is wrong with a file."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from msdepth_ros.datasets.base import DatasetError
from msdepth_ros.geometry.pinhole import Intrinsics


def read_color(path: Path) -> np.ndarray:
    """Return an image file as uint8 [H, W, 3] BGR; its EXIF orientation is ignored.

    Raises
    ------
    DatasetError
        If it is missing, damaged or not an image.
    """
    image = _decode(path, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise DatasetError(f'{path} is missing, damaged or not an image that OpenCV can read')
    return image


def read_depth(path: Path) -> np.ndarray:
    """Return a depth file as uint16 [H, W].

    Raises
    ------
    DatasetError
        If it is missing, damaged, or not a 16-bit image of one channel.
    """
    raw = _decode(path, cv2.IMREAD_UNCHANGED)
    if raw is None or raw.dtype != np.uint16 or raw.ndim != 2:
        raise DatasetError(f'{path} is not a 16-bit PNG of one channel: write depth as uint16')
    return raw


def check_size(image: np.ndarray, intrinsics: Intrinsics, where: object) -> None:
    """Check that an image, [H, W, ...], has the size of the intrinsics.

    Raises
    ------
    DatasetError
        If it has not; `where` names the image.
    """
    height, width = image.shape[:2]
    if (width, height) != (intrinsics.width, intrinsics.height):
        raise DatasetError(
            f'{where} is {width}x{height} but the calibration is for '
            f'{intrinsics.width}x{intrinsics.height}: resize the files, or correct the calibration'
        )


def resized_depth(depth: np.ndarray, size: tuple[int, int], where: object) -> np.ndarray:
    """Resize a depth image to the colour image, which has the same field of view.

    Each pixel has the depth of the nearest pixel: depth is not interpolated.

    Parameters
    ----------
    depth : [h, w] of any type.
    size : (width, height) of the colour image.
    where : names the depth image in the error.

    Raises
    ------
    DatasetError
        If the aspect ratios differ by more than a pixel.
    """
    height, width = depth.shape
    if (width, height) == size:
        return depth
    if abs(width * size[1] - height * size[0]) >= max(size):
        raise DatasetError(
            f'{where} is {width}x{height} but the colour image is {size[0]}x{size[1]}, another '
            'aspect ratio: register the depth to the colour image first'
        )
    return np.asarray(cv2.resize(depth, size, interpolation=cv2.INTER_NEAREST_EXACT))


def given_intrinsics(focal_and_centre: Sequence[float], image: np.ndarray) -> Intrinsics:
    """Return fx, fy, cx, cy (pixels) as the intrinsics of an image of [H, W, ...]."""
    height, width = image.shape[:2]
    fx, fy, cx, cy = focal_and_centre
    return Intrinsics(width, height, fx, fy, cx, cy)


def _decode(path: Path, flags: int) -> np.ndarray | None:
    """Decode an image file with any name (OpenCV's imread accepts only UTF-8)."""
    try:
        data = np.fromfile(path, np.uint8)
        return cv2.imdecode(data, flags) if data.size else None
    except (OSError, cv2.error):
        return None
