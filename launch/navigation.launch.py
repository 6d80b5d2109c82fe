# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Start depth.launch.py with the parameters for Nav2: to be included in a Nav2 bringup.

It takes every argument of depth.launch.py, with other defaults for two. Merge
config/nav2_costmap.yaml into Nav2's parameters and give that file as nav2_params: then warnings at
the start list what in the costmaps does not fit the camera.
"""

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.logging import get_logger
from launch.substitutions import LaunchConfiguration

from msdepth_ros.geometry.camera_pose import CameraPose
from msdepth_ros.launching.arguments import existing
from msdepth_ros.launching.navigation_check import costmap_warnings, read_costmaps
from msdepth_ros.resources import share_directory

CONFIG = share_directory() / 'config'


def generate_launch_description() -> LaunchDescription:
    """Declare the two defaults before depth.launch.py declares its own: the first ones count."""
    depth = Path(__file__).with_name('depth.launch.py')
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                'params_file',
                default_value=str(CONFIG / 'navigation.yaml'),
                description='Parameters of the node, for Nav2.',
            ),
            DeclareLaunchArgument(
                'scan_frame',
                default_value='camera_scan_frame',
                description='Frame of the scan, x forward, published at camera_frame.',
            ),
            DeclareLaunchArgument(
                'nav2_params',
                default_value=str(CONFIG / 'nav2_costmap.yaml'),
                description="Nav2's parameter file; its costmaps are checked at the start.",
            ),
            IncludeLaunchDescription(PythonLaunchDescriptionSource(str(depth))),
            OpaqueFunction(function=_check),
        ]
    )


def _check(context: LaunchContext) -> None:
    names = ('nav2_params', 'namespace', 'camera_pose')
    given = {name: LaunchConfiguration(name).perform(context).strip() for name in names}
    pose = CameraPose.parse(given['camera_pose']) if given['camera_pose'] else None
    costmaps = read_costmaps(existing('nav2_params', given['nav2_params']))
    for warning in costmap_warnings(costmaps, given['namespace'], pose):
        get_logger('navigation').warning(warning)
