# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A node that records when depth arrives, and keeps some frames for pictures."""

import time
from dataclasses import dataclass, field

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header

from msdepth_ros.node.messages import image_from_msg

_Stamp = tuple[int, int]


@dataclass
class Sample:
    """One frame for a picture: the messages with one stamp."""

    image: Image | None = None
    depth: Image | None = None
    cloud: PointCloud2 | None = None
    confidence: Image | None = None

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Return the frame as arrays, None while a message is missing.

        Returns
        -------
        (uint8 [h, w, 3] BGR, float32 [h, w] metres, float32 [rows, columns, fields] points).
        """
        if self.image is None or self.depth is None or self.cloud is None:
            return None
        depth = np.frombuffer(self.depth.data, np.float32)
        points = np.frombuffer(self.cloud.data, np.float32)
        shape = (self.cloud.height, self.cloud.width, self.cloud.point_step // 4)
        return (
            image_from_msg(self.image)[0],
            depth.reshape(self.depth.height, self.depth.width),
            points.reshape(shape),
        )


@dataclass
class Recording:
    """What was received, by the stamps of the images.

    Attributes
    ----------
    played : stamps of the played images.
    answered : time at which the depth of each stamp arrived, seconds of time.time().
    clouds : stamps of the received clouds.
    samples : the frames kept for pictures.
    diagnostics : the newest values of the node in /diagnostics.
    error : the node's error in /diagnostics; '' = none.
    """

    played: set[_Stamp] = field(default_factory=set)
    answered: dict[_Stamp, float] = field(default_factory=dict)
    clouds: set[_Stamp] = field(default_factory=set)
    samples: dict[_Stamp, Sample] = field(default_factory=dict)
    diagnostics: dict[str, str] = field(default_factory=dict)
    error: str = ''

    def latencies(self) -> list[float]:
        """Return the seconds from each image's stamp to the arrival of its depth."""
        return [moment - sec - 1e-9 * ns for (sec, ns), moment in self.answered.items()]

    def rate(self) -> float:
        """Return the mean rate of the depth images in Hz."""
        moments = sorted(self.answered.values())
        return (len(moments) - 1) / (moments[-1] - moments[0]) if len(moments) > 1 else 0.0


class Recorder(Node):
    """Subscribes to a camera and to its depth, all in one namespace."""

    def __init__(self, namespace: str, sample_period: float, confidence: bool = False) -> None:
        """Keep a sample every `sample_period` seconds, with `confidence` if it is True."""
        super().__init__('recorder', namespace=namespace)
        self.recording = Recording()
        self._sample_period = sample_period
        self._next_sample = 0.0
        reliable = QoSProfile(depth=100)
        self.create_subscription(Image, 'depth/image_rect', self._on_depth, reliable)
        self.create_subscription(PointCloud2, 'points', self._on_points, reliable)
        self.create_subscription(CameraInfo, 'camera_info', self._on_camera_info, reliable)
        self.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, reliable)
        if confidence:
            self.create_subscription(Image, 'depth/confidence', self._on_confidence, reliable)
        self._watching_images = False

    def watch_images(self) -> None:
        """Subscribe to the images as soon as the depth node has been found."""
        if not self._watching_images and self._found_depth_node():
            self._watching_images = True
            newest = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
            self.create_subscription(Image, 'image_raw', self._on_image, newest)

    def _found_depth_node(self) -> bool:
        return all(self.count_publishers(topic) for topic in ('depth/image_rect', 'points'))

    def _on_camera_info(self, message: CameraInfo) -> None:
        self.recording.played.add(_stamp(message.header))

    def _on_image(self, message: Image) -> None:
        now = time.monotonic()
        if now >= self._next_sample:
            self._next_sample = now + self._sample_period
            self.recording.samples[_stamp(message.header)] = Sample(image=message)

    def _on_depth(self, message: Image) -> None:
        stamp = _stamp(message.header)
        self.recording.answered[stamp] = time.time()
        if stamp in self.recording.samples:
            self.recording.samples[stamp].depth = message

    def _on_points(self, message: PointCloud2) -> None:
        stamp = _stamp(message.header)
        self.recording.clouds.add(stamp)
        if stamp in self.recording.samples:
            self.recording.samples[stamp].cloud = message

    def _on_confidence(self, message: Image) -> None:
        sample = self.recording.samples.get(_stamp(message.header))
        if sample is not None:
            sample.confidence = message

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.startswith(self.get_namespace().rstrip('/') + '/msdepth'):
                self.recording.diagnostics = {item.key: item.value for item in status.values}
                failed = status.level == DiagnosticStatus.ERROR
                self.recording.error = status.message if failed else ''


def _stamp(header: Header) -> _Stamp:
    return header.stamp.sec, header.stamp.nanosec
