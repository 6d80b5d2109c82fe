# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Camera images between two processes under config/fastdds.xml."""

import contextlib
import os
import queue
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from patience import PATIENCE

from msdepth_ros.host.transport import PROFILE_VARIABLES, transport_environment

PROFILE = Path(__file__).resolve().parents[2] / 'config' / 'fastdds.xml'
SEGMENT = 64 << 20
IMAGES = 40

# The camera sends an image for each number on stdin, its stamp; the viewer says which came.
CAMERA = """
import array, sys
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
rclpy.init()
node = rclpy.create_node('camera')
qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
publisher = node.create_publisher(Image, 'transport_test', qos)
image = Image(width=1920, height=1080, step=5760, encoding='rgb8')
image.data = array.array('B', bytes(1080 * 5760))
for line in sys.stdin:
    image.header.stamp.sec = int(line)
    publisher.publish(image)
"""
VIEWER = """
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
rclpy.init()
node = rclpy.create_node('viewer')
qos = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
tell = lambda image: print(image.header.stamp.sec, flush=True)
node.create_subscription(Image, 'transport_test', tell, qos)
rclpy.spin(node)
"""


def _large_segments():
    return {path.name for path in Path('/dev/shm').glob('*') if path.stat().st_size >= SEGMENT}


def test_no_image_is_lost_at_1920x1080():
    environment = {**os.environ, **dict.fromkeys(PROFILE_VARIABLES, str(PROFILE))}

    def start(program):
        return subprocess.Popen(
            [sys.executable, '-c', program],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    before = _large_segments()
    with start(VIEWER) as viewer, start(CAMERA) as camera:
        received = queue.Queue()
        threading.Thread(
            target=lambda: [received.put(int(line)) for line in viewer.stdout], daemon=True
        ).start()

        def arrives(number, seconds):
            """Send an image; return whether it comes, and not one of the first again."""
            print(number, file=camera.stdin, flush=True)
            end = time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0:
                with contextlib.suppress(queue.Empty):
                    if received.get(timeout=left) == number:
                        return True
            return False

        try:
            joined = any(arrives(0, 0.5) for _ in range(round(2 * PATIENCE)))
            lost = [number for number in range(1, IMAGES) if not arrives(number, 10.0)]
            segments = _large_segments() - before
        finally:
            viewer.kill()
            camera.kill()
    assert joined, 'the two did not find each other'
    assert lost == []
    if 'fastrtps' in os.environ.get('RMW_IMPLEMENTATION', 'rmw_fastrtps_cpp'):
        assert segments, 'Fast DDS made no 64 MB segment: it did not read the profile'


def test_both_variables_name_the_profile():
    environment = transport_environment({'HOME': '/root', PROFILE_VARIABLES[0]: ''})
    assert set(environment) == {'FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE'}
    for value in environment.values():
        assert Path(value).samefile(PROFILE)


@pytest.mark.parametrize('name', PROFILE_VARIABLES)
def test_a_profile_of_the_user_stays(name):
    assert transport_environment({name: '/etc/profile.xml'}) == {}


def test_profile_is_the_default_one_and_replaces_the_small_segment():
    namespace = {'dds': 'http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles'}
    root = ElementTree.parse(PROFILE).getroot()
    participant = root.find('dds:participant', namespace)
    assert participant.get('is_default_profile') == 'true'
    assert participant.findtext('.//dds:useBuiltinTransports', '', namespace) == 'false'
    segments = [int(element.text) for element in root.iterfind('.//dds:segment_size', namespace)]
    assert segments == [SEGMENT]
