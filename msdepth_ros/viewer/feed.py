# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The subscriptions to one depth node, while a page is open."""

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, Image, LaserScan, PointCloud2

from msdepth_ros.viewer.frame import (
    CONFIDENCE,
    DEPTH,
    IMAGE,
    INFO,
    MEASUREMENTS,
    POINTS,
    SCAN,
    FrameJoiner,
    ViewedFrame,
)
from msdepth_ros.viewer.recording import LastSeconds

TOPICS = {
    DEPTH: Image,
    INFO: CameraInfo,
    IMAGE: Image,
    CONFIDENCE: Image,
    POINTS: PointCloud2,
    SCAN: LaserScan,
    MEASUREMENTS: PointCloud2,
}

_LEVELS = {
    DiagnosticStatus.OK: 'OK',
    DiagnosticStatus.WARN: 'WARN',
    DiagnosticStatus.ERROR: 'ERROR',
    DiagnosticStatus.STALE: 'STALE',
}


class Diagnostics:
    """The node's newest status in /diagnostics.

    Attributes
    ----------
    level : 'OK', 'WARN', 'ERROR' or 'STALE' (nothing received).
    message : one line.
    values : texts by key.
    heard : time of arrival, time.monotonic() seconds.
    """

    def __init__(self, status: DiagnosticStatus | None = None) -> None:
        self.level = 'STALE' if status is None else _LEVELS.get(status.level, 'STALE')
        self.message = 'nothing received from the node yet' if status is None else status.message
        self.values = {} if status is None else {item.key: item.value for item in status.values}
        self.heard = time.monotonic()


class CameraFeed:
    """The newest frame and diagnostics of one depth node.

    Subscriptions are best effort and keep one message, so that a slow or blocked viewer does not
    slow down the node. Call `open` and `close` on the executor's thread, all else on any thread.

    Attributes
    ----------
    name : full name of the depth node.
    last_seconds : frames for a recording.
    """

    def __init__(self, node: Node, name: str) -> None:
        self.name = name
        self.last_seconds = LastSeconds()
        self._node = node
        self._subscriptions: list[Subscription] = []
        self._changed = threading.Condition()
        self._frame: ViewedFrame | None = None
        self._diagnostics = Diagnostics()

    @property
    def opened(self) -> bool:
        """Whether it is subscribed."""
        return bool(self._subscriptions)

    @property
    def frame(self) -> ViewedFrame | None:
        """The newest frame, None before the first."""
        return self._frame

    @property
    def diagnostics(self) -> Diagnostics:
        """The newest status of the node."""
        return self._diagnostics

    def open(self) -> None:
        """Subscribe."""
        namespace = self.name.rpartition('/')[0]
        joiner = FrameJoiner(self._on_frame)
        newest = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        for topic, kind in TOPICS.items():
            heard: Callable[[Any], None] = partial(joiner.add, topic)
            self._subscribe(kind, f'{namespace}/{topic}', heard, newest)
        self._subscribe(DiagnosticArray, '/diagnostics', self._on_diagnostics, QoSProfile(depth=10))

    def close(self) -> None:
        """Unsubscribe, and forget everything received."""
        while self._subscriptions:
            self._node.destroy_subscription(self._subscriptions.pop())
        self.last_seconds.clear()
        self._frame = None
        self._diagnostics = Diagnostics()

    def wait_for_newer(self, stamp: int, timeout: float) -> ViewedFrame | None:
        """Wait for a frame with another stamp and return it, None after `timeout` seconds."""

        def newer() -> bool:
            return self._frame is not None and self._frame.stamp != stamp

        with self._changed:
            self._changed.wait_for(newer, timeout)
            return self._frame if newer() else None

    def _subscribe(
        self, kind: Any, topic: str, heard: Callable[[Any], None], qos: QoSProfile
    ) -> None:
        self._subscriptions.append(self._node.create_subscription(kind, topic, heard, qos))

    def _on_frame(self, frame: ViewedFrame) -> None:
        with self._changed:
            self._frame = frame
            self._changed.notify_all()

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == f'{self.name}: depth':
                self._diagnostics = Diagnostics(status)
