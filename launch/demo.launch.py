# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Start the node without a camera: play the shipped clip, your video or your images.

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
    'video': ('', 'A video file to play; default: the shipped clip.'),
    'images': ('', 'A folder of images, or a dataset folder, to play instead.'),
    'camera_info_url': ('', 'Calibration file of the camera that took the video or images.'),
    'rate': ('', "Frames per second; default: the video's own, or the player's."),
    'loop': ('true', 'Play in a loop; false: stop the launch after one pass.'),
    'model': ('', 'Name of a shipped or adopted model, or path of a model YAML.'),
    'backend': ('', 'auto, tensorrt, openvino or onnxruntime.'),
    'rviz': ('false', 'Start RViz.'),
    'web': ('false', 'Start the viewer, a page for any browser; the log prints its address.'),
    'web_host': ('127.0.0.1', 'Address to serve the viewer at; 0.0.0.0: to the network.'),
    'log_level': ('info', 'debug, info, warn, error or fatal.'),
}


def generate_launch_description() -> LaunchDescription:
    """Start the depth node by depth.launch.py, and a player instead of a camera."""
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
                    ('scale_file', os.devnull),  # the robot's scale is not valid for the clip
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
    """Stop the launch when the player ends, unless the launch is stopping already."""
    return None if context.is_shutdown else Shutdown(reason='the player has ended')
