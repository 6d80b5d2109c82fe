# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The camera model of sensor_msgs/CameraInfo, and checks of its numbers."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import yaml

from msdepth_ros.errors import CalibrationError
from msdepth_ros.geometry.lens import check_lens, ros_lens
from msdepth_ros.geometry.pinhole import Intrinsics

_IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
_ASPECT_TOLERANCE = 0.01
_EXTREME = 1e3  # largest ratio of focal length and image size: a field of 0.06 or 179.9 degrees


@dataclass(frozen=True)
class Camera:
    """A camera calibration, field by field as sensor_msgs/CameraInfo defines it.

    The lens is kept as `lens.ros_lens` returns it. Some publishers of rectified images send a
    valid P and a K of zeros: then K is that of P, without distortion.

    Attributes
    ----------
    width, height : of the full-resolution image, pixels; both 0: the size of the image at hand.
    k, r, p : row-major 3x3, 3x3 and 3x4.
    d : distortion coefficients.
    distortion_model : ROS's name.
    roi : (x_offset, y_offset, width, height) in full-resolution pixels; all 0: the full image.
    binning : (x, y); 0 or 1: none.

    Raises
    ------
    CalibrationError
        If K, R or P have the wrong number of elements.
    """

    width: int
    height: int
    k: tuple[float, ...]
    d: tuple[float, ...] = ()
    distortion_model: str = 'plumb_bob'
    r: tuple[float, ...] = _IDENTITY
    p: tuple[float, ...] = ()
    roi: tuple[int, int, int, int] = (0, 0, 0, 0)
    binning: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        if len(self.k) != 9 or len(self.r) != 9 or len(self.p) not in (0, 12):
            raise CalibrationError(
                'a calibration has 9 numbers in K, 9 in R and 12 in P, this one has '
                f'{len(self.k)}, {len(self.r)} and {len(self.p)}'
            )
        changes: dict[str, Any] = {}
        changes['distortion_model'], changes['d'] = ros_lens(self.distortion_model, self.d)
        if not any(self.k) and self.p and self.p[0] > 0:
            p = self.p
            changes |= {'k': (*p[0:3], *p[4:7], *p[8:11]), 'd': (), 'r': _IDENTITY}
        for name, value in changes.items():
            object.__setattr__(self, name, value)

    @classmethod
    def pinhole(
        cls, width: int, height: int, fx: float, fy: float, cx: float, cy: float
    ) -> 'Camera':
        """Return a camera without distortion; fx, fy, cx, cy in pixels."""
        k = (fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0)
        p = (fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0)
        return cls(width, height, k, (0.0,) * 5, 'plumb_bob', _IDENTITY, p)

    def to_yaml(self, name: str = 'camera') -> str:
        """Return the calibration as YAML in the format of camera_calibration."""

        def matrix(rows: int, cols: int, data: tuple[float, ...]) -> dict[str, Any]:
            return {'rows': rows, 'cols': cols, 'data': list(data)}

        document = {
            'image_width': self.width,
            'image_height': self.height,
            'camera_name': name,
            'camera_matrix': matrix(3, 3, self.k),
            'distortion_model': self.distortion_model,
            'distortion_coefficients': matrix(1, len(self.d), self.d),
            'rectification_matrix': matrix(3, 3, self.r),
            'projection_matrix': matrix(3, 4, self.p or _projection(self.k)),
        }
        return yaml.safe_dump(document, sort_keys=False, default_flow_style=None)

    def check(self) -> None:
        """Check that metric geometry can be computed from this calibration.

        Raises
        ------
        CalibrationError
            If it cannot; the message says which number is wrong.
        """
        _check_camera(self)

    @property
    def distorted(self) -> bool:
        """Whether the lens distorts, so that raw images need rectification."""
        return any(self.d)

    @property
    def delivered_size(self) -> tuple[int, int]:
        """(width, height) of the camera's images: after ROI and binning."""
        _, _, roi_width, roi_height = self.roi
        bx, by = (max(1, b) for b in self.binning)
        return (roi_width or self.width) // bx, (roi_height or self.height) // by

    def for_image(self, width: int, height: int) -> 'Camera':
        """Return this calibration for an image of the given size, ROI and binning applied.

        ROI and binning are applied as image_geometry's PinholeCameraModel does:
        cx' = (cx - x_offset) / binning_x. An image of another size but of the same aspect
        (within 1 %) is taken as a resized one.

        Raises
        ------
        CalibrationError
            If the aspect ratios differ; or if the calibration has no size of its own, and its
            numbers are not plausible for this one.
        """
        if not (self.width or self.height):
            return self._of_size(width, height).for_image(width, height)
        delivered = self.delivered_size
        camera = self._cropped_and_binned(*delivered)
        if (width, height) == delivered:
            return camera
        sx, sy = width / delivered[0], height / delivered[1]
        if abs(sx / sy - 1) > _ASPECT_TOLERANCE:
            raise CalibrationError(
                f'the image is {width}x{height} but the calibration is for '
                f'{delivered[0]}x{delivered[1]}, another aspect ratio: publish the camera_info of '
                'this image, or calibrate the camera at this size'
            )
        return replace(
            camera,
            width=width,
            height=height,
            k=_scaled(camera.k, 3, sx, sy),
            p=_scaled(camera.p, 4, sx, sy),
        )

    def _of_size(self, width: int, height: int) -> 'Camera':
        """Return a calibration without a size, with that of an image, checked."""
        bx, by = (max(1, b) for b in self.binning)
        camera = replace(self, width=width * bx, height=height * by, roi=(*self.roi[:2], 0, 0))
        camera.check()
        return camera

    def _cropped_and_binned(self, width: int, height: int) -> 'Camera':
        x, y, _, _ = self.roi
        bx, by = (max(1, b) for b in self.binning)
        if (x, y, bx, by) == (0, 0, 1, 1) and (width, height) == (self.width, self.height):
            return self

        def change(matrix: tuple[float, ...], columns: int) -> tuple[float, ...]:
            if not matrix:
                return matrix
            m = np.array(matrix).reshape(3, columns)
            m[0, 2] -= x
            m[1, 2] -= y
            m[0] /= bx
            m[1] /= by
            return tuple(m.ravel().tolist())

        return replace(
            self,
            width=width,
            height=height,
            k=change(self.k, 3),
            p=change(self.p, 4),
            roi=(0, 0, 0, 0),
            binning=(0, 0),
        )

    def raw_intrinsics(self) -> Intrinsics:
        """Return the intrinsics of the raw image: K's, without the distortion."""
        return Intrinsics(self.width, self.height, self.k[0], self.k[4], self.k[2], self.k[5])

    def rectified_intrinsics(self) -> Intrinsics:
        """Return the intrinsics of the rectified image: P's, or K's if P is not given."""
        if not self.p or self.p[0] == 0.0:
            return self.raw_intrinsics()
        return Intrinsics(self.width, self.height, self.p[0], self.p[5], self.p[2], self.p[6])


def _projection(k: tuple[float, ...]) -> tuple[float, ...]:
    return (*k[0:3], 0.0, *k[3:6], 0.0, *k[6:9], 0.0)


def _scaled(matrix: tuple[float, ...], columns: int, sx: float, sy: float) -> tuple[float, ...]:
    """Return K (3 columns) or P (4 columns) for an image resized with half-pixel centres."""
    if not matrix:
        return matrix
    m = np.array(matrix).reshape(3, columns)
    m[0] *= sx
    m[1] *= sy
    m[0, 2] += 0.5 * (sx - 1)
    m[1, 2] += 0.5 * (sy - 1)
    return tuple(m.ravel().tolist())


def _check_camera(camera: Camera) -> None:
    """Raise CalibrationError, with what is wrong, unless geometry can be computed from a camera.

    Implausible numbers are rejected: they would overflow float32 later.
    """
    if not all(map(math.isfinite, (*camera.k, *camera.d, *camera.r, *camera.p))):
        raise CalibrationError('the calibration has NaN or infinite numbers')
    width, height = camera.delivered_size
    sized = bool(camera.width or camera.height)
    if sized and (width <= 0 or height <= 0):
        raise CalibrationError(f'the calibration is for an image of {width}x{height} pixels')
    if camera.k[0] == 0.0:
        raise CalibrationError('K[0] is 0, which means that the camera is not calibrated')
    if sized:  # otherwise these are checked in _of_size
        _check_intrinsics(camera)
    _check_rotation(camera.r)
    if any(camera.d):
        check_lens(camera.distortion_model, camera.d)


def _check_intrinsics(camera: Camera) -> None:
    delivered = camera.for_image(*camera.delivered_size)
    for image in (delivered.raw_intrinsics(), delivered.rectified_intrinsics()):
        if image.fx < 0 or image.fy <= 0:
            raise CalibrationError(f'focal lengths {image.fx:g}, {image.fy:g} are not positive')
        for size, focal, centre in (
            (image.width, image.fx, image.cx),
            (image.height, image.fy, image.cy),
        ):
            if not size / _EXTREME <= focal <= _EXTREME * size or abs(centre) > _EXTREME * size:
                raise CalibrationError(
                    f'a focal length of {focal:g} and a principal point at {centre:g} are not '
                    f'possible in an image of {size} pixels'
                )


def _check_rotation(r: tuple[float, ...]) -> None:
    matrix = np.array(r).reshape(3, 3)
    if matrix.any() and (
        np.abs(matrix).max() > 2 or not np.allclose(matrix @ matrix.T, np.eye(3), atol=0.01)
    ):
        raise CalibrationError('R is not a rotation matrix')
