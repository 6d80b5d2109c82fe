# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Points that a moving robot measured, where they are when an image is taken.

A scan in motion is bent, and late.
"""

import itertools
import math
from collections.abc import Callable

import numpy as np

_PART = 10_000_000  # ns in which a robot hardly moves
_MOST_PARTS = 16


def moved(
    points: np.ndarray,
    stamps: np.ndarray,
    stamp: int,
    between: Callable[[int, int], np.ndarray | None],
    to_camera: np.ndarray,
) -> np.ndarray:
    """Return points in the camera's frame at the time of an image, float32 [n, 3].

    Points that were measured within 10 ms are moved together.

    Parameters
    ----------
    points : float32 [n, 3], in the sensor's frame, in the order of their stamps.
    stamps : int64 [n], ns, when each was measured.
    stamp : ns, of the image.
    between : returns where the camera's frame of one time, ns, lies in that of another, float64
        [4, 4]; None where that is not known.
    to_camera : float64 [4, 4], from the sensor's frame to the camera's.
    """
    found = np.empty_like(points)
    if not len(points):
        return found
    parts = min(max(math.ceil((stamps[-1] - stamps[0]) / _PART), 1), _MOST_PARTS, len(points))
    for first, end in itertools.pairwise(np.linspace(0, len(points), parts + 1).astype(int)):
        motion = between(int(stamps[first:end].mean()), stamp)
        matrix = (to_camera if motion is None else motion @ to_camera).astype(np.float32)
        found[first:end] = points[first:end] @ matrix[:3, :3].T + matrix[:3, 3]
    return found
