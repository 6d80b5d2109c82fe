# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""depth.launch.py for a robot that steers by it: to be included in a Nav2 bringup.

It takes every argument of depth.launch.py; only the defaults of two differ. The other half of the
work is config/nav2_costmap.yaml, to be merged into Nav2's parameters.
"""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

from msdepth_ros.resources import share_directory

CONFIG = share_directory() / 'config'


def generate_launch_description() -> LaunchDescription:
    """Declare the two defaults before depth.launch.py declares its own: the first one counts."""
    depth = Path(__file__).with_name('depth.launch.py')
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                'params_file',
                default_value=str(CONFIG / 'navigation.yaml'),
                description='Parameters of the node, as planners want them.',
            ),
            DeclareLaunchArgument(
                'scan_frame',
                default_value='camera_scan_frame',
                description='Frame of the scan, x forward, published at camera_frame.',
            ),
            IncludeLaunchDescription(PythonLaunchDescriptionSource(str(depth))),
        ]
    )
