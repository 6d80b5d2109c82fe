# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The pose of a camera on the robot, from the node's parameters or from TF."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.time import Time
from viser.transforms import SO3

from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.camera_pose import OPTICAL_TO_BODY, CameraPose, Quaternion


@dataclass(frozen=True)
class Pose:
    """The pose of a frame in the robot's frame (x forward, y left, z up; origin on the floor).

    Attributes
    ----------
    rotation : float64 [3, 3], from the frame to the robot's frame.
    position : float64 [3], metres.
    source : where the pose comes from, as text; '' = it is not known.
    """

    rotation: np.ndarray
    position: np.ndarray
    source: str = ''

    def apply(self, points: np.ndarray) -> np.ndarray:
        """Return points [..., 3] of this frame in the robot's frame."""
        return points @ self.rotation.T + self.position

    def inverse_ray(
        self, origin: np.ndarray, direction: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return a ray of the robot's frame in this frame."""
        return (origin - self.position) @ self.rotation, direction @ self.rotation

    @property
    def wxyz(self) -> np.ndarray:
        """The rotation as a unit quaternion, float64 [4], w first."""
        return SO3.from_matrix(self.rotation).wxyz

    def body(self) -> 'Pose':
        """Return the pose of the body frame (x forward) of this optical frame."""
        return Pose(self.rotation @ _matrix(OPTICAL_TO_BODY), self.position, self.source)


LEVEL = CameraPose(0, 0, 0, 0, 0, 0)


def camera_pose(values: Mapping[str, Any]) -> Pose:
    """Return the pose of an optical frame from the node's parameters.

    `camera_pose` overrides `camera_height` and `camera_pitch`. Without any of them the camera is
    assumed level at the origin, and `source` is ''.
    """
    text = values.get('camera_pose')
    if text:
        try:
            return _optical(CameraPose.parse(text), 'camera_pose')
        except MsdepthError:
            pass  # the node reports what is wrong with it
    height = values.get('camera_height', 0.0)
    if height > 0:
        pose = CameraPose(0, 0, height, 0, values.get('camera_pitch', 0.0), 0)
        return _optical(pose, 'camera_height')
    return _optical(LEVEL, '')


class TransformTree:
    """Reads TF, if tf2_ros is installed, until `close`."""

    def __init__(self, node: Node) -> None:
        self._buffer: Any = None
        try:
            import tf2_ros
        except ImportError:
            return
        self._buffer = tf2_ros.Buffer()
        self._listener = tf2_ros.TransformListener(self._buffer, node, spin_thread=False)

    def find(self, base_frame: str, frame: str) -> Pose | None:
        """Return the newest pose of `frame` in `base_frame`, None while TF does not join them."""
        if self._buffer is None:
            return None
        try:
            found = self._buffer.lookup_transform(base_frame, frame, Time()).transform
        except Exception:  # tf2's own errors have no common base on every distro
            return None
        t, q = found.translation, found.rotation
        return Pose(_matrix((q.x, q.y, q.z, q.w)), np.array([t.x, t.y, t.z]), 'TF')

    def close(self) -> None:
        """Unsubscribe from TF."""
        if self._buffer is not None:
            self._listener.unregister()
            self._buffer = None


def _optical(pose: CameraPose, source: str) -> Pose:
    position = np.array([pose.x, pose.y, pose.z], np.float64)
    return Pose(_matrix(pose.optical_rotation()), position, source)


def _matrix(quaternion: Quaternion) -> np.ndarray:
    x, y, z, w = quaternion
    return SO3(np.array([w, x, y, z])).normalize().as_matrix()
