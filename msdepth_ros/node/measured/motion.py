# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The motion of a robot between two times, from odometry messages."""

import threading

import numpy as np
from nav_msgs.msg import Odometry

from msdepth_ros.geometry.rigid import inverse, rigid
from msdepth_ros.metric.poses import PoseError, PoseHistory
from msdepth_ros.node.messages import nanoseconds


class Motion:
    """Keeps the odometry of the last seconds; its methods may be called from different threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._history = PoseHistory()

    def hear(self, message: Odometry) -> None:
        """Add a message."""
        p, q = message.pose.pose.position, message.pose.pose.orientation
        values = np.array([p.x, p.y, p.z, q.x, q.y, q.z, q.w])
        if np.isfinite(values).all() and np.linalg.norm(values[3:]) > 0.5:
            with self._lock:
                stamp = nanoseconds(message.header.stamp)
                self._history.add(stamp, rigid(values[:3].tolist(), values[3:].tolist()))

    def between(self, before: int, after: int) -> np.ndarray | None:
        """Return the transform from the robot's frame at `before` to that at `after`.

        Parameters
        ----------
        before, after : stamps in ns.

        Returns
        -------
        float64 [4, 4]; None if the odometry does not cover both times, or jumped between them.
        """
        with self._lock:
            try:
                first, second = self._history.at(before), self._history.at(after)
            except PoseError:
                return None
        return inverse(second.matrix) @ first.matrix if first.jumps == second.jumps else None
