# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The camera's poses in a recording, from its odometry and its static TF."""

from typing import Any

import numpy as np

from msdepth_ros.datasets.bag_reader import BagReader, header_stamp
from msdepth_ros.datasets.base import DatasetError
from msdepth_ros.datasets.poses import Trajectory
from msdepth_ros.geometry.rigid import inverse, rigid

ODOMETRY_TYPE = 'nav_msgs/msg/Odometry'
_STATIC = '/tf_static'


def camera_trajectory(bag: BagReader, wanted: str | None, camera_frame: str) -> Trajectory:
    """Return the poses of a recording's camera (optical frame).

    Parameters
    ----------
    bag : the recording.
    wanted : the topic with the odometry; None: the only one.
    camera_frame : frame_id of the images.

    Raises
    ------
    DatasetError
        If there is no such topic, or several; or static TF has no transform from the camera to the
        robot.
    """
    topic = odometry_topic(bag, wanted)
    poses, robot_frame = [], ''
    for recorded in bag.messages([topic]):
        message = bag.message(recorded)
        stamp = header_stamp(message, recorded.received)
        robot_frame = message.child_frame_id
        try:
            pose = message.pose.pose
            poses.append((stamp * 1e-9, _rigid(pose.position, pose.orientation)))
        except ValueError:
            continue
    mount = static_transform(bag, camera_frame, robot_frame)
    return Trajectory([(stamp, pose @ mount) for stamp, pose in poses])


def odometry_topic(bag: BagReader, wanted: str | None) -> str:
    """Return the topic with the odometry, `wanted` or the only one; see `camera_trajectory`."""
    there = bag.topics_of(ODOMETRY_TYPE)
    if wanted is not None:
        if wanted in there:
            return wanted
        names = ', '.join(there) or 'none'
        raise DatasetError(
            f'{bag.path} has no odometry on {wanted} (--odom-topic): there is {names}'
        )
    if not there:
        raise DatasetError(
            f'{bag.path} has no odometry: record nav_msgs/Odometry and /tf_static too'
        )
    if len(there) > 1:
        raise DatasetError(
            f'{bag.path} has several odometry topics: give one of {", ".join(there)} (--odom-topic)'
        )
    return there[0]


def static_transform(bag: BagReader, source: str, target: str) -> np.ndarray:
    """Return the transform from one frame of a robot to another by static TF, float64 [4, 4].

    Raises
    ------
    DatasetError
        If the recording does not tell it.
    """
    if source == target:
        return np.eye(4)
    parents: dict[str, tuple[str, np.ndarray]] = {}
    for recorded in bag.messages([_STATIC]):
        for each in bag.message(recorded).transforms:
            try:
                transform = _rigid(each.transform.translation, each.transform.rotation)
            except ValueError:
                continue
            parents[each.child_frame_id.lstrip('/')] = each.header.frame_id.lstrip('/'), transform
    of_source = _ancestors(source.lstrip('/'), parents)
    of_target = _ancestors(target.lstrip('/'), parents)
    for frame, to_ancestor in of_source.items():
        if frame in of_target:
            return inverse(of_target[frame]) @ to_ancestor
    raise DatasetError(
        f"{bag.path}: {_STATIC} has no transform from '{source}' to '{target}': record it too"
    )


def _ancestors(frame: str, parents: dict[str, tuple[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return a frame and its ancestors in the tree, nearest first, with the transform to each."""
    found = {frame: np.eye(4)}
    while frame in parents and parents[frame][0] not in found:
        above, transform = parents[frame]
        found[above] = transform @ found[frame]
        frame = above
    return found


def _rigid(position: Any, rotation: Any) -> np.ndarray:
    return rigid(
        (position.x, position.y, position.z), (rotation.x, rotation.y, rotation.z, rotation.w)
    )
