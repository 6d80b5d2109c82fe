# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The topics that the depth node publishes, each computed only for those who subscribe."""

from functools import partial
from typing import Any

import numpy as np
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, Image, LaserScan, PointCloud2
from std_msgs.msg import Header

from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.cloud import dense_points, limit_range, point_cloud, voxel_downsample
from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.geometry.scan import laser_scan, scan_frame
from msdepth_ros.images.pictures import colorize
from msdepth_ros.inference.estimator import DepthFrame
from msdepth_ros.node.messages import DepthImage, cloud_msg, image_msg, intrinsics_msg, scan_msg

DEPTH, DEPTH_INFO, DEPTH_COLOR = 'depth/image_rect', 'depth/camera_info', 'depth/image_color'
RGB, RGB_INFO, POINTS, SCAN = 'rgb/image_rect_color', 'rgb/camera_info', 'points', 'scan'
TOPICS = {
    DEPTH: Image,
    DEPTH_INFO: CameraInfo,
    DEPTH_COLOR: Image,
    RGB: Image,
    RGB_INFO: CameraInfo,
    POINTS: PointCloud2,
    SCAN: LaserScan,
}


class DepthOutputs:
    """Publishes a DepthFrame under the header of its image.

    - `depth/image_rect`: 32FC1, metres along Z (REP-118), NaN invalid.
    - `depth/camera_info`: the intrinsics of exactly that image.
    - `depth/image_color`: bgr8, for eyes.
    - `rgb/image_rect_color`, `rgb/camera_info`: the rectified camera image of the same size, as
      depth_image_proc's xyzrgb node takes it.
    - `points`: PointCloud2 in the optical frame, on the network's grid.
    - `scan`: LaserScan from rows of depth/image_rect, in a frame with x forward.
    """

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        self._depth_image = DepthImage(1, 1)
        advertise = partial(
            node.create_lifecycle_publisher,
            qos_profile=QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
        self._publishers = {topic: advertise(kind, topic) for topic, kind in TOPICS.items()}

    def close(self) -> None:
        """Take the topics back."""
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)

    def wanted(self, parameters: dict[str, Any]) -> set[str]:
        """Return the topics that somebody subscribes to and that the parameters allow."""
        return {
            topic
            for topic, publisher in self._publishers.items()
            if publisher.get_subscription_count()
            and (topic != POINTS or parameters['points.enabled'])
        }

    def publish(self, frame: DepthFrame, header: Header, parameters: dict[str, Any]) -> None:
        """Publish a frame as the parameters depth.resolution, points... and scan... say."""
        wanted = self.wanted(parameters)
        full = parameters['depth.resolution'] == 'camera'
        intrinsics = frame.camera_intrinsics if full else frame.intrinsics
        if wanted & {DEPTH, DEPTH_COLOR, SCAN}:
            depth = self._depth_image_of(frame, full)
        if DEPTH in wanted:
            depth.message.header = header
            self._publishers[DEPTH].publish(depth.message)
        if intrinsics is not None:
            for topic in wanted & {DEPTH_INFO, RGB_INFO}:
                self._publishers[topic].publish(intrinsics_msg(intrinsics, header))
            if POINTS in wanted:
                self._publish_points(frame, header, parameters)
            if SCAN in wanted:
                self._publish_scan(depth.pixels, intrinsics, header, parameters)
        if RGB in wanted:
            pixels, encoding = frame.rectified_image() if full else (frame.colors(), 'rgb8')
            self._publishers[RGB].publish(image_msg(pixels, encoding, header))
        if DEPTH_COLOR in wanted:
            color = image_msg(colorize(depth.pixels), 'bgr8', header)
            self._publishers[DEPTH_COLOR].publish(color)

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
        assert frame.camera_intrinsics is not None
        stride = parameters['points.stride']
        every = (slice(None, None, stride),) * 2
        intrinsics = frame.camera_intrinsics.sampled(frame.cells.strided(stride))
        colors = frame.colors()[every] if parameters['points.color'] else None
        points = point_cloud(frame.depth[every], intrinsics, colors)
        limit_range(points, parameters['points.min_range'], parameters['points.max_range'])
        voxel_size = parameters['points.voxel_size']
        if voxel_size > 0:
            points = voxel_downsample(dense_points(points), voxel_size)
        elif not parameters['points.organized']:
            points = dense_points(points)
        self._publishers[POINTS].publish(cloud_msg(points, header))

    def _publish_scan(
        self,
        depth: np.ndarray,
        intrinsics: Intrinsics,
        header: Header,
        parameters: dict[str, Any],
    ) -> None:
        limits = parameters['scan.range_min'], parameters['scan.range_max']
        try:
            scan = laser_scan(depth, intrinsics, parameters['scan.scan_height'], *limits)
        except MsdepthError as error:
            self._node.get_logger().warning(f'scan: {error}', throttle_duration_sec=5.0)
            return
        frame = scan_frame(header.frame_id, parameters['scan.output_frame'])
        header = Header(stamp=header.stamp, frame_id=frame)
        message = scan_msg(scan, header, parameters['scan.scan_time'], *limits)
        self._publishers[SCAN].publish(message)
