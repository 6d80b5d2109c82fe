# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the fields of sensor_msgs mean: of rclpy's messages and of a recording's, without ROS."""

from typing import Any

import numpy as np

from msdepth_ros.errors import ImageError, quoted
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.images.decoding import check_size, decode_raw
from msdepth_ros.images.encodings import ENCODINGS

_BYTES_PER_PIXEL = {
    'rgb8': 3, 'bgr8': 3, 'rgba8': 4, 'bgra8': 4, 'mono8': 1, '8UC1': 1, '8UC3': 3, '8UC4': 4,
    'mono16': 2, '16UC1': 2, 'rgb16': 6, 'bgr16': 6, 'rgba16': 8, 'bgra16': 8,
    'bayer_rggb8': 1, 'bayer_bggr8': 1, 'bayer_gbrg8': 1, 'bayer_grbg8': 1,
    'bayer_rggb16': 2, 'bayer_bggr16': 2, 'bayer_gbrg16': 2, 'bayer_grbg16': 2,
    'yuv422': 2, 'uyvy': 2, 'yuv422_yuy2': 2, 'yuyv': 2, 'nv12': 1, 'nv21': 1, 'nv24': 1,
}  # fmt: skip
_MAX_COEFFICIENTS = 15  # more than any lens model has: enough to see that they are too many
_DEPTH_TYPES = {'16UC1': 'u2', 'mono16': 'u2', '32FC1': 'f4'}
_ROWS_PER_ROW = {'nv12': 1.5, 'nv21': 1.5, 'nv24': 3}
_SIXTEEN_BIT = ('mono16', '16UC1', 'rgb16', 'bgr16', 'rgba16', 'bgra16')


def image_pixels(message: Any) -> tuple[np.ndarray, str] | None:
    """Return the pixels of a sensor_msgs/Image that need no conversion, and their encoding.

    Returns
    -------
    A view of the message's data, uint8 [height, width, channels] or, for mono8, [height, width];
    None where the encoding is not one of encodings.ENCODINGS, see `converted_pixels`.

    Raises
    ------
    ImageError
        If size, step, data and encoding do not fit together, or the encoding is not known.
    """
    pixel = _known(message.encoding, _BYTES_PER_PIXEL)
    rows = int(message.height * _ROWS_PER_ROW.get(message.encoding, 1))
    _check_layout(message, rows, pixel)
    if message.encoding not in ENCODINGS:
        return None
    shape, strides = (message.height, message.width, pixel), (message.step, pixel, 1)
    view = np.ndarray(shape, np.uint8, np.frombuffer(message.data, np.uint8), strides=strides)
    return (view[..., 0] if pixel == 1 else view), message.encoding


def converted_pixels(message: Any) -> tuple[np.ndarray, str]:
    """Return the pixels of any other sensor_msgs/Image that `image_pixels` found in order.

    Returns
    -------
    As decoding.decode_raw.
    """
    encoding, width = message.encoding, message.width
    rows = int(message.height * _ROWS_PER_ROW.get(encoding, 1))
    shape, strides = (rows, width * _BYTES_PER_PIXEL[encoding]), (message.step, 1)
    packed = np.ndarray(shape, np.uint8, np.frombuffer(message.data, np.uint8), strides=strides)
    if encoding.endswith('16') or encoding in _SIXTEEN_BIT:
        order = '>' if message.is_bigendian else '<'
        packed = np.ascontiguousarray(packed).view(f'{order}u2').astype(np.uint16, copy=False)
    return decode_raw(packed, width, message.height, encoding)


def depth_pixels(message: Any) -> np.ndarray:
    """Return the values of a depth image as REP-118 defines them.

    Returns
    -------
    A view of the message's data: 16-bit unsigned [height, width], millimetres, or 32-bit float,
    metres.

    Raises
    ------
    ImageError
        If size, step, data and encoding do not fit together, or it is no depth image.
    """
    kind = _known(message.encoding, _DEPTH_TYPES)
    dtype = np.dtype(kind).newbyteorder('>' if message.is_bigendian else '<')
    _check_layout(message, message.height, dtype.itemsize)
    strides = (message.step, dtype.itemsize)
    data = np.frombuffer(message.data, np.uint8)
    return np.ndarray((message.height, message.width), dtype, data, strides=strides)


def camera_fields(message: Any) -> Camera:
    """Return a sensor_msgs/CameraInfo as a Camera, unchecked (see Camera.check)."""
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
    """Return a message's coefficients; of endless ones as many as say that they are too many."""
    values = np.asarray(d, np.float64)
    if len(values) > _MAX_COEFFICIENTS:
        values = np.trim_zeros(values, 'b')
        if len(values) > _MAX_COEFFICIENTS:
            values = np.append(values[: _MAX_COEFFICIENTS - 1], values[-1])
    return tuple(values.tolist())


def _known(encoding: str, known: dict[str, Any]) -> Any:
    if encoding not in known:
        raise ImageError(
            f'encoding {quoted(encoding)} is not supported: use one of {", ".join(known)}'
        )
    return known[encoding]


def _check_layout(message: Any, rows: int, pixel: int) -> None:
    width, step, size = message.width, message.step, len(message.data)
    check_size(width, message.height)
    if step < width * pixel:
        raise ImageError(
            f'step is {step} but {width} pixels of {message.encoding} are {width * pixel}'
        )
    if size < rows * step:
        raise ImageError(f'data has {size} bytes but {rows} rows of step {step} are {rows * step}')
