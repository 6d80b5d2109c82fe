# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Points that a moving robot measured, where they are when an image is taken.

A scan in motion is bent, and late.
"""

from collections.abc import Callable

import numpy as np

from msdepth_ros.geometry.rigid import inverse


def moved(
    points: np.ndarray,
    stamps: np.ndarray,
    stamp: int,
    between: Callable[[int, int], np.ndarray | None],
    base_to_camera: np.ndarray,
    to_camera: np.ndarray,
    parts: int = 16,
) -> np.ndarray:
    """Return points in the camera's frame at the time of an image, float32 [n, 3].

    Parameters
    ----------
    points : float32 [n, 3], in the sensor's frame, in the order of their stamps.
    stamps : int64 [n], ns, when each was measured.
    stamp : ns, of the image.
    between : returns where the robot's frame of one time, ns, lies in that of another, float64
        [4, 4]; None where that is not known.
    base_to_camera, to_camera : float64 [4, 4], from the robot's and from the sensor's frame to the
        camera's.
    parts : that are moved each as a whole.
    """
    found = np.empty_like(points)
    for part in np.array_split(np.arange(len(points)), parts):
        if not len(part):
            continue
        motion_of_part = between(int(stamps[part].mean()), stamp)
        matrix = to_camera
        if motion_of_part is not None:
            matrix = base_to_camera @ motion_of_part @ inverse(base_to_camera) @ to_camera
        turned = points[part] @ matrix[:3, :3].T.astype(np.float32)
        found[part] = turned + matrix[:3, 3].astype(np.float32)
    return found
