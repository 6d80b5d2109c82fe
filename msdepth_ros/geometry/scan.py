# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A planar laser scan from a band of rows of a depth image.

The definition is that of the package depthimage_to_laserscan, so that either can replace the
other; it takes the camera to be level.
"""

import math
from dataclasses import dataclass

import numpy as np

from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.pinhole import Intrinsics

DEFAULT_FRAME = 'camera_depth_frame'


@dataclass(frozen=True)
class Scan:
    """Ranges about the z axis of a frame with x forward and y left.

    `ranges` is float32 [width], metres, NaN where nothing was seen; ranges[i] lies at the angle
    angle_min + i * angle_increment, in radians, counter-clockwise (the image's right end first).
    """

    angle_min: float
    angle_max: float
    angle_increment: float
    ranges: np.ndarray


def laser_scan(
    depth: np.ndarray,
    intrinsics: Intrinsics,
    scan_height: int,
    range_min: float,
    range_max: float,
) -> Scan:
    """Return the nearest range at each angle, over the rows around the principal point.

    The band begins at row int(cy - scan_height / 2). A pixel's range is its distance from the
    camera in the horizontal plane, sqrt(X^2 + Z^2); its angle is -atan((u - cx) / fx). The
    angles are as many as the image has columns, in equal steps between the outermost columns'.

    Parameters
    ----------
    depth : float32 [height, width], metres along Z, NaN invalid.
    intrinsics : of that image.
    scan_height : number of rows in the band.
    range_min, range_max : metres; points outside are left out.

    Raises
    ------
    MsdepthError
        If the band does not fit into the image, or the image has a single column.
    """
    height, width = depth.shape
    if width < 2:
        raise MsdepthError('an image that is one column wide has no scan')
    if not scan_height / 2 <= min(intrinsics.cy, height - intrinsics.cy):
        raise MsdepthError(
            f'scan_height {scan_height} is too large: the image has {height} rows and its '
            f'principal point lies at row {intrinsics.cy:.1f}'
        )
    first = int(intrinsics.cy - scan_height / 2)
    slope = (np.arange(width) - intrinsics.cx) / intrinsics.fx
    ranges = depth[first : first + scan_height] * np.sqrt(1 + slope**2)
    ranges[~((ranges >= range_min) & (ranges <= range_max))] = np.inf
    # The message holds its angles as float32, and its readers compute with those.
    angle_min = np.float32(-math.atan(slope[-1]))
    angle_max = np.float32(-math.atan(slope[0]))
    increment = (angle_max - angle_min) / np.float32(width - 1)
    index = ((-np.arctan(slope) - angle_min) / increment).astype(np.intp)
    nearest = np.full(width, np.inf, np.float32)
    np.minimum.at(nearest, index, ranges.min(axis=0).astype(np.float32))
    nearest[np.isinf(nearest)] = np.nan
    return Scan(float(angle_min), float(angle_max), float(increment), nearest)


def scan_frame(image_frame: str, output_frame: str = '') -> str:
    """Return the frame of a scan: `output_frame`, or the camera's frame with x forward.

    By REP-103 that frame is called as the image's without `_optical`: camera_optical_frame is
    beside camera_frame. Where the image's frame has no such name it is camera_depth_frame, the
    default of depthimage_to_laserscan.
    """
    if output_frame:
        return output_frame
    return image_frame.replace('_optical', '') if '_optical' in image_frame else DEFAULT_FRAME
