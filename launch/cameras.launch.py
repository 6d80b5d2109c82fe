# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""depth.launch.py once for each camera of a list.

ros2 launch msdepth_ros cameras.launch.py cameras:=my_cameras.yaml
"""

import os
from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import (
    DeclareLaunchArgument,
    GroupAction,
    IncludeLaunchDescription,
    OpaqueFunction,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

from msdepth_ros.launching.arguments import existing
from msdepth_ros.launching.cameras import read_cameras
from msdepth_ros.resources import share_directory

DEPTH = Path(__file__).with_name('depth.launch.py')


def generate_launch_description() -> LaunchDescription:
    """Declare the argument; the list is read when the launch starts."""
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                'cameras',
                default_value=str(share_directory() / 'config' / 'cameras.yaml'),
                description='YAML list of cameras; see config/cameras.yaml.',
            ),
            OpaqueFunction(function=_start),
        ]
    )


def _start(context: LaunchContext) -> list[Action]:
    path = existing('cameras', LaunchConfiguration('cameras').perform(context))
    source = PythonLaunchDescriptionSource(str(DEPTH))
    description = source.get_launch_description(context)
    names = [argument.name for argument in description.get_launch_arguments()]
    cores = len(os.sched_getaffinity(0))
    # A group keeps one camera's arguments from becoming the next one's defaults.
    return [
        GroupAction([IncludeLaunchDescription(source, launch_arguments=camera.items())])
        for camera in read_cameras(path, names, cores)
    ]
