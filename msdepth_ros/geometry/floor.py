# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The floor in a depth image: the camera's height above it, from the depth alone.

A plane that does not pass through the camera is q . p = -1 for its points p; q is its upward
normal divided by the camera's height above it. q . p + 1 is then minus the relative error of the
depth of p along its ray: a tolerance on it means the same near and far, and at any scale.
"""

import math
from dataclasses import dataclass

import numpy as np

from msdepth_ros.errors import MsdepthError

TOLERANCE = 0.06  # largest relative depth error of a point on the floor
MIN_SHARE = 0.2  # fraction of the valid points that must lie on the floor
MIN_POINTS = 100
MAX_TILT = 10.0  # degrees between the floor's normal and the expected upward direction
_LEAST_TOLERANCE = 0.01  # relative depth error; the refinement does not go below it
_HYPOTHESES = 400
_SAMPLES = 1500  # points that each hypothesis is tested with
_REFINEMENTS = 10


class FloorError(MsdepthError):
    """There is not enough floor in the image to measure the height."""


@dataclass(frozen=True)
class Floor:
    """The floor in the camera's optical frame.

    Attributes
    ----------
    normal : float64 [3], of length 1, upwards.
    height : of the camera above the floor, in the unit of the depth (metres, if it is metric).
    share : fraction of the valid points that lie on the floor.
    tilt : degrees between `normal` and the expected direction.
    scatter : standard deviation of the relative depth error of these points.
    """

    normal: np.ndarray
    height: float
    share: float
    tilt: float
    scatter: float


def up_from_pitch(pitch: float) -> np.ndarray:
    """Return the upward direction in the optical frame of a camera without roll.

    Parameters
    ----------
    pitch : downwards, radians.

    Returns
    -------
    float64 [3], of length 1. Optical frame (REP-103): x right, y down, z forward.
    """
    return np.array([0.0, -math.cos(pitch), -math.sin(pitch)])


def fit_floor(points: np.ndarray, up: np.ndarray) -> Floor:
    """Find the floor by RANSAC, then refine it by least squares.

    The score of a plane is the number of points on it minus the number of points below it, so that
    a table is not taken for the floor. In the refinement the tolerance shrinks to 1.5 standard
    deviations of the plane's points. This leaves out the foot of a wall, where wall and floor are
    nearly equally far.

    Parameters
    ----------
    points : float [..., 3 or more], x, y, z in the optical frame in metres; NaN is ignored.
    up : float [3], the expected upward direction in that frame.

    Raises
    ------
    FloorError
        If fewer than MIN_SHARE of the valid points (or than MIN_POINTS) lie on one plane below
        the camera whose normal is within MAX_TILT of `up`; the message has the numbers.
    """
    points = points[..., :3].reshape(-1, 3)
    points = points[np.isfinite(points).all(axis=1)].astype(np.float64)
    up = np.asarray(up, np.float64) / np.linalg.norm(up)
    below = points[points @ up < 0]
    needed = max(MIN_POINTS, math.ceil(MIN_SHARE * len(points)))
    if len(below) < needed:
        raise _too_little(len(below), len(points), needed, 'lie below the camera')
    plane = _best_hypothesis(below, up)
    if plane is None:
        raise _too_little(
            0, len(points), needed, f'lie on a plane within {MAX_TILT:.0f} degrees of level'
        )
    tolerance = TOLERANCE
    for _ in range(_REFINEMENTS):
        floor = below[np.abs(below @ plane + 1) <= tolerance]
        if len(floor) < needed:
            raise _too_little(len(floor), len(points), needed, 'lie on one level plane')
        plane = np.linalg.lstsq(floor, -np.ones(len(floor)), rcond=None)[0]
        deviation = 1.4826 * np.median(np.abs(floor @ plane + 1))
        tolerance = float(np.clip(1.5 * deviation, _LEAST_TOLERANCE, tolerance))
    normal = plane / np.linalg.norm(plane)
    tilt = _degrees_between(normal, up)
    if tilt > MAX_TILT:
        raise FloorError(
            f'the plane found is tilted by {tilt:.1f} degrees from level, as the mount says it (at '
            f'most {MAX_TILT:.0f}): correct the pitch or the transform of the camera, or show it '
            'more floor'
        )
    return Floor(
        normal=normal,
        height=float(1 / np.linalg.norm(plane)),
        share=len(floor) / len(points),
        tilt=tilt,
        scatter=float(np.std(floor @ plane)),
    )


def _best_hypothesis(points: np.ndarray, up: np.ndarray) -> np.ndarray | None:
    """Return the best plane q through three random points; None if none is level enough."""
    rng = np.random.default_rng(0)
    a, b, c = (points[rng.integers(len(points), size=_HYPOTHESES)] for _ in range(3))
    normals = np.cross(b - a, c - a)
    offsets = np.einsum('ij,ij->i', normals, a)
    with np.errstate(divide='ignore', invalid='ignore'):
        planes = -normals / offsets[:, None]
        cosines = planes @ up / np.linalg.norm(planes, axis=1)
    planes = planes[cosines >= math.cos(math.radians(MAX_TILT))]
    if len(planes) == 0:
        return None
    sample = points[rng.integers(len(points), size=_SAMPLES)]
    error = sample @ planes.T + 1
    score = (np.abs(error) <= TOLERANCE).sum(axis=0) - (error < -3 * TOLERANCE).sum(axis=0)
    return planes[score.argmax()]


def _degrees_between(a: np.ndarray, b: np.ndarray) -> float:
    return math.degrees(math.acos(min(1.0, float(a @ b))))


def _too_little(found: int, valid: int, needed: int, where: str) -> FloorError:
    return FloorError(
        f'too little floor: {found} of {valid} valid points {where}, {needed} are needed; '
        'point the camera so that flat floor fills a larger part of the image'
    )
