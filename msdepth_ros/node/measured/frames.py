# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where sensors sit to the camera: from TF where that is installed, else from parameters."""

from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.time import Time

from msdepth_ros.launching.camera_pose import BODY_TO_OPTICAL, CameraPose, Quaternion

POSES = {
    'scan': 'measured.scan_pose',
    'points': 'measured.points_pose',
    'depth': 'measured.depth_pose',
}


class Frames:
    """Knows the transform from a sensor's frame to the camera's optical frame, without waiting."""

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
        """Stop listening to TF."""
        if self._listener is not None:
            self._listener.unregister()
            self._buffer = self._listener = None

    def to_camera(
        self, source: str, sensor_frame: str, camera_frame: str, values: dict[str, Any]
    ) -> np.ndarray | None:
        """Return float64 [4, 4], from the sensor's frame to the camera's; None: not known.

        Parameters count before TF. A sensor whose frame is the camera's needs neither.
        """
        if sensor_frame == camera_frame:
            return np.eye(4)
        camera, sensor = camera_matrix(values), values[POSES[source]]
        if camera is not None and sensor:
            optical = source == 'depth' or 'optical' in sensor_frame
            return np.linalg.inv(camera) @ pose_matrix(CameraPose.parse(sensor), optical)
        if self._buffer is None:
            return None
        try:
            found = self._buffer.lookup_transform(camera_frame, sensor_frame, Time())
        except Exception:  # tf2 has a class of errors for each reason; all mean: not now
            return None
        p, q = found.transform.translation, found.transform.rotation
        return _matrix((q.x, q.y, q.z, q.w), (p.x, p.y, p.z))


def camera_matrix(values: dict[str, Any]) -> np.ndarray | None:
    """Return float64 [4, 4], from the camera's optical frame to base_frame; None: by TF alone."""
    if values['camera_pose']:
        return pose_matrix(CameraPose.parse(values['camera_pose']), optical=True)
    if values['camera_height'] > 0:
        height, pitch = values['camera_height'], values['camera_pitch']
        return pose_matrix(CameraPose(0.0, 0.0, height, 0.0, pitch, 0.0), optical=True)
    return None


def pose_matrix(pose: CameraPose, optical: bool) -> np.ndarray:
    """Return float64 [4, 4], from a body (x forward), or its optical frame, to base_frame."""
    matrix = _matrix(pose.body_rotation(), (pose.x, pose.y, pose.z))
    return matrix @ _matrix(BODY_TO_OPTICAL, (0.0, 0.0, 0.0)) if optical else matrix


def _matrix(rotation: Quaternion, translation: tuple[float, float, float]) -> np.ndarray:
    x, y, z, w = rotation
    matrix = np.eye(4)
    matrix[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    matrix[:3, 3] = translation
    return matrix
