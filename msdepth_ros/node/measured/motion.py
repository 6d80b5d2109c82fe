# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How a robot moved between a measurement and an image: a scan in motion is bent, and late."""

import threading

import numpy as np
from nav_msgs.msg import Odometry

from msdepth_ros.geometry.rigid import inverse, rigid
from msdepth_ros.metric.poses import PoseError, PoseHistory
from msdepth_ros.node.messages import nanoseconds


class Motion:
    """Knows the odometry of the last seconds; heard on one thread, asked on another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._history = PoseHistory()

    def hear(self, message: Odometry) -> None:
        """Take an odometry."""
        p, q = message.pose.pose.position, message.pose.pose.orientation
        values = np.array([p.x, p.y, p.z, q.x, q.y, q.z, q.w])
        if np.isfinite(values).all() and np.linalg.norm(values[3:]) > 0.5:
            with self._lock:
                stamp = nanoseconds(message.header.stamp)
                self._history.add(stamp, rigid(values[:3].tolist(), values[3:].tolist()))

    def between(self, before: int, after: int) -> np.ndarray | None:
        """Return where the robot's frame of one time lies in that of another, float64 [4, 4].

        None where the odometry does not tell. Times are stamps in ns.
        """
        with self._lock:
            try:
                first, second = self._history.at(before), self._history.at(after)
            except PoseError:
                return None
        return inverse(second.matrix) @ first.matrix if first.jumps == second.jumps else None


def moved(
    points: np.ndarray,
    stamps: np.ndarray,
    stamp: int,
    motion: Motion,
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
    base_to_camera, to_camera : float64 [4, 4], from the robot's and from the sensor's frame to the
        camera's.
    parts : that are moved each as a whole.
    """
    found = np.empty_like(points)
    for part in np.array_split(np.arange(len(points)), parts):
        if not len(part):
            continue
        motion_of_part = motion.between(int(stamps[part].mean()), stamp)
        matrix = to_camera
        if motion_of_part is not None:
            matrix = base_to_camera @ motion_of_part @ inverse(base_to_camera) @ to_camera
        turned = points[part] @ matrix[:3, :3].T.astype(np.float32)
        found[part] = turned + matrix[:3, 3].astype(np.float32)
    return found
