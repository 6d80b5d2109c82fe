# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Several cameras, the scan's frame, extra parameters and the kept scale, by the real launch."""

import time

import pytest
import rclpy
from rcl_interfaces.srv import GetParameters
from rclpy.parameter import parameter_value_to_python

from msdepth_ros.inference.model import load_model
from msdepth_ros.node.scale.file import write_scale

TWO_CAMERAS = """
every_camera: {autostart: false, parameters: {depth: {max: 6.0}}}
cameras:
  - namespace: front
    image: /front/image_raw
    camera_frame: front_optical_frame
    camera_pose: [0.2, 0.0, 0.35, 0.0, 0.1, 0.0]
    scan_frame: front_scan_frame
  - namespace: rear
    camera_frame: rear_optical_frame
    camera_pose: [-0.2, 0.0, 0.35, 0.0, 0.1, 3.14159]
    scan_frame: rear_scan_frame
    parameters: {threads: 7, depth: {max: 5.0}}
"""


@pytest.fixture(scope='module')
def parameters():
    """Return a function that asks a running node for parameters."""
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node('asker', context=context)
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    executor.add_node(node)

    def ask(name, *wanted, seconds=60):
        client = node.create_client(GetParameters, f'{name}/get_parameters')
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if client.service_is_ready():
                future = client.call_async(GetParameters.Request(names=list(wanted)))
                executor.spin_until_future_complete(future, timeout_sec=5)
                if future.done():
                    return [parameter_value_to_python(value) for value in future.result().values]
            executor.spin_once(timeout_sec=0.1)
        pytest.fail(f'{name} does not answer')

    yield ask
    node.destroy_node()
    rclpy.shutdown(context=context)


def test_each_camera_has_nodes_of_its_own_with_their_parameters(
    launch, workspace, tmp_path, parameters
):
    arguments = workspace.add_recorder('tf2_ros', 'static_transform_publisher')
    (tmp_path / 'two.yaml').write_text(TWO_CAMERAS)
    launched = launch('cameras.launch.py', f'cameras:={tmp_path / "two.yaml"}')
    wanted = ('threads', 'depth.max', 'autostart', 'camera_pose')
    threads, farthest, autostart, pose = parameters('/front/msdepth', *wanted)
    assert threads >= 1
    assert (farthest, autostart, pose) == (6.0, False, '0.2 0.0 0.35 0.0 0.1 0.0')
    rear = parameters('/rear/msdepth', *wanted)
    assert rear == [7, 5.0, False, '-0.2 0.0 0.35 0.0 0.1 3.14159']
    each = f'{arguments.stem}.*.args'
    launched.wait_for(lambda: len(list(arguments.parent.glob(each))) == 4)
    names = [full_name(file.read_text().split('\n')) for file in arguments.parent.glob(each)]
    assert len(set(names)) == 4, names
    assert launched.interrupt() == 0
    assert 'process has died' not in launched.output()


def test_one_page_shows_all_cameras(launch, workspace, tmp_path, parameters):
    workspace.add_recorder('tf2_ros', 'static_transform_publisher')
    (tmp_path / 'two.yaml').write_text(TWO_CAMERAS)
    launched = launch(
        'cameras.launch.py', f'cameras:={tmp_path / "two.yaml"}', 'web:=true', 'web_host:=0.0.0.0'
    )
    nodes, host = parameters('/viewer', 'nodes', 'host')
    assert (sorted(nodes), host) == (['/front/msdepth', '/rear/msdepth'], '0.0.0.0')
    launched.wait_for(lambda: '?token=' in launched.output())
    assert launched.interrupt() == 0
    assert launched.output().count('open http') >= 1
    assert 'not encrypted' in launched.output()


def full_name(words):
    """Return a node's name with its namespace, from the words it was started with."""
    rules = dict(word.split(':=') for word in words if word.startswith('__'))
    return f'{rules.get("__ns", "")}/{rules["__node"]}'


def test_a_wrong_list_ends_with_one_clear_error(launch, tmp_path):
    (tmp_path / 'bad.yaml').write_text('cameras: [{colour: red}]')
    launched = launch('cameras.launch.py', f'cameras:={tmp_path / "bad.yaml"}')
    assert launched.process.wait(60) != 0
    errors = [line for line in launched.output().splitlines() if 'ERROR' in line]
    assert len(errors) == 1
    assert "'colour' is not an argument of depth.launch.py" in errors[0]


def test_a_kept_scale_is_read_back_and_more_parameters_win(launch, tmp_path, parameters):
    scale_file = tmp_path / 'scale.yaml'
    model = load_model('msdepth')
    write_scale(scale_file, 1.25, '/kept/msdepth', model.name, model.sha256)
    launched = launch(
        'depth.launch.py',
        f'scale_file:={scale_file}',
        'parameters:={depth: {max: 4.5}, points.stride: 2}',
        'namespace:=kept',
    )
    launched.wait_for(lambda: 'model msdepth on' in launched.output())
    wanted = ('depth.scale', 'depth.max', 'points.stride', 'scale_file')
    assert parameters('/kept/msdepth', *wanted) == [1.25, 4.5, 2, str(scale_file)]
    assert f'depth.scale 1.25 is taken from {scale_file}, for model msdepth' in launched.output()
    assert launched.interrupt() == 0


def test_navigation_has_its_own_parameters_and_a_scan_frame_with_x_forward(
    launch, workspace, parameters
):
    arguments = workspace.add_recorder('tf2_ros', 'static_transform_publisher')
    launched = launch('navigation.launch.py', 'namespace:=nav', 'autostart:=false')
    wanted = ('points.voxel_size', 'points.organized', 'scan.output_frame')
    assert parameters('/nav/msdepth', *wanted) == [0.05, False, 'camera_scan_frame']
    launched.wait_for(arguments.is_file)
    words = arguments.read_text().split('\n')
    given = dict(zip(words[::2], words[1::2]))
    assert given['--frame-id'] == 'camera_optical_frame'
    assert given['--child-frame-id'] == 'camera_scan_frame'
    x, y, z, w = (float(given[f'--q{axis}']) for axis in 'xyzw')
    # The child's x axis, in the parent: the optical frame's z; its z axis: minus y.
    assert [1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)] == [0, 0, 1]
    assert [2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)] == [0, -1, 0]
    assert launched.interrupt() == 0


@pytest.mark.parametrize(
    ('pose', 'text'),
    [
        ('0.2 0 0.35 0 0.1 0', ''),
        ('0.2 0 1.8 0 0.4 0', 'outside the voxels from 0 to 1.6 m'),
    ],
)
def test_navigation_says_which_camera_the_costmap_does_not_fit(launch, workspace, pose, text):
    workspace.add_recorder('tf2_ros', 'static_transform_publisher')
    launched = launch('navigation.launch.py', f'camera_pose:={pose}', 'autostart:=false')
    launched.wait_for(lambda: 'process started' in launched.output())
    launched.wait_for(lambda: text in launched.output())
    assert ('[navigation]' in launched.output()) == bool(text)
    assert launched.interrupt() == 0
