# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The fields of sensor_msgs as arrays and cameras, of rclpy's messages and of a bag's."""

from typing import Any

import numpy as np

from msdepth_ros.errors import ImageError, quoted
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.images.decompression import decode_compressed
from msdepth_ros.images.encodings import Kind, encoding_of
from msdepth_ros.images.limits import check_size
from msdepth_ros.images.planar import planar_to_bgr
from msdepth_ros.images.raw import converted
from msdepth_ros.images.stretch import Stretch

_MAX_COEFFICIENTS = 15  # more than any lens model has
_DEPTH_TYPES = {'16UC1': 'u2', 'mono16': 'u2', '32FC1': 'f4'}


def image_pixels(message: Any, stretch: Stretch | None = None) -> tuple[np.ndarray, str]:
    """Return the pixels of a sensor_msgs/Image.

    8-bit colour and grey are views of the message's data, without a copy; other encodings are
    converted.

    Parameters
    ----------
    stretch : that of the stream, for 16-bit values; None: a new one for this image.

    Returns
    -------
    uint8 [height, width, channels] or, for mono8, [height, width]; and their encoding, one of
    `encodings.ENCODINGS`.

    Raises
    ------
    ImageError
        If size, step, data and encoding do not agree, or the encoding is not supported.
    """
    stretch = stretch or Stretch()
    encoding = encoding_of(message.encoding)
    width, height = message.width, message.height
    check_size(width, height)
    if encoding.kind is Kind.FILE:
        return decode_compressed(message.data, stretch=stretch)
    data = np.frombuffer(message.data, np.uint8)
    if encoding.kind is Kind.PLANAR_YUV:
        return planar_to_bgr(encoding.name, width, height, message.step, data), 'bgr8'
    row = width * encoding.pixel
    step = _checked_step(message, encoding.pixel)
    if encoding.kind is Kind.DIRECT and not encoding.deep:
        shape, strides = (height, width, encoding.pixel), (step, encoding.pixel, 1)
        view = np.ndarray(shape, np.uint8, data, strides=strides)
        return (view[..., 0] if encoding.pixel == 1 else view), encoding.name
    rows = np.ndarray((height, row), np.uint8, data, strides=(step, 1))
    return converted(rows, width, encoding, bool(message.is_bigendian), stretch)


def depth_pixels(message: Any) -> np.ndarray:
    """Return the values of a depth image as REP-118 defines them.

    Returns
    -------
    A view of the message's data, [height, width]: uint16 in millimetres or float32 in metres, in
    the message's byte order.

    Raises
    ------
    ImageError
        If size, step, data and encoding do not agree, or it is not a depth image.
    """
    if message.encoding not in _DEPTH_TYPES:
        raise ImageError(
            f'encoding {quoted(message.encoding)} is not supported: use one of '
            f'{", ".join(_DEPTH_TYPES)}'
        )
    kind = _DEPTH_TYPES[message.encoding]
    dtype = np.dtype(kind).newbyteorder('>' if message.is_bigendian else '<')
    check_size(message.width, message.height)
    strides = (_checked_step(message, dtype.itemsize), dtype.itemsize)
    data = np.frombuffer(message.data, np.uint8)
    return np.ndarray((message.height, message.width), dtype, data, strides=strides)


def camera_fields(message: Any) -> Camera:
    """Return a sensor_msgs/CameraInfo as a Camera; its numbers are not checked (Camera.check is).

    Raises
    ------
    CalibrationError
        If K, R or P have the wrong number of elements.
    """
    roi = message.roi
    return Camera(
        width=message.width,
        height=message.height,
        k=tuple(float(number) for number in message.k),
        d=_coefficients(message.d),
        distortion_model=message.distortion_model,
        r=tuple(float(number) for number in message.r),
        p=tuple(float(number) for number in message.p),
        roi=(roi.x_offset, roi.y_offset, roi.width, roi.height),
        binning=(message.binning_x, message.binning_y),
    )


def _coefficients(d: Any) -> tuple[float, ...]:
    """Return a message's distortion coefficients, cut to _MAX_COEFFICIENTS if there are more."""
    values = np.asarray(d, np.float64)
    if len(values) > _MAX_COEFFICIENTS:
        values = np.trim_zeros(values, 'b')
        if len(values) > _MAX_COEFFICIENTS:
            values = np.append(values[: _MAX_COEFFICIENTS - 1], values[-1])
    return tuple(values.tolist())


def _checked_step(message: Any, pixel: int) -> int:
    """Return the bytes from row to row: the step or, if it is 0, the bytes of a row's pixels."""
    height, row, size = message.height, message.width * pixel, len(message.data)
    step = message.step or row
    if step < row:
        raise ImageError(
            f'step is {step} but {message.width} pixels of {message.encoding} need {row} bytes'
        )
    if size < height * step:
        raise ImageError(
            f'data has {size} bytes but {height} rows of step {step} need {height * step}'
        )
    return step
