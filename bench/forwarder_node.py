# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A node that computes nothing: what any Python node costs that answers with messages of this size.

bench/overhead.py measures it as the floor under all others.
"""

import sys

import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from msdepth_ros.inference.model import DEFAULT_MODEL, load_model
from msdepth_ros.node.process import run_node


class ForwarderNode(Node):
    """Answers each `image` with a `depth/image_rect` and `points` that were made beforehand.

    Parameter `model`: the one whose clouds' size they have; `backend` is not used.
    """

    def __init__(self) -> None:
        super().__init__('forwarder_node')
        columns, rows = load_model(self.declare_parameter('model', DEFAULT_MODEL).value).output_size
        self.declare_parameter('backend', 'auto')
        self.depth = Image(encoding='32FC1')
        self.points = PointCloud2(width=columns, height=rows, point_step=16, row_step=16 * columns)
        self.points.data.frombytes(bytes(16 * columns * rows))
        newest = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        self.create_subscription(Image, 'image', self.on_image, newest)
        # Only awaited by the benchmark's camera.
        self.create_subscription(CameraInfo, 'camera_info', lambda _: None, newest)
        self.depth_publisher = self.create_publisher(Image, 'depth/image_rect', QoSProfile(depth=1))
        self.points_publisher = self.create_publisher(PointCloud2, 'points', QoSProfile(depth=1))

    def on_image(self, image: Image) -> None:
        """Answer."""
        depth = self.depth
        if (depth.height, depth.width) != (image.height, image.width):
            depth.height, depth.width, depth.step = image.height, image.width, 4 * image.width
            depth.data.frombytes(bytes(depth.step * depth.height))
        depth.header = self.points.header = image.header
        self.depth_publisher.publish(depth)
        self.points_publisher.publish(self.points)


def main() -> int:
    """Run until SIGINT."""
    return run_node(ForwarderNode, rclpy.spin, None)


if __name__ == '__main__':
    sys.exit(main())
