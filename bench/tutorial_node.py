# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A depth node written the way tutorials do it: the yardstick that bench/overhead.py measures.

The network is the product's own backend, so that only what is around it differs: copies as
cv_bridge makes them, new arrays for every frame, default QoS, everything in one callback, and a
cloud as sensor_msgs_py's create_cloud builds it from an array of points.
"""

import array
import contextlib
import json
import sys
import time

import cv2
import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, PointField

from msdepth_ros.inference.backends import create_backend
from msdepth_ros.inference.model import DEFAULT_MODEL, load_model


class TutorialNode(Node):
    """Subscribes `image` and `camera_info`, publishes `depth/image_rect` and `points`.

    Parameters: `model`, `backend`, `precision`, `threads` as the product's node; `cloud`: 'image',
    a point for every pixel, or 'network', one for every cell that the network answers.
    """

    def __init__(self) -> None:
        super().__init__('tutorial_node')
        model = load_model(self.declare_parameter('model', DEFAULT_MODEL).value)
        self.backend = create_backend(
            model,
            self.declare_parameter('backend', 'auto').value,
            self.declare_parameter('threads', 0).value,
            self.declare_parameter('precision', 'auto').value,
        )
        self.cloud = self.declare_parameter('cloud', 'image').value
        self.info = None
        self.infer_times = []
        self.create_subscription(CameraInfo, 'camera_info', self.on_camera_info, 10)
        self.create_subscription(Image, 'image', self.on_image, 10)
        self.depth_publisher = self.create_publisher(Image, 'depth/image_rect', 10)
        self.points_publisher = self.create_publisher(PointCloud2, 'points', 10)

    def on_camera_info(self, message: CameraInfo) -> None:
        """Keep the calibration."""
        self.info = message

    def on_image(self, message: Image) -> None:
        """Do everything for one frame."""
        if self.info is None:
            return
        image = imgmsg_to_cv2(message)
        model = self.backend.model
        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        self.backend.inputs['image'][:] = cv2.resize(rgb, model.input_size)
        begin = time.perf_counter()
        self.backend.run()
        self.infer_times.append(time.perf_counter() - begin)
        answer = self.backend.outputs['depth'].copy()
        if model.quantity == 'log_depth':
            answer = np.exp(answer)
        elif model.quantity == 'inverse_depth':
            answer = 1 / answer
        depth = cv2.resize(answer, (message.width, message.height))
        depth_message = cv2_to_imgmsg(depth)
        depth_message.header = message.header
        self.depth_publisher.publish(depth_message)
        self.points_publisher.publish(self.cloud_of(depth if self.cloud == 'image' else answer))

    def cloud_of(self, depth: np.ndarray) -> PointCloud2:
        """Return a cloud of x, y, z, a point for every value of `depth`."""
        height, width = depth.shape
        fx, fy, cx, cy = self.info.k[0], self.info.k[4], self.info.k[2], self.info.k[5]
        sx, sy = width / self.info.width, height / self.info.height
        u, v = np.meshgrid(np.arange(width), np.arange(height))
        x = (u - cx * sx) * depth / (fx * sx)
        y = (v - cy * sy) * depth / (fy * sy)
        points = np.stack([x, y, depth], axis=-1).reshape(-1, 3)
        return create_cloud_xyz32(self.info.header, points)


def imgmsg_to_cv2(message: Image) -> np.ndarray:
    """Return a bgr8 image, copied, as cv_bridge does."""
    pixels = np.frombuffer(message.data, np.uint8)
    return pixels.reshape(message.height, message.step // 3, 3)[:, : message.width].copy()


def cv2_to_imgmsg(depth: np.ndarray) -> Image:
    """Return a float32 image as a message, as cv_bridge does: bytes, then an array of them."""
    message = Image(height=depth.shape[0], width=depth.shape[1], encoding='32FC1')
    message.step = 4 * depth.shape[1]
    message.data.frombytes(depth.tobytes())
    return message


def create_cloud_xyz32(header, points: np.ndarray) -> PointCloud2:
    """Return an unordered cloud of float32 [count, 3], as sensor_msgs_py's function does."""
    kinds = np.dtype([('x', np.float32), ('y', np.float32), ('z', np.float32)])
    structured = np.empty(len(points), kinds)
    for axis, name in enumerate(kinds.names):
        structured[name] = points[:, axis]
    data = array.array('B')
    data.frombytes(memoryview(structured).cast('B'))
    return PointCloud2(
        header=header,
        height=1,
        width=len(points),
        is_dense=False,
        fields=[
            PointField(name=name, offset=4 * axis, datatype=PointField.FLOAT32, count=1)
            for axis, name in enumerate(kinds.names)
        ],
        point_step=kinds.itemsize,
        row_step=kinds.itemsize * len(points),
        data=data,
    )


def main() -> int:
    """Run until SIGINT; then tell the network's p50 in milliseconds as a line of JSON."""
    rclpy.init()
    node = TutorialNode()
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(node)
    node.destroy_node()
    rclpy.try_shutdown()  # else its shared memory stays
    print(json.dumps({'infer_p50': 1e3 * float(np.median(node.infer_times or [0]))}), flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
