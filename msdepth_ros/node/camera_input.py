# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The subscriptions to the camera's topics, and warnings about what arrives there."""

import time
from collections.abc import Callable
from typing import Any, TypeAlias

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from rclpy.timer import Timer
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

from msdepth_ros.errors import MsdepthError, quoted
from msdepth_ros.images.frame_ids import names_body_frame, optical_frame_of
from msdepth_ros.images.topic_names import unread_transport
from msdepth_ros.node.calibration import CalibrationSource
from msdepth_ros.node.header_monitor import HeaderMonitor
from msdepth_ros.node.messages import nanoseconds
from msdepth_ros.node.parameters import Parameters
from msdepth_ros.node.publishers import (
    camera_info_elsewhere,
    describe_publishers,
    describe_rivals,
    is_latched,
)
from msdepth_ros.node.statistics import FrameStatus, Statistics
from msdepth_ros.node.stream_monitor import GapMonitor, StampMonitor

PATIENCE = 5.0  # seconds without camera_info or images before a warning
THROTTLE = {'throttle_duration_sec': 5.0}  # for warnings that every frame would repeat
_LATCHED = 'latched camera_info'
_LATCHED_PERIOD = 0.5  # seconds between two checks for publishers of a latched camera_info
ImageMessage: TypeAlias = Image | CompressedImage


class CameraInput:
    """Subscribes to `image` and `camera_info`; all on the executor's thread.

    It always receives camera_info, which is small, but images only while needed (`listen`): to
    receive a 4K image takes 7 ms, used or not.

    Attributes
    ----------
    image_topic, info_topic : resolved names, after remapping.
    received : whether an image arrived since `open`.
    since : time of `open`, time.monotonic() seconds.
    """

    def __init__(
        self,
        node: Node,
        parameters: Parameters,
        statistics: Statistics,
        offer: Callable[[ImageMessage, float], None],
    ) -> None:
        """Prepare; subscribe to nothing yet.

        Parameters
        ----------
        node : the node that subscribes.
        parameters : those of the node.
        statistics : counts the images received and dropped.
        offer : called with each usable image and its time of arrival (time.monotonic() seconds).
        """
        self._node = node
        self._parameters = parameters
        self._statistics = statistics
        self._offer = offer
        self.received = False
        self._newest: tuple[ImageMessage, float] | None = None
        self._subscriptions: dict[str, Subscription] = {}
        self._timer: Timer | None = None
        self._latched_timer: Timer | None = None
        self.image_topic = node.resolve_topic_name('image')
        self.info_topic = node.resolve_topic_name('camera_info')

    def open(self, calibration: CalibrationSource) -> None:
        """Subscribe to camera_info and pass each message to `calibration`."""
        self._calibration = calibration
        self._stamps = StampMonitor()
        self._headers = HeaderMonitor()
        self._gaps = GapMonitor()
        self.received = self._doubted = False
        self.since = time.monotonic()
        self._warned: set[str] = set()
        self._hear_camera_info('camera_info')
        # Steady time: simulated time may stand still, but these checks must not.
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._latched_timer = self._node.create_timer(
            _LATCHED_PERIOD, self._ask_for_latched, clock=self._steady
        )
        if advice := unread_transport(self.image_topic):
            self._node.get_logger().error(f'no image can arrive: {advice}')

    def listen(self, wanted: bool) -> None:
        """Subscribe to images if `wanted`, else unsubscribe; do nothing while closed."""
        if not self.is_open or wanted == self.listens:
            return
        if not wanted:
            self._leave_images()
            return
        compressed = self._parameters.values['image_transport'] == 'compressed'
        self._gaps = GapMonitor()
        # depth 2: a camera that was delayed sends two images at once
        self._subscribe(CompressedImage if compressed else Image, 'image', self.on_image, 2)
        self._timer = self._node.create_timer(PATIENCE, self._check, clock=self._steady)

    def close(self) -> None:
        """Unsubscribe from everything, and forget the newest image."""
        self._leave_images()
        if self._latched_timer is not None:
            self._node.destroy_timer(self._latched_timer)
            self._latched_timer = None
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

    def _hear_camera_info(self, topic: str) -> None:
        self._subscribe(CameraInfo, 'camera_info', self.on_camera_info, 5, topic)
        self.info_topic = self._subscriptions['camera_info'].topic_name

    def _ask_for_latched(self) -> None:
        """Subscribe also to latched camera_info, published once before this node started.

        This needs a separate subscription with durability transient local. It is made only if a
        publisher offers this, because other publishers would warn about it, and removed as soon as
        a calibration is known.
        """
        asked = self._subscriptions.get(_LATCHED)
        if self._calibration.announced:
            if asked is not None:
                self._node.destroy_subscription(self._subscriptions.pop(_LATCHED))
        elif asked is None and is_latched(self._node, self.info_topic):
            self._subscriptions[_LATCHED] = self._node.create_subscription(
                CameraInfo,
                self.info_topic,
                self._take_camera_info,
                QoSProfile(
                    depth=1,
                    reliability=ReliabilityPolicy.RELIABLE,
                    durability=DurabilityPolicy.TRANSIENT_LOCAL,
                ),
                # No warnings about volatile publishers: the other subscription receives those.
                event_callbacks=SubscriptionEventCallbacks(use_default_callbacks=False),
            )

    def _subscribe(
        self, kind: type, name: str, heard: Callable[[Any], None], depth: int, topic: str = ''
    ) -> None:
        self._subscriptions[name] = self._node.create_subscription(
            kind,
            topic or name,
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
        """Return the newest usable image.

        Raises
        ------
        MsdepthError
            If there is none, or it is older than PATIENCE.
        """
        if self._newest is None or time.monotonic() - self._newest[1] > PATIENCE:
            raise MsdepthError(
                f'no image arrived in the last {PATIENCE:.0f} s: start the camera and activate the '
                'node'
            )
        return self._newest[0]

    def on_camera_info(self, message: CameraInfo) -> None:
        """Take a camera_info."""
        self._gaps.camera_info(message.header.stamp)
        self._take_camera_info(message)

    def _take_camera_info(self, message: CameraInfo) -> None:
        problem = self._calibration.update(message)
        if problem:
            self._node.get_logger().warning(
                f'{self.info_topic}: {problem}; until this is right, there is no cloud and no '
                'metric scale: calibrate the camera, or set camera_info_url',
                **THROTTLE,
            )
        doubt = self._calibration.doubt
        if doubt and not self._doubted:
            self._node.get_logger().warning(f'{self.info_topic}: {doubt}', **THROTTLE)
        self._doubted = bool(doubt)

    def on_image(self, message: ImageMessage) -> None:
        """Take an image: offer it, or count why it is dropped."""
        now = time.monotonic()
        self.received = True
        self._name_frame(message)
        self._statistics.count(FrameStatus.RECEIVED, now)
        stamp = message.header.stamp
        lost = self._gaps.image(stamp)
        if lost:
            self._node.get_logger().warning(
                f'{self.image_topic}: {lost:.0%} of the images are lost between '
                'the camera and this node (their camera_info arrived): the topic is throttled, '
                'this machine is too busy, or the transport drops them; with Fast DDS start the '
                'camera driver with '
                'FASTRTPS_DEFAULT_PROFILES_FILE (from Kilted on: FASTDDS_DEFAULT_PROFILES_FILE) '
                'set to share/msdepth_ros/config/fastdds.xml, too'
            )
        clock = self._node.get_clock().now().nanoseconds
        for remark in self._headers.remarks(message.header, clock):
            self._node.get_logger().warning(f'{self.image_topic}: {remark}')
        refusal = self._stamps.refusal(
            nanoseconds(stamp),
            clock,
            self._parameters.values['max_image_age'],
            self._node.get_parameter('use_sim_time').value,
        )
        if refusal:
            self._statistics.count(refusal)
            return
        self._newest = message, now
        self._offer(message, now)

    def _name_frame(self, message: ImageMessage) -> None:
        """Set the frame_id to `optical_frame`; without it, warn if the name is of a body frame."""
        frame = self._parameters.values['optical_frame']
        if frame:
            message.header.frame_id = frame
        elif names_body_frame(message.header.frame_id):
            name = message.header.frame_id
            self._warn_once(
                'frame',  # once, whatever the names are
                f'{self.image_topic}: the name of the frame {quoted(name)} suggests that its x '
                'axis looks forward; images must be in an optical frame (x right, y down, z '
                'forward, REP-103). '
                'If so, set the parameter optical_frame to such a frame in TF, for example '
                f'{quoted(optical_frame_of(name))}',
            )

    def _check(self) -> None:
        """Warn once about each topic that is silent or has several publishers."""
        if not self._calibration.announced:
            self._look_elsewhere()
        heard = {'camera_info': self._calibration.announced, 'image': self.received}
        for name, came in heard.items():
            subscription = self._subscriptions.get(name)
            if subscription is None:
                continue
            topic = subscription.topic_name
            if not came:
                publishers = describe_publishers(self._node, subscription)
                self._warn_once(
                    f'{name} is silent',
                    f'nothing came on {topic} in {PATIENCE:.0f} s: {publishers}',
                )
            rivals = describe_rivals(self._node, topic)
            if rivals:
                self._warn_once(
                    f'{name} from {rivals}',
                    f'{topic} has several publishers ({rivals}), so depth jumps from one to the '
                    'other: stop one, or remap it',
                )

    def _look_elsewhere(self) -> None:
        """If nobody publishes our camera_info, subscribe to one beside or below the image."""
        found = camera_info_elsewhere(self._node, self.image_topic, self.info_topic)
        if found:
            self._node.get_logger().warning(
                f'nobody publishes {self.info_topic}: camera_info is taken from {found}, which '
                f'belongs to {self.image_topic}; remap camera_info to it'
            )
            self._node.destroy_subscription(self._subscriptions.pop('camera_info'))
            self._hear_camera_info(found)

    def _warn_once(self, what: str, text: str) -> None:
        if what not in self._warned:
            self._warned.add(what)
            self._node.get_logger().warning(text)
