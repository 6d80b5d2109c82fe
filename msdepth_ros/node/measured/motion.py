# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How a robot moved between two times, by the odometry that a node hears."""

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
