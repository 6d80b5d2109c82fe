# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The mount: a camera's height above the floor and the direction of up, from parameters or TF."""

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy import create_node
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.time import Time

from msdepth_ros.errors import MsdepthError, quoted
from msdepth_ros.geometry.camera_pose import CameraPose
from msdepth_ros.geometry.floor import up_from_pitch

TF_PATIENCE = 3.0  # seconds


@dataclass(frozen=True)
class Mount:
    """A camera's height and direction over the floor.

    Attributes
    ----------
    height : metres above the floor.
    up : float64 [3], unit vector upwards in the camera's optical frame.
    source : where they come from, for messages.
    """

    height: float
    up: np.ndarray
    source: str


def mount_from_parameters(height: float, pitch: float) -> Mount:
    """Return the mount of a camera without roll, pitched down by `pitch` radians."""
    source = f'camera_height {height:g} m, camera_pitch {math.degrees(pitch):.1f} degrees'
    return Mount(height, up_from_pitch(pitch), source)


def mount_from_pose(text: str) -> Mount:
    """Return the mount for the parameter camera_pose: 'x y z roll pitch yaw' in base_frame.

    Raises
    ------
    MsdepthError
        If it is no pose, or the camera is not above the floor.
    """
    pose = CameraPose.parse(text)
    if pose.z <= 0:
        raise MsdepthError(
            f"camera_pose '{text}' is {pose.z:g} m above the floor: measure from a base_frame on "
            'the floor, as base_footprint is'
        )
    return Mount(pose.z, _up(*pose.optical_rotation()), f"camera_pose '{text}'")


def mount_from_values(values: dict[str, Any]) -> Mount | None:
    """Return the mount given by the node's parameters, None if it is to be taken from TF.

    camera_pose overrides camera_height and camera_pitch.

    Raises
    ------
    MsdepthError
        If camera_pose is no pose, or is not above the floor.
    """
    if values['camera_pose']:
        return mount_from_pose(values['camera_pose'])
    if values['camera_height'] > 0:
        return mount_from_parameters(values['camera_height'], values['camera_pitch'])
    return None


def mount_from_tf(node: Node, base_frame: str, camera_frame: str) -> Mount:
    """Return the mount from TF; `base_frame` has its origin on the floor and z up.

    It subscribes to TF only during the call, which takes up to TF_PATIENCE.

    Raises
    ------
    MsdepthError
        If tf2_ros is not installed, TF does not join the frames, or the camera is not above the
        floor.
    """
    try:
        import tf2_ros
    except ImportError as error:
        raise MsdepthError(
            'tf2_ros is not installed: set the parameters camera_height (metres) and camera_pitch '
            '(radians, down is positive) instead'
        ) from error
    remappings = [
        word
        for topic in ('/tf', '/tf_static')
        for word in ('-r', f'{topic}:={node.resolve_topic_name(topic)}')
    ]
    listener = create_node(
        f'{node.get_name()}_tf',
        context=node.context,
        cli_args=['--ros-args', *remappings],
        use_global_arguments=False,
    )
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(listener)
    try:
        buffer = tf2_ros.Buffer()
        tf2_ros.TransformListener(buffer, listener)
        end = time.monotonic() + TF_PATIENCE
        while not buffer.can_transform(base_frame, camera_frame, Time()):
            if time.monotonic() > end:
                raise MsdepthError(
                    f"TF does not join '{base_frame}' and {quoted(camera_frame)} within "
                    f'{TF_PATIENCE:.0f} s: publish the camera on the robot (camera_pose of '
                    'depth.launch.py does), correct base_frame, or set camera_height'
                )
            executor.spin_once(timeout_sec=0.1)
        transform = buffer.lookup_transform(base_frame, camera_frame, Time()).transform
    finally:
        executor.shutdown()
        listener.destroy_node()
    height, q = transform.translation.z, transform.rotation
    if height <= 0:
        raise MsdepthError(
            f"{quoted(camera_frame)} is {height:.3f} m above '{base_frame}': choose a base_frame "
            'on the floor, as base_footprint is'
        )
    source = f"{quoted(camera_frame)} {height:.3f} m above '{base_frame}' in TF"
    return Mount(height, _up(q.x, q.y, q.z, q.w), source)


def _up(x: float, y: float, z: float, w: float) -> np.ndarray:
    """Return the z axis of the base in the camera's frame, from the rotation camera to base."""
    return np.array([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)])
