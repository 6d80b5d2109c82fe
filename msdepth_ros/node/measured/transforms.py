# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Transforms between sensors, camera and robot, from parameters or TF."""

import functools
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.time import Time

from msdepth_ros.geometry.camera_pose import BODY_TO_OPTICAL, CameraPose
from msdepth_ros.geometry.rigid import inverse, rigid
from msdepth_ros.node.messages import nanoseconds

POSES = {
    'scan': 'measured.scan_pose',
    'points': 'measured.points_pose',
    'depth': 'measured.depth_pose',
}


class Transforms:
    """Looks up transforms in the parameters and in TF, if it is installed, without waiting."""

    def __init__(self, node: Node) -> None:
        self._buffer: Any = None
        self._listener: Any = None
        try:
            import tf2_ros
        except ImportError:
            return
        self._buffer = tf2_ros.Buffer()
        self._listener = tf2_ros.TransformListener(self._buffer, node)

    def close(self) -> None:
        """Unsubscribe from TF."""
        if self._listener is not None:
            self._listener.unregister()
            self._buffer = self._listener = None

    def to_camera(
        self, source: str, sensor_frame: str, camera_frame: str, values: dict[str, Any]
    ) -> np.ndarray | None:
        """Return float64 [4, 4], from the sensor's frame to the camera's; None: not known.

        Parameters override TF. A sensor with the camera's frame needs neither.
        """
        if sensor_frame == camera_frame:
            return np.eye(4)
        camera, sensor = camera_matrix(values), values[POSES[source]]
        if camera is not None and sensor:
            optical = source == 'depth' or 'optical' in sensor_frame
            return inverse(camera) @ pose_matrix(CameraPose.parse(sensor), optical)
        found = self._lookup(camera_frame, sensor_frame, Time())
        return None if found is None else _transform(found)

    def mount(
        self, robot_frame: str, camera_frame: str, values: dict[str, Any], roughly: bool = False
    ) -> np.ndarray | None:
        """Return float64 [4, 4], from the camera's optical frame to the robot's; None: not known.

        If the odometry is of the camera's own frame, neither a parameter nor TF is needed. With
        `roughly`, height and pitch are enough: the camera is taken to be above the robot's middle.
        """
        if robot_frame == camera_frame:
            return np.eye(4)
        if values['camera_pose']:
            return camera_matrix(values)
        found = self._lookup(robot_frame, camera_frame, Time())
        if found is None:
            return camera_matrix(values) if roughly else None
        return _transform(found)

    def pose(
        self, fixed_frame: str, camera_frame: str, stamp: int
    ) -> tuple[int, np.ndarray] | None:
        """Return the camera's pose in a frame at a stamp in ns, or the newest; None: not known.

        Returns
        -------
        (stamp of the pose in ns, float64 [4, 4]).
        """
        found = self._lookup(fixed_frame, camera_frame, Time(nanoseconds=stamp))
        if found is None:
            found = self._lookup(fixed_frame, camera_frame, Time())
            stamp = stamp if found is None else nanoseconds(found.header.stamp)
        pose = None if found is None else _transform(found)
        return None if pose is None else (stamp, pose)

    def _lookup(self, target: str, source: str, time: Time) -> Any:
        if self._buffer is None:
            return None
        try:
            return self._buffer.lookup_transform(target, source, time)
        except Exception:  # tf2 has a class of errors for each reason; all mean: not available
            return None


def _transform(found: Any) -> np.ndarray | None:
    p, q = found.transform.translation, found.transform.rotation
    try:
        return rigid((p.x, p.y, p.z), (q.x, q.y, q.z, q.w))
    except ValueError:
        return None


def camera_matrix(values: dict[str, Any]) -> np.ndarray | None:
    """Return float64 [4, 4], from the camera's optical frame to base_frame; None: only in TF."""
    if values['camera_pose']:
        return pose_matrix(CameraPose.parse(values['camera_pose']), optical=True)
    if values['camera_height'] > 0:
        height, pitch = values['camera_height'], values['camera_pitch']
        return pose_matrix(CameraPose(0.0, 0.0, height, 0.0, pitch, 0.0), optical=True)
    return None


@functools.lru_cache(maxsize=16)  # each frame asks for the same few
def pose_matrix(pose: CameraPose, optical: bool) -> np.ndarray:
    """Return float64 [4, 4], from a body (x forward), or its optical frame, to base_frame.

    It is read-only.
    """
    matrix = rigid((pose.x, pose.y, pose.z), pose.body_rotation())
    if optical:
        matrix = matrix @ rigid((0.0, 0.0, 0.0), BODY_TO_OPTICAL)
    matrix.setflags(write=False)
    return matrix
