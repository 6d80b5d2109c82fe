# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Depth from earlier views of the moving camera, with poses from odometry or TF."""

import threading
from typing import Any

import numpy as np
from nav_msgs.msg import Odometry

from msdepth_ros.geometry.rigid import rigid
from msdepth_ros.inference.measured_views import measure_views
from msdepth_ros.metric.poses import Pose, PoseError, PoseHistory
from msdepth_ros.metric.sparse_depth import SparseDepth
from msdepth_ros.metric.views import Views
from msdepth_ros.node.measured.frames import Frames
from msdepth_ros.node.measured.sources import Request, Source, UnusableError
from msdepth_ros.node.messages import nanoseconds


class ViewsSource(Source):
    """Measures points that earlier images show from other positions.

    The camera's pose is that of `odom` with the mount (`camera_pose`, else TF). While nothing
    arrives on `odom`, it is the pose in `fixed_frame` from TF.
    """

    name = 'views'
    topics = {'odom': Odometry}  # noqa: RUF012
    queue = 50  # odometry is published faster than images

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._views = Views()
        self._lock = threading.Lock()
        self._odometry = PoseHistory()
        self._in_tf = PoseHistory()
        self._robot_frame = ''
        self._origin: object = None

    def hear(self, topic: str, message: Any) -> None:
        """Add an odometry message; skip one without a valid pose."""
        position, turn = message.pose.pose.position, message.pose.pose.orientation
        try:
            pose = rigid((position.x, position.y, position.z), (turn.x, turn.y, turn.z, turn.w))
        except ValueError:
            return
        with self._lock:
            self._odometry.add(nanoseconds(message.header.stamp), pose)
            self._robot_frame = message.child_frame_id

    def measure(self, request: Request) -> tuple[SparseDepth, float]:
        """Return the measured points."""
        try:
            matrix, origin = self._camera_pose(request)
        except PoseError as error:
            raise UnusableError(str(error)) from error
        if origin != self._origin:
            self._views.clear()
            self._origin = origin
        sparse = measure_views(
            self._views, request.depth, request.metric, request.geometry, request.image, matrix
        )
        if sparse is None:
            raise UnusableError('no calibration')
        if not len(sparse):
            raise UnusableError(self._views.reason)
        return sparse, 0.0

    def _camera_pose(self, request: Request) -> tuple[np.ndarray, object]:
        """Return the camera's pose, and a key: only poses with equal keys can be compared."""
        with self._lock:
            heard, robot_frame = len(self._odometry) > 0, self._robot_frame
            robot = self._odometry.at(request.stamp) if heard else None
        if robot is not None:
            mount = self._frames.mount(robot_frame, request.frame, request.values)
            if mount is None:
                raise UnusableError('no mount')
            return robot.matrix @ mount, ('odom', robot_frame, robot.jumps)
        camera = self._by_tf(request)
        return camera.matrix, ('tf', camera.jumps)

    def _by_tf(self, request: Request) -> Pose:
        frame = request.values['fixed_frame']
        found = self._frames.pose(frame, request.frame, request.stamp)
        if found is None:
            raise UnusableError('nothing came')
        self._in_tf.add(*found)
        return self._in_tf.at(request.stamp)
