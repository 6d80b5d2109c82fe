# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""demo.launch.py from start to Ctrl-C, on the clip of the package."""

import re
import time
import urllib.request

import cv2
import numpy as np
import pytest
import rclpy
from sensor_msgs.msg import Image, PointCloud2


def test_depth_and_points_of_the_clip_are_published(launch):
    launched = launch('demo.launch.py')
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node('viewer', context=context)
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    executor.add_node(node)
    images, depths, clouds = [], [], []
    node.create_subscription(
        Image, '/camera/image_raw', images.append, rclpy.qos.qos_profile_sensor_data
    )
    node.create_subscription(Image, '/depth/image_rect', depths.append, 1)
    node.create_subscription(PointCloud2, '/points', clouds.append, 1)

    def answered():
        end = time.monotonic() + 0.1
        while time.monotonic() < end:
            executor.spin_once(timeout_sec=0.02)
        return images and len(depths) >= 5 and clouds

    launched.wait_for(answered)
    depth = depths[-1]
    assert (depth.width, depth.height) == (images[-1].width, images[-1].height)
    assert depth.header.frame_id == 'camera_optical_frame'
    metres = np.frombuffer(depth.data, np.float32)
    valid = metres[np.isfinite(metres)]
    assert valid.size > metres.size / 4
    assert valid.min() > 0
    assert launched.interrupt() == 0
    executor.shutdown()
    rclpy.shutdown(context=context)
    output = launched.output()
    for process in ('depth_node', 'camera_player'):
        assert any(f'[{process}-' in line and 'cleanly' in line for line in output.splitlines()), (
            output
        )
    assert 'Traceback' not in output


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['video:=/no/such.mp4'], 'video: there is no file or folder /no/such.mp4'),
        (['video:=/a.mp4', 'images:=/b'], 'give either video or images, not both'),
        (['loop:=once'], "loop must be 'true' or 'false', not 'once'"),
        (['rate:=0'], "rate must be a positive number of frames a second, not '0'"),
        (['camera_info_url:=/no/such.yaml'], 'camera_info_url: there is no file or folder'),
    ],
)
def test_wrong_arguments_end_with_one_clear_error(launch, arguments, message):
    launched = launch('demo.launch.py', *arguments)
    assert launched.process.wait(60) != 0
    errors = [line for line in launched.output().splitlines() if 'ERROR' in line]
    assert len(errors) == 1
    assert message in errors[0]


def test_the_launch_ends_with_a_recording_that_does_not_loop(launch, tmp_path):
    """Own images, a rate, one pass: the player ends, and the node with it, without an error."""
    for number in range(5):
        image = np.full((120, 160, 3), 40 * number, np.uint8)
        cv2.imwrite(str(tmp_path / f'{number}.png'), image)
    launched = launch('demo.launch.py', f'images:={tmp_path}', 'loop:=false', 'rate:=50')
    assert launched.process.wait(60) == 0, launched.output()
    output = launched.output()
    assert '5 images played' in output
    assert 'ERROR' not in output
    assert 'Traceback' not in output


def test_web_serves_a_page_and_ends_with_the_launch(launch):
    launched = launch('demo.launch.py', 'web:=true')
    launched.wait_for(lambda: 'open http://127.0.0.1:' in launched.output())
    address = re.search(r'open (http://\S+)', launched.output())[1]
    with urllib.request.urlopen(address, timeout=20) as page:
        assert page.status == 200
    assert launched.interrupt() == 0
    assert 'Traceback' not in launched.output()
