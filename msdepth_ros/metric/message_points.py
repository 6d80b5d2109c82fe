# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The points in messages of sensors: of rclpy's and of a recording's, without ROS."""

from typing import Any

import numpy as np

from msdepth_ros.errors import MsdepthError
from msdepth_ros.images.message_fields import depth_pixels
from msdepth_ros.metric.sensors import scan_points

_TYPES = {7: 'f4', 8: 'f8'}  # sensor_msgs/PointField: FLOAT32, FLOAT64
_MOST_TURNS = 1.5  # of a scan; some drivers send a little more than one
_LONGEST_SCAN = 1.0  # seconds; the times of a scan with a longer stated duration are wrong
_MOST_POINTS = 20_000  # of a cloud; a larger one is thinned evenly
_MILLIMETRES = np.float32(1e-3)


class MeasurementError(MsdepthError):
    """A message of a sensor cannot be used."""


def points_of_scan(message: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return a LaserScan's points in its own frame, float32 [n, 3] metres, and their ages.

    The ages, int64 [n] ns, are counted from the scan's stamp, that of its first beam. As in
    laser_geometry, the angles are those of angle_min and angle_increment, which may be negative;
    angle_max and intensities are not used. A range_max of 0 is none.

    Raises
    ------
    MeasurementError
        If its angles or limits cannot be those of a scan.
    """
    limits = message.range_min, message.range_max or np.inf
    angles = message.angle_min, message.angle_increment
    _check_scan(len(message.ranges), *angles, *limits)
    points, beams = scan_points(np.asarray(message.ranges), *angles, *limits)
    step = message.time_increment or message.scan_time / max(len(message.ranges), 1)
    if not 0 <= step * len(message.ranges) <= _LONGEST_SCAN:
        step = 0.0
    return points, np.rint(beams * (1e9 * step)).astype(np.int64)


def _check_scan(
    beams: int, angle_min: float, angle_increment: float, range_min: float, range_max: float
) -> None:
    swept = abs(angle_increment) * (beams - 1)
    wrong = ''
    if not beams:
        wrong = 'has no ranges'
    elif not np.isfinite(angle_min) or not np.isfinite(angle_increment):
        wrong = f'has angle_min {angle_min:g} and angle_increment {angle_increment:g}'
    elif beams > 1 and not 0 < swept <= _MOST_TURNS * 2 * np.pi:
        wrong = f'has {beams} ranges with an angle_increment of {angle_increment:g}'
    elif not range_min <= range_max or range_min == np.inf:
        wrong = f'has range_min {range_min:g} and range_max {range_max:g}'
    if wrong:
        raise MeasurementError(f'the scan {wrong}: correct the settings of its driver')


def points_of_cloud(message: Any) -> np.ndarray:
    """Return a cloud's points in its own frame, float32 [n, 3] metres, NaN where it has none.

    Fields may come in any order, with gaps, of 32 or 64 bits, in any byte order.

    Raises
    ------
    MeasurementError
        If it has no x, y, z, or data and sizes do not fit together.
    """
    fields = {field.name: field for field in message.fields}
    order = '>' if message.is_bigendian else '<'
    formats, offsets = [], []
    for name in 'xyz':
        field = fields.get(name)
        if field is None or field.datatype not in _TYPES:
            raise MeasurementError(
                'the cloud has no fields x, y, z of 32 or 64 bits: publish it with these'
            )
        formats.append(order + _TYPES[field.datatype])
        offsets.append(field.offset)
    height, width, step = message.height, message.width, message.point_step
    row = message.row_step or width * step
    ends = [offset + np.dtype(kind).itemsize for offset, kind in zip(offsets, formats)]
    data = np.frombuffer(message.data, np.uint8)
    if max(ends) > step or row < width * step or len(data) < height * row:
        raise MeasurementError(
            f'the cloud of {width}x{height} points of {step} bytes has {len(data)} bytes: '
            'correct its driver'
        )
    dtype = np.dtype(
        {'names': ['x', 'y', 'z'], 'formats': formats, 'offsets': offsets, 'itemsize': step}
    )
    points = np.ndarray((height, width), dtype, data, strides=(row, step))
    every = int(np.ceil(height * width / _MOST_POINTS))
    if every > 1:
        across = min(every, int(np.ceil(every**0.5))) if height > 1 else every
        down = int(np.ceil(every / across)) if height > 1 else 1
        points = points[::down, ::across]
    return np.stack([points[name].ravel().astype(np.float32) for name in 'xyz'], axis=-1)


def metres_of_depth(message: Any) -> np.ndarray:
    """Return a depth image (16UC1 millimetres, 32FC1 metres) as float32 metres, 0 where none.

    Raises
    ------
    ImageError
        If size, step, data and encoding do not fit together, or it is no depth image.
    """
    values = depth_pixels(message)
    if values.dtype.kind == 'u':
        return values * _MILLIMETRES
    metres = values.astype(np.float32)
    metres[~np.isfinite(metres)] = 0
    return metres
