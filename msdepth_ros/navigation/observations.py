# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a costmap's layer receives: points of one sensor, filtered as nav2_costmap_2d does it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from msdepth_ros.errors import MsdepthError

_EPSILON = 1e-4  # metres; nav2_costmap_2d puts an infinite beam so far before the scan's range_max


@dataclass(frozen=True)
class Source:
    """The parameters of one observation source, with Nav2's own defaults (Humble to Kilted).

    Distances are in metres; `observation_persistence` of 0 keeps the newest message only, which is
    the only value that is supported here.
    """

    name: str
    topic: str = ''
    data_type: str = 'LaserScan'
    min_obstacle_height: float = 0.0
    max_obstacle_height: float = 0.0
    obstacle_min_range: float = 0.0
    obstacle_max_range: float = 2.5
    raytrace_min_range: float = 0.0
    raytrace_max_range: float = 3.0
    marking: bool = True
    clearing: bool = False
    inf_is_valid: bool = False
    observation_persistence: float = 0.0
    expected_update_rate: float = 0.0
    sensor_frame: str = ''

    @classmethod
    def from_parameters(cls, name: str, parameters: Mapping[str, Any]) -> 'Source':
        """Read the mapping of a source as it stands in a Nav2 parameter file.

        Raises
        ------
        MsdepthError
            If Nav2 does not know a parameter, or old observations are to be kept.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(parameters) - known)
        if unknown:
            raise MsdepthError(f'{name}: Nav2 knows no parameter {", ".join(unknown)} of a source')
        source = cls(name, **{'topic': name, **parameters})
        if source.observation_persistence:
            raise MsdepthError(f'{name}: only observation_persistence: 0.0 is supported')
        return source


@dataclass(frozen=True)
class Observation:
    """Points that a sensor saw from one place.

    Attributes
    ----------
    origin : float64 [3], the sensor in the costmap's frame, metres.
    points : float32 [n, 3] in the costmap's frame, metres.
    """

    origin: np.ndarray
    points: np.ndarray

    def between(self, low: float, high: float) -> 'Observation':
        """Return the points whose height is within limits, as nav2's ObservationBuffer keeps them.

        It does so before anything is marked or cleared: what is left out clears nothing either.
        """
        z = self.points[:, 2]
        return Observation(self.origin, self.points[(z <= high) & (z >= low)])

    def marking(self, source: Source) -> np.ndarray:
        """Return the points [n, 3] whose distance from the sensor lets them mark."""
        offset = self.points.astype(np.float64) - self.origin
        squared = (offset * offset).sum(axis=1)
        near, far = source.obstacle_min_range**2, source.obstacle_max_range**2
        return self.points[(squared < far) & (squared >= near)]


def scan_points(
    ranges: np.ndarray,
    angle_min: float,
    angle_increment: float,
    range_min: float,
    range_max: float,
    inf_is_valid: bool = False,
) -> np.ndarray:
    """Return a LaserScan's points, float32 [n, 3] in its own frame (x forward, y left, z up).

    As laser_geometry projects them: range_min <= range < range_max. With `inf_is_valid` a beam of
    +inf becomes a point just before range_max, as ObstacleLayer does it.

    Parameters
    ----------
    ranges : float [n], metres; NaN is left out.
    angle_min, angle_increment : radians.
    range_min, range_max : metres, of the message.
    """
    ranges = np.asarray(ranges, np.float64).copy()
    if inf_is_valid:
        ranges[np.isposinf(ranges)] = range_max - _EPSILON
    angles = angle_min + angle_increment * np.arange(len(ranges))
    with np.errstate(invalid='ignore'):
        keep = (ranges >= range_min) & (ranges < range_max)
    r, a = ranges[keep], angles[keep]
    return np.stack([r * np.cos(a), r * np.sin(a), np.zeros_like(r)], axis=1).astype(np.float32)
