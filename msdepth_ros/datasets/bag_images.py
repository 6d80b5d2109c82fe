# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Images of a recording as arrays: colour as BGR, depth in metres."""

import struct
from typing import Any

import cv2
import numpy as np

from msdepth_ros.errors import ImageError
from msdepth_ros.images.decompression import decode_compressed
from msdepth_ros.images.message_fields import depth_pixels, image_pixels
from msdepth_ros.images.stretch import Stretch

_TO_BGR = {
    'rgb8': cv2.COLOR_RGB2BGR,
    'rgba8': cv2.COLOR_RGBA2BGR,
    'bgra8': cv2.COLOR_BGRA2BGR,
    'mono8': cv2.COLOR_GRAY2BGR,
}
_MILLIMETRES = 1000.0
_PNG = b'\x89PNG'
_HEADER = struct.Struct('<iff')


def color_image(message: Any, stretch: Stretch | None = None) -> np.ndarray:
    """Return a sensor_msgs Image or CompressedImage as uint8 [H, W, 3] BGR.

    Parameters
    ----------
    message : of rclpy or of a recording.
    stretch : that of the stream, for 16-bit images; None: a new one for this image.

    Raises
    ------
    ImageError
        If it is damaged, or its encoding is not supported.
    """
    if hasattr(message, 'encoding'):
        pixels, encoding = image_pixels(message, stretch)
    else:
        pixels, encoding = decode_compressed(message.data, message.format, stretch)
    code = _TO_BGR.get(encoding)
    return np.ascontiguousarray(pixels) if code is None else cv2.cvtColor(pixels, code)


def depth_image(message: Any, units_per_metre: float | None) -> np.ndarray:
    """Return a depth image as float32 [H, W], metres, 0 invalid.

    Parameters
    ----------
    message : sensor_msgs Image, or CompressedImage of compressed_depth_image_transport with png:
        16UC1 in millimetres or 32FC1 in metres (REP-118).
    units_per_metre : of the values; None: as REP-118 says.

    Raises
    ------
    ImageError
        If it is damaged, or not a depth image.
    """
    values = depth_pixels(message) if hasattr(message, 'encoding') else _compressed_depth(message)
    units = units_per_metre or (_MILLIMETRES if values.dtype.kind == 'u' else 1.0)
    depth = values.astype(np.float32) / np.float32(units)
    depth[~(np.isfinite(depth) & (depth > 0))] = 0
    return depth


def has_depth(message: Any) -> bool:
    """Return whether a depth image has a valid pixel; it is decoded only if necessary.

    Parameters
    ----------
    message : see `depth_image`.

    Raises
    ------
    ImageError
        See `depth_image`.
    """
    if hasattr(message, 'encoding'):
        values = depth_pixels(message)
        if values.dtype.kind == 'u':
            return bool(values.any())
        with np.errstate(invalid='ignore'):
            # In nearly every image, a few rows are enough.
            return any(
                bool((np.isfinite(part) & (part > 0)).any()) for part in (values[::16], values)
            )
    return _is_varied_png(message.data) or bool(depth_image(message, None).any())


def _is_varied_png(data: Any) -> bool:
    """Return whether a compressed depth image is too long to be all zeros.

    Deflate compresses zeros to about a thousandth. Data as long as the image is stored
    uncompressed, and may be zeros.
    """
    head = bytes(data[_HEADER.size : _HEADER.size + 24])
    if head[:4] != _PNG or len(head) < 24:
        return False
    width, height = int.from_bytes(head[16:20], 'big'), int.from_bytes(head[20:24], 'big')
    return 0.04 < len(data) / max(1, 2 * width * height) < 0.9


def _compressed_depth(message: Any) -> np.ndarray:
    """Decode a depth image of compressed_depth_image_transport with a 16-bit PNG.

    The data is an int32 and two float32 a, b, then the PNG: of 16UC1 the values themselves, of
    32FC1 q = a / z + b, rounded, 0 where invalid.
    """
    data = bytes(message.data)
    encoding = message.format.split(';')[0].strip()
    if encoding not in ('16UC1', '32FC1') or data[_HEADER.size :][: len(_PNG)] != _PNG:
        raise ImageError(
            f"depth compressed as '{message.format}' is not supported: record the raw topic, or "
            'compressedDepth with png'
        )
    values = cv2.imdecode(np.frombuffer(data[_HEADER.size :], np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16 or values.ndim != 2:
        raise ImageError('the compressed depth is damaged')
    if encoding == '16UC1':
        return values
    _, a, b = _HEADER.unpack_from(data)
    inverse = values.astype(np.float32) - np.float32(b)
    valid = (values > 0) & (inverse > 0)
    return np.where(valid, np.float32(a) / np.where(valid, inverse, 1), 0)
