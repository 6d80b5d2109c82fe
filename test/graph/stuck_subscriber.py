# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A consumer of depth and points in a NAMESPACE, its argument, that says when it got some depth.

Stopped (SIGSTOP), it is a reliable subscriber that takes nothing and acknowledges nothing.
"""

import sys

import rclpy
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image, PointCloud2

rclpy.init()
node = rclpy.create_node('stuck', namespace=sys.argv[1])
node.create_subscription(
    Image, 'depth/image_rect', lambda _: print('got one', flush=True), QoSProfile(depth=1)
)
node.create_subscription(PointCloud2, 'points', lambda _: None, QoSProfile(depth=1))
rclpy.spin(node)
