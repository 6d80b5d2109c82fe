# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A frame of a depth node: the messages with one stamp, and their arrays."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.images.message_fields import camera_fields, depth_pixels, image_pixels

DEPTH, INFO, IMAGE = 'depth/image_rect', 'depth/camera_info', 'rgb/image_rect_color'
CONFIDENCE, POINTS, SCAN = 'depth/confidence', 'points', 'scan'
MEASUREMENTS = 'measurements'
_WAITING = 2  # number of incomplete frames
_OVERTAKEN = 10**9  # nanoseconds by which a message may be late
_TO_BGR = {
    'rgb8': cv2.COLOR_RGB2BGR,
    'rgba8': cv2.COLOR_RGBA2BGR,
    'bgra8': cv2.COLOR_BGRA2BGR,
    'mono8': cv2.COLOR_GRAY2BGR,
}


@dataclass
class ViewedFrame:
    """The messages of a node with one stamp; arrays are computed when used.

    Attributes
    ----------
    stamp : nanoseconds.
    messages : by topic.
    """

    stamp: int
    messages: dict[str, Any] = field(default_factory=dict)

    @property
    def frame_id(self) -> str:
        """The frame_id of the depth image."""
        return self.messages[DEPTH].header.frame_id

    @cached_property
    def depth(self) -> np.ndarray:
        """The depth, float32 [height, width], metres along Z, NaN invalid."""
        return depth_pixels(self.messages[DEPTH])

    @cached_property
    def intrinsics(self) -> Intrinsics | None:
        """The intrinsics of the depth image, None without calibration."""
        message = self.messages.get(INFO)
        return None if message is None else camera_fields(message).rectified_intrinsics()

    @cached_property
    def image(self) -> np.ndarray | None:
        """The rectified camera image, uint8 [height, width, 3] BGR; None if it is missing."""
        message = self.messages.get(IMAGE)
        if message is None:
            return None
        pixels, encoding = image_pixels(message)
        code = _TO_BGR.get(encoding)
        return pixels if code is None else cv2.cvtColor(pixels, code)

    @cached_property
    def confidence(self) -> np.ndarray | None:
        """The confidence, float32 [height, width], 0 to 1, NaN invalid; None if it is missing."""
        message = self.messages.get(CONFIDENCE)
        return None if message is None else depth_pixels(message)

    @cached_property
    def cloud(self) -> tuple[np.ndarray, np.ndarray]:
        """The valid points, float32 [count, 3], and their colours, uint8 [count, 3] RGB."""
        message = self.messages.get(POINTS)
        if message is None:
            return np.empty((0, 3), np.float32), np.empty((0, 3), np.uint8)
        table = _cloud_table(message)
        points = _xyz(table)
        if 'rgb' not in (table.dtype.names or ()):
            return points, np.full(points.shape, 160, np.uint8)
        packed = np.ascontiguousarray(table['rgb']).view(np.uint32)
        colors = np.stack([packed >> shift & 255 for shift in (16, 8, 0)], axis=-1)
        return points, colors.astype(np.uint8)

    @cached_property
    def measurements(self) -> tuple[np.ndarray, np.ndarray]:
        """The measured points, float32 [count, 3]: the used ones and the rejected ones."""
        message = self.messages.get(MEASUREMENTS)
        if message is None:
            return np.empty((0, 3), np.float32), np.empty((0, 3), np.float32)
        table = _cloud_table(message)
        points, used = _xyz(table), table['used'] > 0
        return points[used], points[~used]

    @cached_property
    def scan(self) -> tuple[np.ndarray, str] | None:
        """The scan's valid points, float32 [count, 3] in its frame, and the frame_id."""
        message = self.messages.get(SCAN)
        if message is None:
            return None
        ranges = np.array(message.ranges, np.float32)
        angles = message.angle_min + message.angle_increment * np.arange(len(ranges))
        valid = (ranges >= message.range_min) & (ranges <= message.range_max)
        ranges, angles = ranges[valid], angles[valid]
        flat = [np.cos(angles) * ranges, np.sin(angles) * ranges, np.zeros(len(ranges))]
        return np.stack(flat, axis=-1).astype(np.float32), message.header.frame_id


def _cloud_table(message: Any) -> np.ndarray:
    """Return the valid points of a cloud as a structured array of float32 fields."""
    order = '>' if message.is_bigendian else '<'
    kind = np.dtype(
        {
            'names': [item.name for item in message.fields],
            'formats': [f'{order}f4' for _ in message.fields],
            'offsets': [item.offset for item in message.fields],
            'itemsize': message.point_step,
        }
    )
    table = np.frombuffer(message.data, kind)
    return table[np.isfinite(table['z'])]


def _xyz(table: np.ndarray) -> np.ndarray:
    return np.stack([table[name] for name in 'xyz'], axis=-1).astype(np.float32)


class FrameJoiner:
    """Joins messages by their stamps, and passes on each frame that has a depth image.

    A frame is complete when it has all topics that the previous one had. An incomplete frame is
    passed on when the second frame after it begins.
    """

    def __init__(self, complete: Callable[[ViewedFrame], None]) -> None:
        self._complete = complete
        self._expected = {DEPTH, INFO, IMAGE, POINTS}
        self._waiting: dict[int, ViewedFrame] = {}
        self._last: ViewedFrame | None = None

    def add(self, topic: str, message: Any) -> None:
        """Add a message that was received on a topic."""
        stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        if self._last is not None and stamp <= self._last.stamp:
            if stamp == self._last.stamp:  # late: from now on, frames wait for this topic
                self._last.messages[topic] = message
                self._expected.add(topic)
            if self._last.stamp - stamp < _OVERTAKEN:
                return
            self._last = None  # the clock jumped backwards
            self._waiting.clear()
        frame = self._waiting.setdefault(stamp, ViewedFrame(stamp))
        frame.messages[topic] = message
        if self._expected <= frame.messages.keys():
            self._pass_on(stamp)
        elif len(self._waiting) > _WAITING:
            self._pass_on(min(self._waiting))

    def _pass_on(self, stamp: int) -> None:
        frame = self._waiting.pop(stamp)
        for earlier in [key for key in self._waiting if key < stamp]:
            del self._waiting[earlier]
        if DEPTH in frame.messages:
            self._last = frame
            self._expected = set(frame.messages)
            self._complete(frame)
