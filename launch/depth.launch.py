# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Start the depth node for one camera.

ros2 launch msdepth_ros depth.launch.py image:=/camera/image_raw camera_info:=/camera/camera_info
"""

import os
import shutil
import tempfile
from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import (
    DeclareLaunchArgument,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.event_handlers import OnShutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node
from launch_ros.parameter_descriptions import ParameterValue

from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.geometry.camera_pose import OPTICAL_TO_BODY, CameraPose, Quaternion
from msdepth_ros.host.transport import transport_environment
from msdepth_ros.launching.arguments import file_url, flag, mapping, positive
from msdepth_ros.launching.measured import measured_remappings, metric_sources
from msdepth_ros.launching.viewer import viewer_parameters
from msdepth_ros.resources import share_directory

CONFIG = share_directory() / 'config'
INTRINSICS = ('fx', 'fy', 'cx', 'cy', 'width', 'height')

# An empty value leaves the choice to params_file.
ARGUMENTS = {
    'image': (
        '/camera/image_raw',
        "The camera's image topic; if it ends in /compressed, the type is CompressedImage.",
    ),
    'camera_info': (
        '',
        "The camera's calibration topic; default: camera_info in the namespace of the image.",
    ),
    'namespace': ('', 'Namespace of the node and of its topics.'),
    'params_file': (str(CONFIG / 'depth.yaml'), 'Parameters of the node.'),
    'model': ('', 'Name of a shipped or adopted model, or path of a model YAML.'),
    'backend': ('', 'auto, tensorrt, openvino or onnxruntime.'),
    'camera_info_url': ('', 'Calibration file, for a camera that publishes no camera_info.'),
    'fx': ('', 'Calibration by hand, with fy, cx, cy, width and height: focal length in pixels.'),
    'fy': ('', 'Vertical focal length in pixels.'),
    'cx': ('', 'Principal point in pixels from the left.'),
    'cy': ('', 'Principal point in pixels from the top.'),
    'width': ('', 'Image width in pixels, for the calibration by hand.'),
    'height': ('', 'Image height in pixels, for the calibration by hand.'),
    'camera_frame': ('camera_optical_frame', 'frame_id of the images, for camera_pose and RViz.'),
    'base_frame': ('', 'Frame of the robot on the floor, z up.'),
    'camera_pose': (
        '',
        "'x y z roll pitch yaw' of the camera's body (x forward) in base_frame, metres and "
        'radians: published in TF, and the mount for obstacles and for the source floor.',
    ),
    'namespaced_tf': ('false', "true: the robot's TF is on tf and tf_static in the namespace."),
    'metric_sources': (
        '',
        'Measurements that correct the depth: some of floor, scan, points, depth, views; or none.',
    ),
    'measured_scan': ('', 'LaserScan topic that corrects the depth; adds the source scan.'),
    'measured_points': ('', 'PointCloud2 topic (lidar, landmarks) likewise; adds points.'),
    'measured_depth': (
        '',
        'Depth image topic likewise, with camera_info in its namespace; adds depth.',
    ),
    'scan_frame': ('', 'frame_id of the scan: publish this frame, x forward, at camera_frame.'),
    'parameters': (
        '',
        "More parameters, which override params_file: '{depth: {max: 5.0}, threads: 2}'.",
    ),
    'scale_file': ('', 'File in which calibrate_scale stores the scale of each model.'),
    'rviz': ('false', 'Start RViz with config/depth.rviz.'),
    'web': ('false', 'Start the viewer, a page for any browser; the log prints its address.'),
    'web_host': ('127.0.0.1', 'Address to serve the viewer at; 0.0.0.0: to the network.'),
    'use_sim_time': ('', 'Use the time from /clock.'),
    'autostart': ('', 'Configure and activate the node at start.'),
    'log_level': ('info', 'debug, info, warn, error or fatal.'),
}


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments; they are evaluated when the launch starts."""
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
            OpaqueFunction(function=_start),
        ]
    )


def _start(context: LaunchContext) -> list[Action]:
    given = {name: LaunchConfiguration(name).perform(context).strip() for name in ARGUMENTS}
    raw = given['image'].removesuffix('/compressed')  # the suffix of image_transport
    transport = {} if raw == given['image'] else {'image_transport': 'compressed'}
    remappings = [
        ('image', given['image']),
        ('camera_info', given['camera_info'] or _beside(raw, 'camera_info')),
        *_tf(given),
        *measured_remappings(given),
    ]
    flags = {name: flag(name, given[name]) for name in ('use_sim_time', 'autostart') if given[name]}
    clock = {name: value for name, value in flags.items() if name == 'use_sim_time'}
    url, actions = _calibration(given)
    chosen = {'model': given['model'], 'backend': given['backend'], 'camera_info_url': url}
    chosen |= {'base_frame': given['base_frame'], 'scan.output_frame': given['scan_frame']}
    chosen['camera_pose'] = given['camera_pose']
    if given['scale_file']:
        chosen['scale_file'] = str(Path(given['scale_file']).expanduser().absolute())
    texts = {name: ParameterValue(text, value_type=str) for name, text in chosen.items() if text}
    sources = metric_sources(given)
    measured = {'metric.sources': sources} if sources else {}
    logger = '.'.join([*filter(None, given['namespace'].split('/')), 'msdepth'])
    actions.append(
        LifecycleNode(
            package='msdepth_ros',
            executable='depth_node',
            name='msdepth',
            namespace=given['namespace'],
            parameters=[
                given['params_file'],
                {
                    **transport,
                    **mapping('parameters', given['parameters']),
                    **flags,
                    **texts,
                    **measured,
                },
            ],
            remappings=remappings,
            ros_arguments=['--log-level', f'{logger}:={given["log_level"]}'],
            output='screen',
        )
    )
    if given['camera_pose']:
        actions.append(_camera_pose(given))
    if given['scan_frame']:
        actions.append(_scan_frame(given))
    if flag('web', given['web']):
        actions.append(
            Node(
                package='msdepth_ros',
                executable='viewer',
                namespace=given['namespace'],
                remappings=_tf(given),
                parameters=[
                    {**viewer_parameters(given['web_host'], [given['namespace']]), **clock}
                ],
                output='screen',
            )
        )
    if flag('rviz', given['rviz']):
        actions.append(
            Node(
                package='rviz2',
                executable='rviz2',
                namespace=given['namespace'],
                arguments=['-d', str(CONFIG / 'depth.rviz'), '-f', given['camera_frame']],
                parameters=[clock],
                remappings=remappings,
                output='screen',
            )
        )
    return actions


def _beside(topic: str, name: str) -> str:
    """Return the topic `name` in the namespace of `topic`."""
    return f'{topic.rpartition("/")[0]}/{name}' if '/' in topic else name


def _tf(given: dict[str, str]) -> list[tuple[str, str]]:
    """Return the remappings of TF's topics into the namespace, if namespaced_tf is true."""
    names = ('tf', 'tf_static') if flag('namespaced_tf', given['namespaced_tf']) else ()
    return [(f'/{name}', name) for name in names]


def _calibration(given: dict[str, str]) -> tuple[str, list[Action]]:
    """Return the node's camera_info_url, and the action that removes the file written for it."""
    typed = [name for name in INTRINSICS if given[name]]
    url = given['camera_info_url']
    if not typed:
        return (file_url('camera_info_url', url) if url else ''), []
    if url:
        raise MsdepthError(f'give either camera_info_url or {", ".join(INTRINSICS)}, not both')
    if len(typed) < len(INTRINSICS):
        missing = ', '.join(name for name in INTRINSICS if name not in typed)
        raise MsdepthError(f'a calibration by hand needs {missing} as well as {", ".join(typed)}')
    camera = Camera.pinhole(
        *(int(positive(name, given[name], 'pixels')) for name in ('width', 'height')),
        *(positive(name, given[name], 'pixels') for name in ('fx', 'fy', 'cx', 'cy')),
    )
    folder = tempfile.mkdtemp(prefix='msdepth_ros_')
    file = Path(folder) / 'camera.yaml'
    file.write_text(camera.to_yaml(), encoding='utf-8')
    remove = OnShutdown(on_shutdown=lambda *_: shutil.rmtree(folder, ignore_errors=True))
    return file.as_uri(), [RegisterEventHandler(remove)]


def _camera_pose(given: dict[str, str]) -> Node:
    pose = CameraPose.parse(given['camera_pose'])
    base = given['base_frame'] or 'base_link'
    position, rotation = (pose.x, pose.y, pose.z), pose.optical_rotation()
    frames = base, given['camera_frame']
    return _transform(given, 'msdepth_camera_pose', *frames, position, rotation)


def _scan_frame(given: dict[str, str]) -> Node:
    frames = given['camera_frame'], given['scan_frame']
    return _transform(given, 'msdepth_scan_frame', *frames, (0.0, 0.0, 0.0), OPTICAL_TO_BODY)


def _transform(
    given: dict[str, str],
    name: str,
    parent: str,
    child: str,
    position: tuple[float, float, float],
    rotation: Quaternion,
) -> Node:
    names = ('--x', '--y', '--z', '--qx', '--qy', '--qz', '--qw')
    numbers = (f'{number:.9f}' for number in (*position, *rotation))
    values = [word for pair in zip(names, numbers) for word in pair]
    return Node(
        package='tf2_ros',
        executable='static_transform_publisher',
        name=name,
        namespace=given['namespace'],  # otherwise two cameras would have nodes of the same name
        remappings=_tf(given),
        arguments=[*values, '--frame-id', parent, '--child-frame-id', child],
        output='screen',
    )
