# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""See depth without a camera: a clip, your own video or your own images through the node.

ros2 launch msdepth_ros demo.launch.py rviz:=true
ros2 launch msdepth_ros demo.launch.py video:=walk.mp4 camera_info_url:=camera.yaml
"""

import os

from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    OpaqueFunction,
    SetEnvironmentVariable,
    Shutdown,
)
from launch.events.process import ProcessExited
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from msdepth_ros.errors import MsdepthError
from msdepth_ros.host.transport import transport_environment
from msdepth_ros.launching.arguments import existing, file_url, flag, positive
from msdepth_ros.resources import share_directory

FRAME = 'camera_optical_frame'

ARGUMENTS = {
    'video': ('', 'A video file to play; default: the clip of this package.'),
    'images': ('', 'A folder of images, or a dataset folder, to play instead.'),
    'camera_info_url': ('', 'Calibration file of the camera that took them.'),
    'rate': ('', "Frames a second; default: the video's own, or the player's."),
    'loop': ('true', 'Play for ever; false ends the launch after one pass.'),
    'model': ('', 'A model of the engines/ folder by name, or the path of a model YAML.'),
    'backend': ('', 'auto, tensorrt, openvino or onnxruntime.'),
    'rviz': ('false', 'Start RViz.'),
    'web': ('false', 'Serve a page for any browser; the log says where.'),
    'web_host': ('127.0.0.1', 'Address that the page is served at; 0.0.0.0: to the network.'),
    'log_level': ('info', 'debug, info, warn, error or fatal.'),
}


def generate_launch_description() -> LaunchDescription:
    """Start the depth node as depth.launch.py does, then a player in place of a camera."""
    product = str(share_directory() / 'launch' / 'depth.launch.py')
    passed = ('model', 'backend', 'rviz', 'web', 'web_host', 'log_level')
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=default, description=text)
                for name, (default, text) in ARGUMENTS.items()
            ),
            *(
                SetEnvironmentVariable(name, value)
                for name, value in transport_environment(os.environ).items()
            ),
            OpaqueFunction(function=_player),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(product),
                launch_arguments=[
                    ('image', '/camera/image_raw'),
                    ('camera_info_url', ''),
                    ('camera_frame', FRAME),
                    ('scale_file', os.devnull),  # the clip is not seen from the robot's camera
                    *((name, LaunchConfiguration(name)) for name in passed),
                ],
            ),
        ]
    )


def _player(context: LaunchContext) -> list[Action]:
    given = {name: LaunchConfiguration(name).perform(context).strip() for name in ARGUMENTS}
    if given['video'] and given['images']:
        raise MsdepthError('give either video or images, not both')
    kind = 'video' if given['video'] else 'images'
    path = str(existing(kind, given[kind])) if given[kind] else ''
    parameters: dict[str, ParameterValue | bool | float] = {
        'path': ParameterValue(path, value_type=str),
        'frame_id': FRAME,
        'loop': flag('loop', given['loop']),
    }
    if given['rate']:
        parameters['rate'] = positive('rate', given['rate'], 'frames a second')
    if given['camera_info_url']:
        url = file_url('camera_info_url', given['camera_info_url'])
        parameters['camera_info_url'] = ParameterValue(url, value_type=str)
    return [
        Node(
            package='msdepth_ros',
            executable='camera_player',
            name='camera_player',
            namespace='camera',
            parameters=[parameters],
            output='screen',
            on_exit=_end,
        )
    ]


def _end(event: ProcessExited, context: LaunchContext) -> Shutdown | None:
    """End the launch with the player, unless that is why the player has ended."""
    return None if context.is_shutdown else Shutdown(reason='the player has ended')
