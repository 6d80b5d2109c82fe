# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Start depth.launch.py for each camera of a list.

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
from launch_ros.actions import Node

from msdepth_ros.launching.arguments import existing, flag
from msdepth_ros.launching.cameras import read_cameras
from msdepth_ros.launching.viewer import viewer_parameters
from msdepth_ros.resources import share_directory

DEPTH = Path(__file__).with_name('depth.launch.py')


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments; the list is read when the launch starts."""
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                'cameras',
                default_value=str(share_directory() / 'config' / 'cameras.yaml'),
                description='YAML list of cameras; see config/cameras.yaml.',
            ),
            DeclareLaunchArgument(
                'web',
                default_value='false',
                description='Start one viewer for all cameras; the log prints its address.',
            ),
            DeclareLaunchArgument(
                'web_host',
                default_value='127.0.0.1',
                description='Address to serve the viewer at; 0.0.0.0: to the network.',
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
    cameras = read_cameras(path, names, cores)
    # A group limits the scope of a camera's arguments. One viewer shows all cameras.
    actions: list[Action] = [
        GroupAction(
            [IncludeLaunchDescription(source, launch_arguments={'web': 'false', **camera}.items())]
        )
        for camera in cameras
    ]
    web, host = (LaunchConfiguration(name).perform(context) for name in ('web', 'web_host'))
    if flag('web', web):
        namespaces = [camera.get('namespace', '') for camera in cameras]
        parameters = viewer_parameters(host, namespaces)
        actions.append(
            Node(
                package='msdepth_ros',
                executable='viewer',
                parameters=[parameters],
                output='screen',
            )
        )
    return actions
