# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""depth.launch.py, run by the real launch and launch_ros."""

import array
import re
import time
from pathlib import Path

import numpy as np
import pytest
import rclpy
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image

LAUNCH_FILE = Path(__file__).resolve().parents[2] / 'launch' / 'depth.launch.py'
INTRINSICS = ('fx:=250.5', 'fy:=251.5', 'cx:=161.25', 'cy:=118.75', 'width:=320', 'height:=240')


@pytest.fixture(scope='module')
def client():
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node('client', context=context)
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    executor.add_node(node)
    node.spin = lambda seconds: executor.spin_once(timeout_sec=seconds)
    yield node
    node.destroy_node()
    rclpy.shutdown(context=context)


def test_show_args_lists_every_argument(launch):
    launched = launch('depth.launch.py', '--show-args')
    assert launched.process.wait(60) == 0, launched.output()
    names = re.findall(r"^    '(\w+)': \(", LAUNCH_FILE.read_text(), re.MULTILINE)
    assert len(names) >= 30
    for name in names:
        assert f"'{name}':" in launched.output()


def test_intrinsics_by_hand_reach_the_depth_image(launch, client):
    """A camera without camera_info: depth comes with the intrinsics that were typed."""
    launched = launch('depth.launch.py', 'image:=/front/image', 'namespace:=robot', *INTRINSICS)
    depths, infos = [], []
    client.create_subscription(Image, '/robot/depth/image_rect', depths.append, 1)
    client.create_subscription(CameraInfo, '/robot/depth/camera_info', infos.append, 1)
    publisher = client.create_publisher(Image, '/front/image', qos_profile_sensor_data)
    image = Image(width=320, height=240, step=960, encoding='rgb8')
    pixels = np.random.default_rng(1).integers(0, 256, 240 * 960, np.uint8)
    image.data = array.array('B', pixels.tobytes())
    image.header.frame_id = 'front_optical'

    def answered():
        image.header.stamp = client.get_clock().now().to_msg()
        publisher.publish(image)
        end = time.monotonic() + 0.1
        while time.monotonic() < end:
            client.spin(0.02)
        return depths and infos

    launched.wait_for(answered)
    info, depth = infos[-1], depths[-1]
    assert (depth.encoding, depth.header.frame_id) == ('32FC1', 'front_optical')
    scale = info.width / 320
    np.testing.assert_allclose([info.k[0], info.k[4]], np.array([250.5, 251.5]) * scale, rtol=1e-6)
    if scale == 1:
        np.testing.assert_allclose([info.k[2], info.k[5]], [161.25, 118.75], atol=1e-6)
    assert launched.interrupt() == 0
    assert 'process has died' not in launched.output()
    assert 'Traceback' not in launched.output()


def test_a_compressed_topic_is_taken_as_such(launch, client):
    launched = launch('depth.launch.py', 'image:=/front/image/compressed', 'namespace:=small')

    def subscribed():
        client.spin(0.1)
        types = dict(client.get_topic_names_and_types())
        return {'/front/image/compressed', '/front/camera_info'} <= types.keys()

    launched.wait_for(subscribed)
    found = dict(client.get_topic_names_and_types())['/front/image/compressed']
    assert found == ['sensor_msgs/msg/CompressedImage']
    assert launched.interrupt() == 0


def test_camera_pose_becomes_a_transform_to_the_optical_frame(launch, workspace):
    """A camera looking straight ahead: its optical axes are the robot's -y, -z and x."""
    arguments = workspace.add_recorder('tf2_ros', 'static_transform_publisher')
    launched = launch(
        'depth.launch.py',
        'camera_pose:=0.2 -0.1 0.5 0 0 0',
        'camera_frame:=front_optical',
        'autostart:=false',
    )
    launched.wait_for(arguments.is_file)
    words = arguments.read_text().split('\n')
    given = dict(zip(words[::2], words[1::2]))
    assert [float(given[f'--{axis}']) for axis in 'xyz'] == [0.2, -0.1, 0.5]
    quaternion = [float(given[f'--q{axis}']) for axis in 'xyzw']
    assert np.allclose(quaternion, [-0.5, 0.5, -0.5, 0.5])
    assert (given['--frame-id'], given['--child-frame-id']) == ('base_link', 'front_optical')
    assert launched.interrupt() == 0


@pytest.mark.parametrize('namespaced', ['false', 'true'])
def test_tf_of_a_robot_in_a_namespace(launch, workspace, namespaced):
    transforms = workspace.add_recorder('tf2_ros', 'static_transform_publisher')
    rviz = workspace.add_recorder('rviz2', 'rviz2')
    launched = launch(
        'depth.launch.py', 'camera_pose:=0 0 0.5 0 0 0', 'namespace:=robot', 'rviz:=true',
        'autostart:=false', f'namespaced_tf:={namespaced}',
    )  # fmt: skip
    launched.wait_for(lambda: transforms.is_file() and rviz.is_file())
    for arguments in (transforms, rviz):
        words = arguments.read_text().split('\n')
        assert '__ns:=/robot' in words
        for topic in ('tf', 'tf_static'):
            assert (f'/{topic}:={topic}' in words) == (namespaced == 'true')
    assert launched.interrupt() == 0


def test_rviz_gets_the_config_the_frame_and_the_topics(launch, workspace):
    arguments = workspace.add_recorder('rviz2', 'rviz2')
    launched = launch(
        'depth.launch.py', 'rviz:=true', 'image:=/front/image', 'autostart:=false', 'namespace:=r'
    )
    launched.wait_for(arguments.is_file)
    words = arguments.read_text().split('\n')
    assert words[:4] == [
        '-d',
        str(workspace.share / 'config' / 'depth.rviz'),
        '-f',
        'camera_optical_frame',
    ]
    assert {'image:=/front/image', '__ns:=/r'} <= set(words)
    assert launched.interrupt() == 0


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['fx:=500', 'fy:=500'], 'needs cx, cy, width, height as well as fx, fy'),
        ([*INTRINSICS[1:], 'fx:=wide'], "fx must be a positive number of pixels, not 'wide'"),
        ([*INTRINSICS, 'camera_info_url:=/cal.yaml'], 'either camera_info_url or fx'),
        (['camera_info_url:=no_such.yaml'], 'there is no file or folder'),
        (['camera_pose:=0 0 1 0 0'], 'give six numbers'),
        (['rviz:=perhaps'], "rviz must be 'true' or 'false', not 'perhaps'"),
        (['autostart:=2'], "autostart must be 'true' or 'false', not '2'"),
    ],
)
def test_wrong_arguments_end_with_one_clear_error(launch, arguments, message):
    launched = launch('depth.launch.py', *arguments)
    assert launched.process.wait(60) != 0
    errors = [line for line in launched.output().splitlines() if 'ERROR' in line]
    assert len(errors) == 1
    assert message in errors[0]
    assert 'Traceback' not in launched.output()


def test_transport_profile_is_set_unless_the_user_has_one(workspace, launch):
    recorder = workspace.add_recorder('rviz2', 'rviz2')
    environment_of = workspace.folder / 'stubs' / 'lib' / 'rviz2' / 'rviz2'
    program = environment_of.read_text().replace(
        "'\\n'.join(sys.argv[1:])", "__import__('os').environ['FASTRTPS_DEFAULT_PROFILES_FILE']"
    )
    environment_of.write_text(program)
    ours = str(workspace.share / 'config' / 'fastdds.xml')
    for before, after in (('', ours), ('/etc/my_profile.xml', '/etc/my_profile.xml')):
        recorder.unlink(missing_ok=True)
        launched = launch(
            'depth.launch.py',
            'rviz:=true',
            'autostart:=false',
            FASTRTPS_DEFAULT_PROFILES_FILE=before,
            FASTDDS_DEFAULT_PROFILES_FILE='',
        )
        launched.wait_for(recorder.is_file)
        assert recorder.read_text() == after
        launched.interrupt()
