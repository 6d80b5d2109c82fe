# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A simulated camera in a separate process, which publishes images at requested rates.

Its messages are serialised once and stamped in place, so it needs hardly more time than a driver
in C++. rig.Rig starts it, sends a JSON line {"rate": Hz, "frames": count} to its stdin for each
run, and reads the JSON list of the stamps from its stdout.
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
_IMAGES = 4  # number of different images, evenly spaced in the shipped clip
_PATIENCE = 120.0  # seconds in which the node must subscribe; it may build an engine first
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
    """Publishes `image` (bgr8) and `camera_info` with the same stamp, reliable, as drivers do.

    The image is sent first, as by image_transport's CameraPublisher.
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

        After a delay of more than one frame period it continues from there, as a sensor does, and
        does not send the missed images.
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
    """Serve the requests on stdin until it ends."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('namespace')
    parser.add_argument('width', type=int)
    parser.add_argument('height', type=int)
    arguments = parser.parse_args()
    keep_freed_memory()  # the node's time is measured, not this process's page faults
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process handles Ctrl-C
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    camera = BenchmarkCamera(arguments.namespace, arguments.width, arguments.height)
    deadline = time.monotonic() + _PATIENCE
    while not camera.awaited and time.monotonic() < deadline:
        time.sleep(0.05)
    print(json.dumps(READY if camera.awaited else 'nobody subscribes'), flush=True)
    for line in sys.stdin:
        print(json.dumps(camera.play(**json.loads(line))), flush=True)
    camera.destroy_node()
    rclpy.shutdown()  # otherwise its shared memory would stay


if __name__ == '__main__':
    main()
