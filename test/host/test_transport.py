# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Camera images between two processes under config/fastdds.xml."""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from msdepth_ros.host.transport import PROFILE_VARIABLES, transport_environment

PROFILE = Path(__file__).resolve().parents[2] / 'config' / 'fastdds.xml'
SEGMENT = 64 << 20
IMAGES = 40

# Both run until the other side has been seen; the stamp numbers the images.
CAMERA = """
import array, sys, time
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
rclpy.init()
node = rclpy.create_node('camera')
qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
publisher = node.create_publisher(Image, 'transport_test', qos)
image = Image(width=1920, height=1080, step=5760, encoding='rgb8')
image.data = array.array('B', bytes(1080 * 5760))
end = time.monotonic() + 20
while publisher.get_subscription_count() == 0 and time.monotonic() < end:
    time.sleep(0.05)
time.sleep(0.5)
for number in range(int(sys.argv[1])):
    image.header.stamp.sec = number
    publisher.publish(image)
    time.sleep(0.1)
sys.stdin.read()
"""
VIEWER = """
import json, sys, time
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
rclpy.init()
node = rclpy.create_node('viewer')
numbers = []
qos = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
node.create_subscription(Image, 'transport_test', lambda m: numbers.append(m.header.stamp.sec), qos)
last = int(sys.argv[1]) - 1
start = heard = time.monotonic()
while last not in numbers and time.monotonic() < (heard + 5 if numbers else start + 30):
    count = len(numbers)
    rclpy.spin_once(node, timeout_sec=0.2)
    heard = time.monotonic() if len(numbers) > count else heard
print(json.dumps(numbers))
"""


def _large_segments():
    return {path.name for path in Path('/dev/shm').glob('*') if path.stat().st_size >= SEGMENT}


def test_no_image_is_lost_at_1920x1080():
    environment = {**os.environ, **dict.fromkeys(PROFILE_VARIABLES, str(PROFILE))}

    def start(program):
        return subprocess.Popen(
            [sys.executable, '-c', program, str(IMAGES)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    before = _large_segments()
    viewer, camera = start(VIEWER), start(CAMERA)
    try:
        received = json.loads(viewer.communicate(timeout=60)[0])
        segments = _large_segments() - before
    finally:
        camera.communicate(timeout=20)
    assert received == list(range(IMAGES))
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
