# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rigid transforms: 4x4 matrices that take points from one frame to another, in metres.

A pose is the transform from a body's own frame to a reference frame.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np

_UNIT_TOLERANCE = 0.01  # of a quaternion's length


def rigid(position: Sequence[float], quaternion: Sequence[float]) -> np.ndarray:
    """Return the transform of a position (x, y, z) and a unit quaternion (x, y, z, w).

    Returns
    -------
    float64 [4, 4].

    Raises
    ------
    ValueError
        If a number is not finite, or the quaternion is not of length 1.
    """
    x, y, z, w = (float(number) for number in quaternion)
    length = math.sqrt(x * x + y * y + z * z + w * w)
    finite = all(math.isfinite(number) for number in (*position, length))
    if not finite or abs(length - 1) > _UNIT_TOLERANCE:
        raise ValueError(
            f'position {tuple(position)} and quaternion {tuple(quaternion)} (x, y, z, w) are not a '
            'pose: all must be finite and the quaternion of length 1'
        )
    x, y, z, w = x / length, y / length, z / length, w / length
    transform = np.eye(4)
    transform[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    transform[:3, 3] = position
    return transform


def quaternion(transform: np.ndarray) -> tuple[float, float, float, float]:
    """Return the rotation of a transform [4, 4] as a unit quaternion x, y, z, w."""
    turn, _ = cv2.Rodrigues(transform[:3, :3])
    angle = float(np.linalg.norm(turn))
    x, y, z = (turn[:, 0] * (math.sin(angle / 2) / angle if angle else 0.5)).tolist()
    return x, y, z, math.cos(angle / 2)


def inverse(transform: np.ndarray) -> np.ndarray:
    """Return the inverse of a transform, float64 [4, 4]."""
    back = np.eye(4)
    back[:3, :3] = transform[:3, :3].T
    back[:3, 3] = -transform[:3, :3].T @ transform[:3, 3]
    return back


def rotation_angle(transform: np.ndarray) -> float:
    """Return the angle of the rotation of a transform [4, 4], radians."""
    cosine = (float(np.trace(transform[:3, :3])) - 1) / 2
    return math.acos(min(max(cosine, -1.0), 1.0))


def between(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """Interpolate between two poses at constant linear and angular speed.

    Parameters
    ----------
    first, second : float64 [4, 4].
    share : 0 is the first, 1 the second; above 1 the motion is extrapolated.

    Returns
    -------
    float64 [4, 4].
    """
    turn, _ = cv2.Rodrigues(first[:3, :3].T @ second[:3, :3])
    part, _ = cv2.Rodrigues(turn * share)
    pose = np.eye(4)
    pose[:3, :3] = first[:3, :3] @ part
    pose[:3, 3] = (1 - share) * first[:3, 3] + share * second[:3, 3]
    return pose
