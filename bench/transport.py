# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the transport alone costs and loses: plain images between two processes, no depth node.

make bench-transport
"""

import argparse
import json
import os
import subprocess
import sys
import time

SIZES = ((640, 480), (1920, 1080), (3840, 2160))
TOPIC = 'transport_benchmark'


def main() -> None:
    """Print a table, or play one of the two parts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--images', type=int, default=100)
    parser.add_argument('--rate', type=float, default=30.0, help='Hz')
    parser.add_argument('--part', choices=('camera', 'viewer'), help=argparse.SUPPRESS)
    parser.add_argument('--size', type=int, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part == 'camera':
        _camera(arguments)
    elif arguments.part == 'viewer':
        _viewer(arguments.images)
    else:
        _table(arguments.images, arguments.rate)


def _table(images: int, rate: float) -> None:
    from msdepth_ros.transport import PROFILE_VARIABLES, transport_environment

    base = {name: text for name, text in os.environ.items() if name not in PROFILE_VARIABLES}
    base['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    settings = {
        'Fast DDS as it comes': base,
        'fastdds.xml': {**base, **transport_environment(base)},
    }
    print(f'{images} rgb8 images at {rate:g} Hz, best effort, keep last 1; from stamp to callback')
    for width, height in SIZES:
        for name, environment in settings.items():
            common = [sys.executable, __file__, '--images', str(images), '--rate', str(rate)]
            common += ['--size', str(width), str(height), '--part']
            viewer = subprocess.Popen(
                [*common, 'viewer'], env=environment, stdout=subprocess.PIPE, text=True
            )
            camera = subprocess.Popen([*common, 'camera'], env=environment)
            latencies = sorted(json.loads(viewer.communicate()[0]))
            camera.wait()
            middle = f'p50 {latencies[len(latencies) // 2]:5.2f} ms' if latencies else ''
            row = (
                f'{width}x{height}  {name:20s}  received {len(latencies):3d} of {images}  {middle}'
            )
            print(row, flush=True)


def _camera(arguments: argparse.Namespace) -> None:
    import numpy as np
    import rclpy
    from sensor_msgs.msg import Image
    from std_msgs.msg import Header

    from msdepth_ros.messages import image_msg

    rclpy.init()
    node = rclpy.create_node('camera')
    publisher = node.create_publisher(Image, TOPIC, _qos())
    width, height = arguments.size
    message = image_msg(np.zeros((height, width, 3), np.uint8), 'rgb8', Header())
    while publisher.get_subscription_count() == 0:
        time.sleep(0.05)
    time.sleep(0.5)
    start = time.monotonic()
    for number in range(arguments.images):
        time.sleep(max(0.0, start + number / arguments.rate - time.monotonic()))
        message.header.stamp = node.get_clock().now().to_msg()
        publisher.publish(message)
    time.sleep(1.0)


def _viewer(images: int) -> None:
    import rclpy
    from sensor_msgs.msg import Image

    rclpy.init()
    node = rclpy.create_node('viewer')
    latencies: list[float] = []

    def receive(message: Image) -> None:
        stamp = message.header.stamp
        latencies.append(1e3 * (time.time() - stamp.sec - 1e-9 * stamp.nanosec))

    node.create_subscription(Image, TOPIC, receive, _qos())
    while node.count_publishers(TOPIC) == 0:
        rclpy.spin_once(node, timeout_sec=0.1)
    while node.count_publishers(TOPIC) and len(latencies) < images:
        rclpy.spin_once(node, timeout_sec=0.1)
    print(json.dumps(latencies))


def _qos():
    from rclpy.qos import QoSProfile, ReliabilityPolicy

    return QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


if __name__ == '__main__':
    main()
