# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Conversions between sensor_msgs and NumPy."""

import array
import functools
import sys
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Quaternion
from nav_msgs.msg import Odometry
from sensor_msgs.msg import (
    CameraInfo,
    CompressedImage,
    Image,
    LaserScan,
    PointCloud2,
    PointField,
)
from std_msgs.msg import Header

from msdepth_ros.geometry.camera import Camera
from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.geometry.rigid import quaternion
from msdepth_ros.geometry.scan import Scan
from msdepth_ros.images.decompression import decode_compressed
from msdepth_ros.images.encodings import UnknownEncodingError
from msdepth_ros.images.limits import check_size
from msdepth_ros.images.message_fields import camera_fields, image_pixels
from msdepth_ros.images.stretch import Stretch


def nanoseconds(stamp: Time) -> int:
    """Return a stamp as nanoseconds; unlike rclpy's Time, also one before 1970."""
    return stamp.sec * 10**9 + stamp.nanosec


def image_from_msg(
    message: Image | CompressedImage, stretch: Stretch | None = None
) -> tuple[np.ndarray, str]:
    """Return an image's pixels and their encoding, one of encodings.ENCODINGS.

    rgb8, bgr8, rgba8, bgra8 and mono8 are views of the message's data, without a copy: uint8
    [height, width, channels], or [height, width] for mono8. Other encodings are converted, and
    compressed images decoded; unknown encodings are converted by cv_bridge, if it is installed.

    Parameters
    ----------
    message : the image.
    stretch : the camera's limits of dark and bright, for 16-bit images; None: from this image.

    Raises
    ------
    ImageError
        If size, step, data and encoding are inconsistent, the encoding is unknown, or a compressed
        image cannot be decoded.
    """
    if isinstance(message, CompressedImage):
        return decode_compressed(message.data, message.format, stretch)
    try:
        return image_pixels(message, stretch)
    except UnknownEncodingError:
        bridged = _through_cv_bridge(message)
        if bridged is None:
            raise
        return bridged, 'bgr8'


def _through_cv_bridge(message: Image) -> np.ndarray | None:
    """Return an image of an unknown encoding as bgr8, None if cv_bridge cannot convert it."""
    bridge = _cv_bridge()
    if bridge is None:
        return None
    check_size(message.width, message.height)
    try:
        pixels = np.asarray(bridge.imgmsg_to_cv2(message, 'bgr8'))
    except Exception:  # CvBridgeError, or an encoding unknown to this version
        return None
    fits = pixels.shape == (message.height, message.width, 3) and pixels.dtype == np.uint8
    return pixels if fits else None


@functools.cache
def _cv_bridge() -> Any:
    """Return a CvBridge, None if it is not installed or does not fit the installed NumPy."""
    try:
        import cv_bridge
    except Exception:  # a NumPy of another ABI raises more than ImportError
        return None
    return cv_bridge.CvBridge()


def camera_from_msg(message: CameraInfo) -> Camera:
    """Return a CameraInfo as a Camera, unchecked (see Camera.check)."""
    return camera_fields(message)


def camera_info_msg(camera: Camera, header: Header) -> CameraInfo:
    """Return a Camera as a CameraInfo."""
    message = CameraInfo(header=header, width=camera.width, height=camera.height)
    message.k, message.r = list(camera.k), list(camera.r)
    message.p = list(camera.p or (*camera.k[:3], 0.0, *camera.k[3:6], 0.0, *camera.k[6:], 0.0))
    message.d, message.distortion_model = list(camera.d), camera.distortion_model
    return message


def intrinsics_msg(intrinsics: Intrinsics, header: Header) -> CameraInfo:
    """Return the CameraInfo of a rectified image: D empty, R identity, K equal to P."""
    i = intrinsics
    camera = Camera.pinhole(i.width, i.height, i.fx, i.fy, i.cx, i.cy)
    message = camera_info_msg(camera, header)
    message.d = []
    return message


def odometry_msg(pose: np.ndarray, header: Header) -> Odometry:
    """Return a camera's pose as odometry whose child frame is the camera's frame.

    Parameters
    ----------
    pose : float64 [4, 4], from the camera (optical frame) to the odometry's frame, metres.
    header : header of the image taken at this pose.
    """
    message = Odometry(
        header=Header(stamp=header.stamp, frame_id='odom'), child_frame_id=header.frame_id
    )
    x, y, z = (float(number) for number in pose[:3, 3])
    message.pose.pose.position = Point(x=x, y=y, z=z)
    x, y, z, w = quaternion(pose)
    message.pose.pose.orientation = Quaternion(x=x, y=y, z=z, w=w)
    return message


def image_msg(pixels: np.ndarray, encoding: str, header: Header) -> Image:
    """Return an image message of uint8 [height, width(, channels)] pixels, copied."""
    message = Image(header=header, encoding=encoding, is_bigendian=sys.byteorder == 'big')
    message.height, message.width = pixels.shape[:2]
    message.step = pixels.nbytes // len(pixels)
    _append(message.data, pixels)
    return message


def compressed_image_msg(data: bytes, kind: str, header: Header) -> CompressedImage:
    """Return a CompressedImage; `kind` is its `format`, as image_transport writes it."""
    message = CompressedImage(header=header, format=kind)
    message.data.frombytes(data)
    return message


class DepthImage:
    """A 32FC1 Image whose pixels are written in place for each frame.

    Attributes
    ----------
    message : the message.
    pixels : float32 [height, width], a view of the message's data.
    """

    def __init__(self, width: int, height: int) -> None:
        self.message = Image(
            width=width,
            height=height,
            encoding='32FC1',
            step=4 * width,
            is_bigendian=sys.byteorder == 'big',
        )
        self.message.data.frombytes(bytes(4 * width * height))
        self.pixels = np.frombuffer(self.message.data, np.float32).reshape(height, width)


def cloud_msg(points: np.ndarray, header: Header, fourth: str = 'rgb') -> PointCloud2:
    """Return a PointCloud2.

    Parameters
    ----------
    points : float32, xyz in metres, or xyz and a fourth field. [height, width, fields] is an
        organized cloud with NaN for invalid points, [count, fields] an unordered one of valid
        points.
    header : its header.
    fourth : name of the fourth field.
    """
    names = ('x', 'y', 'z', fourth)[: points.shape[-1]]
    organised = points.ndim == 3
    message = PointCloud2(header=header, is_bigendian=sys.byteorder == 'big')
    message.height, message.width = points.shape[:2] if organised else (1, len(points))
    message.fields = [
        PointField(name=name, offset=4 * index, datatype=PointField.FLOAT32, count=1)
        for index, name in enumerate(names)
    ]
    message.point_step = 4 * len(names)
    message.row_step = message.point_step * message.width
    message.is_dense = not organised or bool(np.isfinite(points[..., 2]).all())
    _append(message.data, points)
    return message


def scan_msg(
    scan: Scan, header: Header, scan_time: float, range_min: float, range_max: float
) -> LaserScan:
    """Return a LaserScan whose beams have one time; `scan_time` in seconds, ranges in metres."""
    message = LaserScan(header=header, scan_time=scan_time, time_increment=0.0)
    message.angle_min, message.angle_max = scan.angle_min, scan.angle_max
    message.angle_increment = scan.angle_increment
    message.range_min, message.range_max = range_min, range_max
    _append(message.ranges, scan.ranges)
    return message


def _append(data: array.array, values: np.ndarray) -> None:
    """Copy an array's bytes into the empty data of a message.

    This is the only way with one copy and without a check of each byte.
    """
    data.frombytes(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)
