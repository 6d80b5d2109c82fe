# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Images of a recording as training takes them: colour as BGR, depth in metres, both pinhole."""

from typing import Any

import cv2
import numpy as np

from msdepth_ros.camera import Camera, Intrinsics
from msdepth_ros.decoding import decode_compressed
from msdepth_ros.errors import ImageError
from msdepth_ros.input_map import raw_pixels
from msdepth_ros.message_fields import converted_pixels, depth_pixels, image_pixels

_TO_BGR = {
    'rgb8': cv2.COLOR_RGB2BGR,
    'rgba8': cv2.COLOR_RGBA2BGR,
    'bgra8': cv2.COLOR_BGRA2BGR,
    'mono8': cv2.COLOR_GRAY2BGR,
}
_MILLIMETRES = 1000.0
_PNG = b'\x89PNG'


def color_image(message: Any) -> np.ndarray:
    """Return a sensor_msgs Image or CompressedImage as uint8 [H, W, 3] BGR.

    Raises
    ------
    ImageError : it is damaged, or of an encoding that is not known.

    """
    if hasattr(message, 'encoding'):
        pixels, encoding = image_pixels(message) or converted_pixels(message)
    else:
        pixels, encoding = decode_compressed(message.data)
    code = _TO_BGR.get(encoding)
    return np.ascontiguousarray(pixels) if code is None else cv2.cvtColor(pixels, code)


def depth_image(message: Any, units_per_metre: float | None) -> np.ndarray:
    """Return a depth image as float32 [H, W], metres, 0 invalid.

    Parameters
    ----------
    message : sensor_msgs Image (16UC1 in millimetres, 32FC1 in metres, REP-118), or CompressedImage
        of compressed_depth_image_transport with 16-bit PNG.
    units_per_metre : instead of REP-118's.

    Raises
    ------
    ImageError : it is damaged, or no depth image.

    """
    values = depth_pixels(message) if hasattr(message, 'encoding') else _compressed_depth(message)
    units = units_per_metre or (_MILLIMETRES if values.dtype.kind == 'u' else 1.0)
    depth = values.astype(np.float32) / np.float32(units)
    depth[~(np.isfinite(depth) & (depth > 0))] = 0
    return depth


def _compressed_depth(message: Any) -> np.ndarray:
    """Return the 16-bit image that follows compressed_depth_image_transport's header."""
    data = bytes(message.data)
    start = data.find(_PNG, 0, 64)
    if 'compressedDepth' not in message.format or '16UC1' not in message.format or start < 0:
        raise ImageError(
            f"depth compressed as '{message.format}' is not supported: record the raw topic, or "
            '16UC1 with png'
        )
    values = cv2.imdecode(np.frombuffer(data[start:], np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16 or values.ndim != 2:
        raise ImageError('the compressed depth is damaged')
    return values


class Undistortion:
    """Takes images of one calibrated camera, and depths on them, to its pinhole image.

    Parameters
    ----------
    camera : of the images' size, usable (Camera.check).
    """

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self.intrinsics: Intrinsics = camera.rectified_intrinsics()
        self._maps = raw_pixels(camera, self.intrinsics)

    def image(self, image: np.ndarray) -> np.ndarray:
        """Return uint8 [H, W, 3], undistorted; black where nothing was seen."""
        return cv2.remap(image, *self._maps, cv2.INTER_LINEAR)

    def depth(self, depth: np.ndarray) -> np.ndarray:
        """Return float32 [H, W], undistorted, no depth mixed with another; 0 where not seen."""
        return cv2.remap(depth, *self._maps, cv2.INTER_NEAREST)
