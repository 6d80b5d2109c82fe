# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a calibration can be one: anybody may publish any numbers as camera_info."""

import math
from typing import TYPE_CHECKING

import numpy as np

from msdepth_ros.errors import CalibrationError, quoted

if TYPE_CHECKING:
    from msdepth_ros.geometry.camera import Camera

# Number of distortion coefficients that OpenCV takes, for each of ROS's model names.
COEFFICIENTS = {
    'plumb_bob': (4, 5),
    'rational_polynomial': (8, 12, 14),
    'equidistant': (4,),
    'fisheye': (4,),
}
_LARGEST_COEFFICIENT = 1e6
_EXTREME = 1e3  # focal length over image size, or its inverse: 0.06 or 179.9 degrees of view


def check_camera(camera: 'Camera') -> None:
    """Raise CalibrationError, with what is wrong, unless geometry can be computed from a camera.

    Numbers that no lens has are refused, as single precision does not hold what follows of them.
    """
    if not all(map(math.isfinite, (*camera.k, *camera.d, *camera.r, *camera.p))):
        raise CalibrationError('the calibration holds NaN or infinite numbers')
    width, height = camera.delivered_size
    if width <= 0 or height <= 0:
        raise CalibrationError(f'the calibration is of an image of {width}x{height}')
    if camera.k[0] == 0.0:
        raise CalibrationError('K[0] is 0, which means that the camera is not calibrated')
    _check_intrinsics(camera)
    _check_rotation(camera.r)
    if any(camera.d):
        _check_distortion(camera.distortion_model, camera.d)


def _check_intrinsics(camera: 'Camera') -> None:
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
                    f'a focal length of {focal:g} and a centre at {centre:g} cannot be of an image '
                    f'of {size} pixels'
                )


def _check_rotation(r: tuple[float, ...]) -> None:
    matrix = np.array(r).reshape(3, 3)
    if matrix.any() and (
        np.abs(matrix).max() > 2 or not np.allclose(matrix @ matrix.T, np.eye(3), atol=0.01)
    ):
        raise CalibrationError('R is not a rotation matrix')


def _check_distortion(model: str, d: tuple[float, ...]) -> None:
    counts = COEFFICIENTS.get(model)
    if counts is None:
        raise CalibrationError(
            f'distortion model {quoted(model)} is not known: use one of {", ".join(COEFFICIENTS)}'
        )
    if len(d) not in counts:
        raise CalibrationError(
            f'{model} has {" or ".join(map(str, counts))} coefficients, this calibration has '
            f'{len(d)}'
        )
    if max(map(abs, d)) > _LARGEST_COEFFICIENT:
        raise CalibrationError(f'a distortion coefficient of {max(d, key=abs):g} cannot be one')
