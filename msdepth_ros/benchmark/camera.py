# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A camera in a process of its own: publishes images at the rates that it is told.

Its messages are serialised once and stamped in place, so that it takes hardly more of the machine
than a driver written in C++. Started by rig.Rig, which sends one JSON line {"rate": Hz, "frames":
count} to its stdin for each run and gets the JSON list of the stamps back on stdout.
"""

import argparse
import itertools
import json
import signal
import struct
import sys
import time
from collections.abc import Iterator

import cv2
import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.serialization import serialize_message
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from msdepth_ros.host.memory import keep_freed_memory
from msdepth_ros.images.sources import DEFAULT_CLIP, ImageSource, guessed_camera
from msdepth_ros.node.messages import camera_info_msg, image_msg

READY = 'ready'
_IMAGES = 4  # different ones, taken evenly from the shipped clip
_PATIENCE = 120.0  # seconds that a node may take to subscribe; it may build an engine first
_STAMP = struct.Struct('=iI')
_STAMP_OFFSET = 4  # after CDR's header of four bytes; std_msgs/Header begins with the stamp


def stamp_of(serialised: bytes) -> int:
    """Return the stamp of a serialised message that begins with a Header, in nanoseconds."""
    seconds, nanoseconds = _STAMP.unpack_from(serialised, _STAMP_OFFSET)
    return seconds * 10**9 + nanoseconds


def stamped(serialised: bytearray, stamp: int) -> bytes:
    """Return a serialised message with another stamp (nanoseconds)."""
    _STAMP.pack_into(serialised, _STAMP_OFFSET, *divmod(stamp, 10**9))
    return bytes(serialised)


def clip_images(width: int, height: int) -> list[np.ndarray]:
    """Return uint8 [height, width, 3] BGR images of a room, from the shipped clip."""
    source = ImageSource(DEFAULT_CLIP)
    step = max(1, len(source) // _IMAGES)
    frames = itertools.islice(source, 0, None, step)
    return [cv2.resize(each.image, (width, height)) for each in itertools.islice(frames, _IMAGES)]


class BenchmarkCamera(Node):
    """Publishes `image` (bgr8) and `camera_info` with one stamp, reliable, as drivers do.

    The image goes first, as from image_transport's CameraPublisher.
    """

    def __init__(self, namespace: str, width: int, height: int) -> None:
        super().__init__('benchmark_camera', namespace=namespace)
        header = Header(frame_id='camera_optical_frame')
        info = camera_info_msg(guessed_camera(width, height), header)
        self._info = bytearray(serialize_message(info))
        self._images: Iterator[bytearray] = itertools.cycle(
            bytearray(serialize_message(image_msg(image, 'bgr8', header)))
            for image in clip_images(width, height)
        )
        self._image_publisher = self.create_publisher(Image, 'image', QoSProfile(depth=10))
        self._info_publisher = self.create_publisher(
            CameraInfo, 'camera_info', QoSProfile(depth=10)
        )

    @property
    def awaited(self) -> bool:
        """Whether somebody subscribes to both topics."""
        publishers = (self._image_publisher, self._info_publisher)
        return all(publisher.get_subscription_count() for publisher in publishers)

    def play(self, rate: float, frames: int) -> list[int]:
        """Publish images at a rate (Hz); return their stamps (ns).

        A camera that was held up for longer than an image goes on from there, as a sensor does: it
        does not send all at once what it could not send before.
        """
        stamps = []
        start = time.monotonic()
        for number in range(frames):
            late = time.monotonic() - (start + number / rate)
            start += max(0.0, late - 1 / rate)
            time.sleep(max(0.0, -late))
            stamp = time.time_ns()
            self._image_publisher.publish(stamped(next(self._images), stamp))
            self._info_publisher.publish(stamped(self._info, stamp))
            stamps.append(stamp)
        return stamps


def main() -> None:
    """Play what stdin asks for, until it ends."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('namespace')
    parser.add_argument('width', type=int)
    parser.add_argument('height', type=int)
    arguments = parser.parse_args()
    keep_freed_memory()  # the node's time is measured, not this process's page faults
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    camera = BenchmarkCamera(arguments.namespace, arguments.width, arguments.height)
    deadline = time.monotonic() + _PATIENCE
    while not camera.awaited and time.monotonic() < deadline:
        time.sleep(0.05)
    print(json.dumps(READY if camera.awaited else 'nobody subscribes'), flush=True)
    for line in sys.stdin:
        print(json.dumps(camera.play(**json.loads(line))), flush=True)
    camera.destroy_node()
    rclpy.shutdown()  # else its shared memory stays


if __name__ == '__main__':
    main()
