# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The topics that the depth node publishes, each computed only for those who subscribe."""

from functools import partial
from typing import Any

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header

from msdepth_ros.cloud import dense_points, point_cloud
from msdepth_ros.colormap import colorize
from msdepth_ros.estimator import DepthFrame
from msdepth_ros.messages import DepthImage, cloud_msg, image_msg, intrinsics_msg


class DepthOutputs:
    """Publishes a DepthFrame under the header of its image.

    - `depth/image_rect`: 32FC1, metres along Z (REP-118), NaN invalid.
    - `depth/camera_info`: the intrinsics of exactly that image.
    - `depth/image_color`: bgr8, for eyes.
    - `points`: PointCloud2 in the optical frame, on the network's grid.
    """

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        self._depth_image = DepthImage(1, 1)
        advertise = partial(
            node.create_lifecycle_publisher,
            qos_profile=QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
        self._depth = advertise(Image, 'depth/image_rect')
        self._info = advertise(CameraInfo, 'depth/camera_info')
        self._color = advertise(Image, 'depth/image_color')
        self._points = advertise(PointCloud2, 'points')

    def close(self) -> None:
        """Take the topics back."""
        for publisher in (self._depth, self._info, self._color, self._points):
            self._node.destroy_lifecycle_publisher(publisher)

    def wanted(self) -> bool:
        """Return whether anybody subscribes to anything."""
        return any(
            publisher.get_subscription_count()
            for publisher in (self._depth, self._info, self._color, self._points)
        )

    def publish(self, frame: DepthFrame, header: Header, parameters: dict[str, Any]) -> None:
        """Publish a frame as the parameters depth.resolution and points... say."""
        full = parameters['depth.resolution'] == 'camera'
        intrinsics = frame.camera_intrinsics if full else frame.intrinsics
        if self._depth.get_subscription_count():
            image = self._depth_image_of(frame, full)
            image.message.header = header
            self._depth.publish(image.message)
        if intrinsics is not None and self._info.get_subscription_count():
            self._info.publish(intrinsics_msg(intrinsics, header))
        if parameters['points.enabled'] and self._points.get_subscription_count():
            self._publish_points(frame, header, parameters)
        if self._color.get_subscription_count():
            depth = frame.full_depth() if full else frame.depth
            self._color.publish(image_msg(colorize(depth), 'bgr8', header))

    def _depth_image_of(self, frame: DepthFrame, full: bool) -> DepthImage:
        height, width = frame.camera_shape if full else frame.depth.shape
        if self._depth_image.pixels.shape != (height, width):
            self._depth_image = DepthImage(width, height)
        if full:
            frame.full_depth(self._depth_image.pixels)
        else:
            self._depth_image.pixels[:] = frame.depth
        return self._depth_image

    def _publish_points(
        self, frame: DepthFrame, header: Header, parameters: dict[str, Any]
    ) -> None:
        if frame.camera_intrinsics is None:
            return
        stride = parameters['points.stride']
        every = (slice(None, None, stride),) * 2
        intrinsics = frame.camera_intrinsics.sampled(frame.cells.strided(stride))
        colors = frame.colors()[every] if parameters['points.color'] else None
        points = point_cloud(frame.depth[every], intrinsics, colors)
        if not parameters['points.organized']:
            points = dense_points(points)
        self._points.publish(cloud_msg(points, header))
