# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A round robot that follows a path, and stops at collisions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from msdepth_ros.drive.arena import Arena

_AHEAD = 0.35  # metres along the path to the point that it steers to (pure pursuit)
_TURN_FIRST = 0.6  # radians between heading and path from which it turns on the spot
_STRIDE = 0.02  # metres between two checks for a collision


@dataclass(frozen=True)
class Body:
    """A robot.

    Attributes
    ----------
    radius, height : metres.
    speed : metres per second.
    turn : radians per second.
    camera_pose : (x, y, z, roll, pitch, yaw) of the camera's body, as in the launch files.
    """

    radius: float = 0.2
    height: float = 0.4
    speed: float = 0.35
    turn: float = 0.8
    camera_pose: tuple[float, float, float, float, float, float] = (0.1, 0, 0.35, 0, 0.1, 0)


@dataclass(frozen=True)
class Place:
    """A robot's pose: x and y in metres, heading in radians from x towards y."""

    x: float
    y: float
    heading: float


def step(
    arena: Arena,
    body: Body,
    place: Place,
    way: Sequence[tuple[float, float]],
    seconds: float,
) -> tuple[Place, float, bool]:
    """Drive along a path of points (x, y) for some seconds.

    With an empty path the robot turns on the spot, to look around.

    Returns
    -------
    (place, metres driven, whether it hit something); it then stands in front of the obstacle.
    """
    if not way:
        return replace(place, heading=place.heading + body.turn * seconds), 0.0, False
    target = _target(place, way)
    bearing = math.atan2(target[1] - place.y, target[0] - place.x) - place.heading
    bearing = math.remainder(bearing, math.tau)
    turned = max(-body.turn * seconds, min(body.turn * seconds, bearing))
    heading = place.heading + turned
    if abs(bearing) > _TURN_FIRST:
        return replace(place, heading=heading), 0.0, False
    left = math.dist(way[-1], (place.x, place.y))
    distance = min(body.speed * seconds * max(math.cos(bearing), 0.3), left)
    driven = 0.0
    here = replace(place, heading=heading)
    for stride in np.diff(np.linspace(0, distance, max(2, math.ceil(distance / _STRIDE) + 1))):
        there = replace(
            here,
            x=here.x + stride * math.cos(heading),
            y=here.y + stride * math.sin(heading),
        )
        if arena.hits(there.x, there.y, body.radius):
            return here, driven, True
        here, driven = there, driven + float(stride)
    return here, driven, False


def _target(place: Place, way: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the first point of the path, after the nearest one, that is _AHEAD away."""
    distances = [math.dist(point, (place.x, place.y)) for point in way]
    nearest = distances.index(min(distances))
    return next((way[k] for k in range(nearest, len(way)) if distances[k] >= _AHEAD), way[-1])
