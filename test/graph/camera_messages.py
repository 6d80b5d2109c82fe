# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Messages as a camera driver makes them, packed by hand, and depth messages unpacked likewise."""

import numpy as np
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2

FRAME = 'front_camera_optical_frame'
WIDTH, HEIGHT = 640, 480


def image(pixels: np.ndarray, encoding: str, big_endian: bool = False, pad: int = 0) -> Image:
    """Return an Image of [height, width(, channels)] pixels; `pad` bytes end each row."""
    height, width = pixels.shape[:2]
    rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(height, -1)
    data = np.pad(rows, ((0, 0), (0, pad)))
    message = Image(height=height, width=width, encoding=encoding, is_bigendian=big_endian)
    message.step = data.shape[1]
    message.data.frombytes(data.tobytes())
    message.header.frame_id = FRAME
    return message


def compressed(data: bytes, kind: str) -> CompressedImage:
    """Return a CompressedImage."""
    message = CompressedImage(format=kind)
    message.data.frombytes(data)
    message.header.frame_id = FRAME
    return message


def camera_info(
    width: int = WIDTH,
    height: int = HEIGHT,
    focal: float = 600.0,
    center: tuple[float, float] | None = None,
) -> CameraInfo:
    """Return the CameraInfo of a pinhole camera."""
    cx, cy = center or ((width - 1) / 2, (height - 1) / 2)
    message = CameraInfo(width=width, height=height, distortion_model='plumb_bob', d=[0.0] * 5)
    message.k = [focal, 0.0, cx, 0.0, focal, cy, 0.0, 0.0, 1.0]
    message.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    message.p = [focal, 0.0, cx, 0.0, 0.0, focal, cy, 0.0, 0.0, 0.0, 1.0, 0.0]
    message.header.frame_id = FRAME
    return message


def uniform(
    color: tuple[int, int, int] = (100, 100, 100), width: int = WIDTH, height: int = HEIGHT
) -> Image:
    """Return an rgb8 image of one colour."""
    return image(np.full((height, width, 3), color, np.uint8), 'rgb8')


def depth_of(message: Image) -> np.ndarray:
    """Return a 32FC1 message as float32 [height, width]."""
    assert message.encoding == '32FC1'
    assert message.step == 4 * message.width
    order = '>' if message.is_bigendian else '<'
    values = np.frombuffer(bytes(message.data), f'{order}f4')
    return values.reshape(message.height, message.width)


def points_of(message: PointCloud2) -> np.ndarray:
    """Return a cloud as a structured array [height, width] of its own fields, all float32."""
    order = '>' if message.is_bigendian else '<'
    assert all(field.datatype == field.FLOAT32 and field.count == 1 for field in message.fields)
    kind = np.dtype(
        {
            'names': [field.name for field in message.fields],
            'formats': [f'{order}f4'] * len(message.fields),
            'offsets': [field.offset for field in message.fields],
            'itemsize': message.point_step,
        }
    )
    assert message.row_step == message.point_step * message.width
    assert len(message.data) == message.row_step * message.height
    return np.frombuffer(bytes(message.data), kind).reshape(message.height, message.width)


def rgb_of(points: np.ndarray) -> np.ndarray:
    """Return the colours of points as PCL reads them: uint8 [..., 3] RGB."""
    packed = np.ascontiguousarray(points['rgb']).view(np.uint32)
    return np.stack([packed >> 16 & 255, packed >> 8 & 255, packed & 255], -1).astype(np.uint8)
