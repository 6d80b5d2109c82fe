# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The topics that the depth node publishes, each computed only while it has a subscriber."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, LaserScan, PointCloud2
from std_msgs.msg import Header

from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.cloud import limit_range, point_cloud, pull_in_range, reduced
from msdepth_ros.geometry.obstacle_cloud import ObstacleCloud, ObstacleOptions
from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.geometry.scan import floor_in_scan, laser_scan, scan_frame
from msdepth_ros.images.compression import DEPTH_FORMAT, compressed_color, compressed_depth
from msdepth_ros.images.pictures import colorize
from msdepth_ros.inference.frame import DepthFrame
from msdepth_ros.node.messages import (
    DepthImage,
    cloud_msg,
    compressed_image_msg,
    image_msg,
    intrinsics_msg,
    nanoseconds,
    scan_msg,
)
from msdepth_ros.node.mounts import Mounts


class OutputState:
    """State that is kept between frames, from configuration to cleanup.

    Attributes
    ----------
    node : the node that publishes and logs.
    mounts : the camera's mount.
    obstacles : makes the cloud of obstacles, and remembers those of earlier frames.
    """

    def __init__(self, node: LifecycleNode) -> None:
        self.node = node
        self.mounts = Mounts(node)
        self.obstacles = ObstacleCloud()
        self._images: dict[str, DepthImage] = {}

    def image(self, topic: str, width: int, height: int) -> DepthImage:
        """Return a topic's message of this size, reusing the last one if it fits."""
        image = self._images.get(topic)
        if image is None or image.pixels.shape != (height, width):
            image = self._images[topic] = DepthImage(width, height)
        return image


class OutgoingFrame:
    """A DepthFrame to be published; arrays that several topics need are computed once.

    Attributes
    ----------
    frame : the depth, on the network's grid.
    header : header of the image and of the published messages.
    values : values of the node's parameters for this frame.
    state : state kept between frames.
    """

    def __init__(
        self,
        frame: DepthFrame,
        header: Header,
        values: dict[str, Any],
        state: OutputState,
    ) -> None:
        self.frame = frame
        self.header = header
        self.values = values
        self.state = state

    @property
    def full(self) -> bool:
        """Whether images are published in the camera's resolution, not on the network's grid."""
        return bool(self.values['depth.resolution'] == 'camera')

    @functools.cached_property
    def intrinsics(self) -> Intrinsics | None:
        """Intrinsics of the published images; None without calibration."""
        return self.frame.camera_intrinsics if self.full else self.frame.intrinsics

    @functools.cached_property
    def depth_image(self) -> DepthImage:
        """The depth, computed in the memory of its message."""
        height, width = self.frame.camera_shape if self.full else self.frame.depth.shape
        image = self.state.image(DEPTH, width, height)
        if self.full:
            self.frame.full_depth(image.pixels)
        else:
            image.pixels[:] = self.frame.depth
        image.message.header = self.header
        return image

    @functools.cached_property
    def depth_color(self) -> np.ndarray:
        """The depth as a colour image: uint8 [height, width, 3], BGR."""
        return colorize(self.depth_image.pixels)

    @functools.cached_property
    def rgb(self) -> tuple[np.ndarray, str]:
        """The rectified camera image, aligned with the depth, and its encoding."""
        return self.frame.rectified_image() if self.full else (self.frame.colors(), 'rgb8')


def _depth(out: OutgoingFrame) -> Image:
    return out.depth_image.message


def _confidence(out: OutgoingFrame) -> Image:
    frame = out.frame
    height, width = frame.camera_shape if out.full else frame.depth.shape
    image = out.state.image(CONFIDENCE, width, height)
    if out.full:
        frame.full_confidence(image.pixels, out.depth_image.pixels)
    else:
        image.pixels[:] = frame.confidence
    image.message.header = out.header
    return image.message


def _camera_info(out: OutgoingFrame) -> CameraInfo:
    assert out.intrinsics is not None
    return intrinsics_msg(out.intrinsics, out.header)


def _depth_color(out: OutgoingFrame) -> Image:
    return image_msg(out.depth_color, 'bgr8', out.header)


def _rgb(out: OutgoingFrame) -> Image:
    return image_msg(*out.rgb, out.header)


def _measurements(out: OutgoingFrame) -> PointCloud2:
    aligned, intrinsics = out.frame.aligned, out.frame.intrinsics
    assert intrinsics is not None
    x, y, z, used = np.empty((4, 0)) if aligned is None else aligned.measurements.T
    i = intrinsics
    points = np.stack([(x - i.cx) / i.fx * z, (y - i.cy) / i.fy * z, z, used], axis=-1)
    return cloud_msg(points.astype(np.float32), out.header, 'used')


def _compressed_depth(out: OutgoingFrame) -> CompressedImage:
    data = compressed_depth(out.depth_image.pixels)
    return compressed_image_msg(data, DEPTH_FORMAT, out.header)


def _compressed_depth_color(out: OutgoingFrame) -> CompressedImage:
    return compressed_image_msg(*compressed_color(out.depth_color, 'bgr8'), out.header)


def _compressed_rgb(out: OutgoingFrame) -> CompressedImage:
    return compressed_image_msg(*compressed_color(*out.rgb), out.header)


def _points(out: OutgoingFrame) -> PointCloud2:
    frame, values = out.frame, out.values
    assert frame.camera_intrinsics is not None
    stride = values['points.stride']
    every = (slice(None, None, stride),) * 2
    intrinsics = frame.camera_intrinsics.sampled(frame.cells.strided(stride))
    colors = frame.colors()[every] if values['points.color'] else None
    points = point_cloud(frame.depth[every], intrinsics, colors)
    farthest = values['points.max_range']
    if values['points.clamp_range']:
        pull_in_range(points, intrinsics, farthest, frame.beyond[every])
        farthest = 0.0
    limit_range(points, values['points.min_range'], farthest)
    points = reduced(points, values['points.voxel_size'], values['points.organized'])
    return cloud_msg(points, out.header)


def _obstacles(out: OutgoingFrame) -> PointCloud2:
    state, header, frame, values = out.state, out.header, out.frame, out.values
    mount = state.mounts.of(values, header.frame_id)
    assert frame.intrinsics is not None
    measured = frame.aligned is not None and frame.aligned.measured
    points = state.obstacles.points(
        frame.depth,
        frame.intrinsics,
        mount.height,
        mount.up,
        nanoseconds(header.stamp) * 1e-9,
        ObstacleOptions(
            min_height=values['obstacles.min_height'],
            max_range=values['obstacles.max_range'],
            depth_error=values['obstacles.depth_error'],
            memory=values['obstacles.memory'],
            min_range=values['points.min_range'],
            voxel_size=values['points.voxel_size'],
        ),
        frame.beyond,
        error=frame.std if measured else None,
        sure=frame.confidence >= values['obstacles.sure'] if measured else None,
        floor=frame.outputs.get('floor'),
    )
    return cloud_msg(points, header)


def _scan(out: OutgoingFrame) -> LaserScan:
    values = out.values
    assert out.intrinsics is not None
    limits = values['scan.range_min'], values['scan.range_max']
    rows, depth = values['scan.scan_height'], out.depth_image.pixels
    beyond = out.frame.full_beyond() if out.full else out.frame.beyond
    scan = laser_scan(depth, out.intrinsics, rows, *limits, beyond, values['scan.use_inf'])
    _warn_of_floor_in_scan(out)
    frame = scan_frame(out.header.frame_id, values['scan.output_frame'])
    header = Header(stamp=out.header.stamp, frame_id=frame)
    return scan_msg(scan, header, values['scan.scan_time'], *limits)


def _warn_of_floor_in_scan(out: OutgoingFrame) -> None:
    mount = out.state.mounts.known(out.values, out.header.frame_id)
    if mount is None or out.intrinsics is None:
        return
    rows, farthest = out.values['scan.scan_height'], out.values['scan.range_max']
    meets = floor_in_scan(out.intrinsics, rows, mount.height, mount.up)
    if meets < farthest:
        out.state.node.get_logger().warning(
            f'{SCAN}: the camera looks down, so the scan shows the floor as a wall '
            f'{meets:.2f} m ahead ({mount.source}); set scan.range_max below that, fewer rows in '
            f'scan.scan_height, or use {OBSTACLES} and {POINTS} instead',
            throttle_duration_sec=60.0,
        )


@dataclass(frozen=True)
class Output:
    """One published topic.

    Attributes
    ----------
    topic : name, relative to the node's namespace.
    kind : class of the message.
    make : returns the message for a frame; may raise MsdepthError, which is logged.
    calibrated : whether it needs the camera's calibration.
    enabled_by : name of the parameter that enables it; '' = always enabled.
    """

    topic: str
    kind: type
    make: Callable[[OutgoingFrame], Any]
    calibrated: bool = False
    enabled_by: str = ''


DEPTH, DEPTH_INFO, DEPTH_COLOR = 'depth/image_rect', 'depth/camera_info', 'depth/image_color'
CONFIDENCE = 'depth/confidence'
RGB, RGB_INFO = 'rgb/image_rect_color', 'rgb/camera_info'
MEASUREMENTS = 'measurements'
POINTS, OBSTACLES, SCAN = 'points', 'obstacles', 'scan'

# In the order of publication; depth first, because other nodes may wait for it.
OUTPUTS = (
    Output(DEPTH, Image, _depth),
    Output(DEPTH_INFO, CameraInfo, _camera_info, calibrated=True),
    Output(RGB_INFO, CameraInfo, _camera_info, calibrated=True),
    Output(POINTS, PointCloud2, _points, calibrated=True, enabled_by='points.enabled'),
    Output(OBSTACLES, PointCloud2, _obstacles, calibrated=True),
    Output(SCAN, LaserScan, _scan, calibrated=True),
    Output(RGB, Image, _rgb),
    Output(DEPTH_COLOR, Image, _depth_color),
    Output(CONFIDENCE, Image, _confidence),
    Output(MEASUREMENTS, PointCloud2, _measurements, calibrated=True),
    # With image_transport's names and encodings, for subscribers over a radio link.
    Output(f'{DEPTH}/compressedDepth', CompressedImage, _compressed_depth),
    Output(f'{DEPTH_COLOR}/compressed', CompressedImage, _compressed_depth_color),
    Output(f'{RGB}/compressed', CompressedImage, _compressed_rgb),
)


class DepthOutputs:
    """Publishes frames on the topics of OUTPUTS. For a new topic add an entry and a function.

    Attributes
    ----------
    notifies : whether `changed` is called; False on Humble, which has no such event.
    """

    def __init__(self, node: LifecycleNode, changed: Callable[[], None]) -> None:
        """`changed` is called on the executor's thread when a subscriber appears or leaves."""
        self._node = node
        callbacks: dict[str, Any] = {}
        self.notifies = 'matched' in inspect.signature(PublisherEventCallbacks).parameters
        if self.notifies:
            events = PublisherEventCallbacks(matched=lambda _: changed())
            callbacks = {'event_callbacks': events}
        self._state = OutputState(node)
        self._reported_shared: set[str] = set()
        advertise = functools.partial(
            node.create_lifecycle_publisher,
            qos_profile=QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
            **callbacks,
        )
        self._publishers = {
            output.topic: advertise(output.kind, output.topic) for output in OUTPUTS
        }

    @property
    def mounts(self) -> Mounts:
        """The camera's mount."""
        return self._state.mounts

    def close(self) -> None:
        """Remove the topics."""
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)

    def wanted(self, values: dict[str, Any]) -> bool:
        """Return whether an enabled topic has a subscriber."""
        return any(self._is_wanted(output, values) for output in OUTPUTS)

    def publish(self, frame: DepthFrame, header: Header, values: dict[str, Any]) -> None:
        """Publish a frame with the header of its image and these values of the parameters."""
        out = OutgoingFrame(frame, header, values, self._state)
        for output in OUTPUTS:
            if output.calibrated and out.intrinsics is None:
                continue
            if not self._is_wanted(output, values):
                continue
            try:
                message = output.make(out)
            except MsdepthError as error:
                text = f'{output.topic}: {error}'
                self._node.get_logger().warning(text, throttle_duration_sec=5.0)
                continue
            self._publishers[output.topic].publish(message)

    def warn_of_shared_topics(self) -> None:
        """Warn once about each topic on which another node publishes, too."""
        for publisher in self._publishers.values():
            topic = publisher.topic_name
            if topic in self._reported_shared or self._node.count_publishers(topic) < 2:
                continue
            self._reported_shared.add(topic)
            own = self._node.get_name(), self._node.get_namespace()
            others = sorted(
                f'{end.node_namespace.rstrip("/")}/{end.node_name}'
                for end in self._node.get_publishers_info_by_topic(topic)
                if (end.node_name, end.node_namespace) != own
            )
            self._node.get_logger().warning(
                f'{topic} is published by {", ".join(others) or "another node of this name"}, too: '
                'subscribers get both; remap one of them, or give each camera a namespace'
            )

    def _is_wanted(self, output: Output, values: dict[str, Any]) -> bool:
        enabled = not output.enabled_by or values[output.enabled_by]
        return bool(enabled and self._publishers[output.topic].get_subscription_count())
