# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The camera's topics: what arrives on them, what of it deserves an answer, and what is amiss."""

import time
from collections.abc import Callable
from typing import Any, TypeAlias

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from rclpy.timer import Timer
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from msdepth_ros.errors import MsdepthError
from msdepth_ros.node.calibration import CalibrationSource
from msdepth_ros.node.messages import nanoseconds
from msdepth_ros.node.parameters import Parameters
from msdepth_ros.node.statistics import FrameStatus, Statistics
from msdepth_ros.node.stream_monitor import GapMonitor, StampMonitor, describe_publishers

PATIENCE = 5.0  # seconds without a camera_info or an image before something is done about it
THROTTLE = {'throttle_duration_sec': 5.0}  # of warnings that every frame would repeat
ImageMessage: TypeAlias = Image | CompressedImage


class CameraInput:
    """Subscribes `image` and `camera_info`; all on the executor's thread.

    camera_info is small and always heard; images only while that is asked for (`listen`), as a 4K
    image costs 7 ms to receive, used or not.

    Attributes
    ----------
    image_topic, info_topic : names, remapped and resolved.
    received : whether an image came since it was opened.
    since : when it last began to listen, time.monotonic() seconds.
    """

    def __init__(
        self,
        node: Node,
        parameters: Parameters,
        statistics: Statistics,
        offer: Callable[[ImageMessage, float], None],
    ) -> None:
        """Prepare to listen.

        Parameters
        ----------
        statistics : counts the images received and dropped.
        offer : is given each usable image and the time of its arrival (time.monotonic() seconds).
        """
        self._node = node
        self._parameters = parameters
        self._statistics = statistics
        self._offer = offer
        self.received = False
        self._newest: tuple[ImageMessage, float] | None = None
        self._subscriptions: dict[str, Subscription] = {}
        self._timer: Timer | None = None
        self.image_topic = node.resolve_topic_name('image')
        self.info_topic = node.resolve_topic_name('camera_info')

    def open(self, calibration: CalibrationSource) -> None:
        """Subscribe to camera_info; `calibration` learns every one."""
        self._calibration = calibration
        self._stamps = StampMonitor()
        self._gaps = GapMonitor()
        self.received = self._doubted = False
        self.since = time.monotonic()
        self._subscribe(CameraInfo, 'camera_info', self.on_camera_info, 5)

    def listen(self, wanted: bool) -> None:
        """Subscribe to images, or leave them; nothing where that is so already or it is closed."""
        if not self.is_open or wanted == self.listens:
            return
        if not wanted:
            self._leave_images()
            return
        compressed = self._parameters.values['image_transport'] == 'compressed'
        self._gaps = GapMonitor()
        # two images: a camera that was held up sends both at once
        self._subscribe(CompressedImage if compressed else Image, 'image', self.on_image, 2)
        # Simulated time may stand still; what watches over the camera must not.
        self._timer = self._node.create_timer(
            PATIENCE, self._check, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def close(self) -> None:
        """Unsubscribe, as far as it did subscribe, and forget the newest image."""
        self._leave_images()
        while self._subscriptions:
            self._node.destroy_subscription(self._subscriptions.popitem()[1])

    @property
    def is_open(self) -> bool:
        """Whether it is subscribed to camera_info."""
        return bool(self._subscriptions)

    @property
    def listens(self) -> bool:
        """Whether it is subscribed to images."""
        return 'image' in self._subscriptions

    def _subscribe(self, kind: type, topic: str, heard: Callable[[Any], None], depth: int) -> None:
        self._subscriptions[topic] = self._node.create_subscription(
            kind,
            topic,
            heard,
            QoSProfile(depth=depth, reliability=ReliabilityPolicy.BEST_EFFORT),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )

    def _leave_images(self) -> None:
        self._newest = None
        if self._timer is not None:
            self._node.destroy_timer(self._timer)
            self._timer = None
        subscription = self._subscriptions.pop('image', None)
        if subscription is not None:
            self._node.destroy_subscription(subscription)

    def newest(self) -> ImageMessage:
        """Return the newest usable image; raise MsdepthError if it is older than PATIENCE."""
        if self._newest is None or time.monotonic() - self._newest[1] > PATIENCE:
            raise MsdepthError(
                f'no image came in the last {PATIENCE:.0f} s: start the camera, activate the node'
            )
        return self._newest[0]

    def on_camera_info(self, message: CameraInfo) -> None:
        """Take a camera_info."""
        self._gaps.camera_info(message.header.stamp)
        problem = self._calibration.update(message)
        if problem:
            self._node.get_logger().warning(
                f'{self.info_topic}: {problem}; there is no cloud and no metric '
                'scale until this is right: calibrate the camera, or set camera_info_url',
                **THROTTLE,
            )
        doubt = self._calibration.doubt
        if doubt and not self._doubted:
            self._node.get_logger().warning(f'{self.info_topic}: {doubt}', **THROTTLE)
        self._doubted = bool(doubt)

    def on_image(self, message: ImageMessage) -> None:
        """Take an image: offer it, or count why not."""
        now = time.monotonic()
        self.received = True
        self._statistics.count(FrameStatus.RECEIVED, now)
        stamp = message.header.stamp
        lost = self._gaps.image(stamp)
        if lost:
            self._node.get_logger().warning(
                f'{self.image_topic}: {lost:.0%} of the images are lost between '
                'the camera and this node, by their camera_info: the topic is throttled, this '
                "machine is too busy, or the transport drops them; for Fast DDS start the camera's "
                'driver with '
                'FASTRTPS_DEFAULT_PROFILES_FILE set to share/msdepth_ros/config/fastdds.xml too'
            )
        refusal = self._stamps.refusal(
            nanoseconds(stamp),
            self._node.get_clock().now().nanoseconds,
            self._parameters.values['max_image_age'],
            self._node.get_parameter('use_sim_time').value,
        )
        if refusal:
            self._statistics.count(refusal)
            return
        self._newest = message, now
        self._offer(message, now)

    def _check(self) -> None:
        """Warn, once, about topics on which nothing came."""
        if self._timer is not None:
            self._timer.cancel()
        heard = {self.info_topic: self._calibration.announced, self.image_topic: self.received}
        for subscription in self._subscriptions.values():
            if heard[subscription.topic_name]:
                continue
            publishers = describe_publishers(self._node, subscription)
            self._node.get_logger().warning(
                f'nothing came on {subscription.topic_name} in {PATIENCE:.0f} s: {publishers}'
            )
