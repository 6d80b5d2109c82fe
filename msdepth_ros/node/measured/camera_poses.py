# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the moving camera was at a time: by odometry and its mount, or by TF."""

import threading
from typing import Any

import numpy as np
from nav_msgs.msg import Odometry

from msdepth_ros.geometry.rigid import inverse
from msdepth_ros.metric.poses import PoseError, PoseHistory
from msdepth_ros.node.measured.transforms import Transforms
from msdepth_ros.node.messages import nanoseconds


class CameraPoses:
    """Knows the poses of the camera in the last seconds; thread-safe.

    A pose is that of `odom` with the mount (`camera_pose`, else TF). While nothing arrives on
    `odom`, it is the pose in `fixed_frame` from TF.
    """

    def __init__(self, transforms: Transforms) -> None:
        self._transforms = transforms
        self._lock = threading.Lock()
        self._odometry = PoseHistory()
        self._in_tf = PoseHistory()
        self._robot_frame = ''

    def hear(self, message: Odometry) -> None:
        """Add an odometry message."""
        position, turn = message.pose.pose.position, message.pose.pose.orientation
        with self._lock:
            self._odometry.hear(
                nanoseconds(message.header.stamp),
                (position.x, position.y, position.z),
                (turn.x, turn.y, turn.z, turn.w),
                (message.header.frame_id, message.child_frame_id),
            )
            self._robot_frame = message.child_frame_id

    def at(
        self, stamp: int, camera_frame: str, values: dict[str, Any], roughly: bool = False
    ) -> tuple[np.ndarray, object]:
        """Return the camera's pose at a stamp in ns, and a key: compare only poses of equal keys.

        Parameters
        ----------
        camera_frame : the optical frame of the images.
        values : the node's parameters.
        roughly : accept a mount of which only height and pitch are known.

        Raises
        ------
        PoseError
            If it is not known; it says why.
        """
        with self._lock:
            heard, robot_frame = self._odometry.heard, self._robot_frame
            robot = self._odometry.at(stamp) if heard else None
        if robot is not None:
            mount = self._transforms.mount(robot_frame, camera_frame, values, roughly)
            if mount is None:
                raise PoseError('no mount')
            return robot.matrix @ mount, ('odom', robot_frame, robot.jumps)
        found = self._transforms.pose(values['fixed_frame'], camera_frame, stamp)
        if found is None:
            raise PoseError('nothing came')
        self._in_tf.add(*found)
        if found[0] == stamp:
            return found[1], ('tf', self._in_tf.jumps)
        camera = self._in_tf.at(stamp)
        return camera.matrix, ('tf', camera.jumps)

    def between(
        self, before: int, after: int, camera_frame: str, values: dict[str, Any]
    ) -> np.ndarray | None:
        """Return where the camera's frame of one time lies in that of another, float64 [4, 4].

        None where that is not known. Times are stamps in ns.
        """
        if before == after:
            return np.eye(4)
        try:  # the earlier one first, as TF may not know the later one yet
            first, origin = self.at(before, camera_frame, values, roughly=True)
            second, same = self.at(after, camera_frame, values, roughly=True)
        except PoseError:
            return None
        return inverse(second) @ first if origin == same else None
