# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a photo's EXIF data says about the camera: its orientation and its focal length."""

import math
from collections.abc import Mapping
from typing import Any

from msdepth_ros.errors import CalibrationError
from msdepth_ros.geometry.camera import Camera

EXIF_IFD = 0x8769
_ORIENTATION = 0x0112
_FOCAL_LENGTH = 0x920A  # mm
_WIDTH = 0xA002  # pixels, of the image that the camera wrote
_FOCAL_PLANE_X_RESOLUTION, _FOCAL_PLANE_UNIT = 0xA20E, 0xA210  # pixels per unit
_FOCAL_LENGTH_35MM = 0xA405  # mm
_UNITS = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}  # mm
_DIAGONAL_35MM = math.hypot(36, 24)  # mm, of a frame of 35 mm film
_SHORTEST, _LONGEST = 0.1, 20.0  # focal length / longer side: fields of view of 157 and 3 degrees
# Quarter turns clockwise that make the stored image upright; other values are mirrored or upright.
_QUARTER_TURNS = {6: 1, 3: 2, 8: 3}


def quarter_turns(exif: Mapping[int, Any]) -> int:
    """Return how many quarter turns clockwise make a stored image upright: 0 to 3."""
    return _QUARTER_TURNS.get(exif.get(_ORIENTATION, 1), 0)


def focal_length(tags: Mapping[int, Any], width: int, height: int) -> float | None:
    """Return the focal length in pixels from EXIF tags, None if there is none.

    The 35 mm equivalent (for equal diagonals, CIPA DCG-001) is preferred to the focal length with
    the resolution of the sensor, as COLMAP does. Values that no lens has are ignored.

    Parameters
    ----------
    tags : values by tag of the EXIF IFD (CIPA DC-008).
    width, height : of the image as it is stored, pixels.
    """
    on_film = _number(tags.get(_FOCAL_LENGTH_35MM)) / _DIAGONAL_35MM * math.hypot(width, height)
    unit = _UNITS.get(int(_number(tags.get(_FOCAL_PLANE_UNIT)) or 2), 25.4)
    on_sensor = _number(tags.get(_FOCAL_LENGTH)) / unit
    on_sensor *= _number(tags.get(_FOCAL_PLANE_X_RESOLUTION))
    on_sensor *= width / (_number(tags.get(_WIDTH)) or width)
    for focal in (on_film, on_sensor):
        if _SHORTEST < focal / max(width, height) < _LONGEST:
            return focal
    return None


def turned(camera: Camera) -> Camera:
    """Return the calibration of a camera's image after a quarter turn clockwise.

    Raises
    ------
    CalibrationError
        If the lens model has thin prism or tilt terms.
    """
    d = camera.d
    if camera.distortion_model not in ('equidistant', 'fisheye') and len(d) >= 4:
        if any(d[8:]):
            raise CalibrationError(
                'the photo is rotated by its EXIF orientation, and a calibration with thin prism '
                'or tilt terms cannot be rotated with it: calibrate with upright photos'
            )
        # Tangential distortion is a vector: it is rotated with the image.
        d = (*d[:2], d[3], -d[2], *d[4:])
    fx, fy, cx, cy = camera.k[0], camera.k[4], camera.k[2], camera.k[5]
    k = (fy, 0.0, camera.height - 1 - cy, 0.0, fx, cx, 0.0, 0.0, 1.0)
    return Camera(camera.height, camera.width, k, d, camera.distortion_model)


def _number(value: Any) -> float:
    """Return an EXIF value as a positive number, 0 if it is not one."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return 0.0
    return number if math.isfinite(number) and number > 0 else 0.0
