# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The observations of a costmap layer: points of a sensor, filtered as in nav2_costmap_2d."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from msdepth_ros.errors import MsdepthError

_EPSILON = 1e-4  # metres before range_max to which nav2_costmap_2d sets an infinite beam


@dataclass(frozen=True)
class Source:
    """The parameters of one observation source, with Nav2's defaults (Humble to Kilted).

    Distances are in metres. Only `observation_persistence` 0 is supported: the newest message
    counts.
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
        """Read the mapping of a source in a Nav2 parameter file.

        Raises
        ------
        MsdepthError
            If a parameter is unknown to Nav2, or observation_persistence is not 0.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(parameters) - known)
        if unknown:
            raise MsdepthError(f'{name}: Nav2 has no parameter {", ".join(unknown)} for a source')
        source = cls(name, **{'topic': name, **parameters})
        if source.observation_persistence:
            raise MsdepthError(f'{name}: only observation_persistence: 0.0 is supported')
        return source


@dataclass(frozen=True)
class Observation:
    """Points seen by a sensor from one position.

    Attributes
    ----------
    origin : float64 [3], position of the sensor in the costmap's frame, metres.
    points : float32 [n, 3] in the costmap's frame, metres.
    """

    origin: np.ndarray
    points: np.ndarray

    def between(self, low: float, high: float) -> 'Observation':
        """Return the points with a height within limits, as Nav2's ObservationBuffer does.

        This is done before marking and clearing, so dropped points do not clear either.
        """
        z = self.points[:, 2]
        return Observation(self.origin, self.points[(z <= high) & (z >= low)])

    def marking(self, source: Source) -> np.ndarray:
        """Return the points [n, 3] within the source's obstacle range, which may mark."""
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
    """Return a LaserScan's points, float32 [n, 3] metres in its frame (x forward, y left, z up).

    As in laser_geometry, ranges with range_min <= range < range_max are projected. With
    `inf_is_valid` a beam of +inf becomes a point just before range_max, as in Nav2's ObstacleLayer.

    Parameters
    ----------
    ranges : float [n], metres; NaN is left out.
    angle_min, angle_increment : radians.
    range_min, range_max : limits of the message, metres.
    inf_is_valid : whether +inf gives a point.
    """
    ranges = np.asarray(ranges, np.float64).copy()
    if inf_is_valid:
        ranges[np.isposinf(ranges)] = range_max - _EPSILON
    angles = angle_min + angle_increment * np.arange(len(ranges))
    with np.errstate(invalid='ignore'):
        keep = (ranges >= range_min) & (ranges < range_max)
    r, a = ranges[keep], angles[keep]
    return np.stack([r * np.cos(a), r * np.sin(a), np.zeros_like(r)], axis=1).astype(np.float32)
