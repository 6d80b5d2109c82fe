# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A planar laser scan from a band of rows of a depth image.

The geometry is that of the package depthimage_to_laserscan, so that either can replace the other.
It assumes that the camera is level. Beams that see nothing in range can follow REP-117.
"""

import math
from dataclasses import dataclass

import numpy as np

from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.pinhole import Intrinsics

DEFAULT_FRAME = 'camera_depth_frame'


@dataclass(frozen=True)
class Scan:
    """Ranges around the z axis of a frame with x forward and y left (REP-103).

    Attributes
    ----------
    angle_min, angle_max, angle_increment : radians, counter-clockwise: the image's right end is
        first. ranges[i] is at the angle angle_min + i * angle_increment.
    ranges : float32 [width], metres. A beam with nothing in range is +inf (something is farther),
        -inf (something is nearer) or NaN (nothing is known).
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
    beyond: np.ndarray | None = None,
    use_inf: bool = False,
) -> Scan:
    """Return the nearest range at each angle, over the rows around the principal point.

    The band begins at row int(cy - scan_height / 2). A pixel's range is its distance from the
    camera in the horizontal plane, sqrt(X^2 + Z^2); its angle is -atan((u - cx) / fx). There are as
    many angles as the image has columns, in equal steps from the last column to the first.

    Parameters
    ----------
    depth : float32 [height, width], metres along Z, NaN invalid.
    intrinsics : of that image.
    scan_height : number of rows in the band.
    range_min, range_max : metres; points outside are not in range.
    beyond : bool [height, width], where the depth is above the model's range; None: nowhere.
    use_inf : a beam with no pixel in range is -inf if a pixel is nearer, else +inf if one is
        farther (REP-117). False: NaN in both cases, as in depthimage_to_laserscan.

    Raises
    ------
    MsdepthError
        If the band does not fit into the image, or the image has a single column.
    """
    height, width = depth.shape
    if width < 2:
        raise MsdepthError('a scan needs an image of at least two columns')
    band = band_of_rows(intrinsics, height, scan_height)
    slope = (np.arange(width) - intrinsics.cx) / intrinsics.fx
    ranges = depth[band] * np.sqrt(1 + slope**2)
    too_near, too_far = ranges < range_min, ranges > range_max
    if beyond is not None:
        too_far |= beyond[band]
    ranges[~((ranges >= range_min) & (ranges <= range_max))] = np.inf
    # float32 as in the message: readers compute with these values.
    angle_min = np.float32(-math.atan(slope[-1]))
    angle_max = np.float32(-math.atan(slope[0]))
    increment = (angle_max - angle_min) / np.float32(width - 1)
    index = ((-np.arctan(slope) - angle_min) / increment).astype(np.intp)
    nearest = np.full(width, np.inf, np.float32)
    np.minimum.at(nearest, index, ranges.min(axis=0).astype(np.float32))
    nothing = np.isinf(nearest)
    nearest[nothing] = np.nan
    if use_inf:
        for value, found in ((np.inf, too_far), (-np.inf, too_near)):
            beams = np.zeros(width, bool)
            beams[index[found.any(axis=0)]] = True
            nearest[beams & nothing] = value
    return Scan(float(angle_min), float(angle_max), float(increment), nearest)


def band_of_rows(intrinsics: Intrinsics, height: int, scan_height: int) -> slice:
    """Return the rows that a scan is made of, in an image of `height` rows.

    Raises
    ------
    MsdepthError
        If they are not all in the image.
    """
    if not scan_height / 2 <= min(intrinsics.cy, height - intrinsics.cy):
        raise MsdepthError(
            f'scan_height {scan_height} is too large: the image has {height} rows and its '
            f'principal point is at row {intrinsics.cy:.1f}'
        )
    first = int(intrinsics.cy - scan_height / 2)
    return slice(first, first + scan_height)


def floor_in_scan(intrinsics: Intrinsics, scan_height: int, height: float, up: np.ndarray) -> float:
    """Return the range in metres at which the lowest row of the band meets the floor.

    For a level camera it is inf, or far away. For a camera that looks down, the floor appears in
    the scan as a wall at this range.

    Parameters
    ----------
    intrinsics, scan_height : as for `laser_scan`.
    height : of the camera above the floor, metres.
    up : float [3], of length 1, in the camera's optical frame.
    """
    last = int(intrinsics.cy - scan_height / 2) + scan_height - 1
    ray = np.array([0.0, (last - intrinsics.cy) / intrinsics.fy, 1.0])
    falls = -float(ray @ up)
    return height / falls if falls > 0 else math.inf


def scan_frame(image_frame: str, output_frame: str = '') -> str:
    """Return the frame of a scan: `output_frame`, or the camera's frame with x forward.

    By REP-103 the camera's frame is named like the image's, without `_optical`: camera_frame
    belongs to camera_optical_frame. If the image's frame has no `_optical` in its name, the answer
    is camera_depth_frame, the default of depthimage_to_laserscan.
    """
    if output_frame:
        return output_frame
    return image_frame.replace('_optical', '') if '_optical' in image_frame else DEFAULT_FRAME
