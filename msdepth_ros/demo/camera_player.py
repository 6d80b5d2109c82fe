# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A node that plays recorded images as a calibrated camera."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rclpy
from nav_msgs.msg import Odometry
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.executors import Executor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, Image, LaserScan
from std_msgs.msg import Header

from msdepth_ros.calibration import camera_from_url
from msdepth_ros.demo.measured import FRAME, ClipDepth
from msdepth_ros.demo.posed_folder import camera_of, poses_of
from msdepth_ros.errors import MsdepthError
from msdepth_ros.images.sources import DEFAULT_CLIP, ImageSource, Picture, guessed_camera
from msdepth_ros.node.messages import camera_info_msg, image_msg, odometry_msg
from msdepth_ros.node.process import run_node

DEFAULT_RATE = 30.0  # Hz, for images without a rate
_WAIT_PERIOD = 0.02  # seconds between two checks for subscribers


class CameraPlayer(Node):
    """Publishes `image_raw` (bgr8) and `camera_info` with the same stamp, from the node's clock.

    If the folder has a poses.txt, it also publishes the pose of the camera's frame on `odom` before
    each image.

    ROS parameters:

    - `path`: a video, an image folder or a dataset folder; '' = the shipped clip.
    - `rate`: Hz; 0: that of the recording, or 30.
    - `loop`: play again and again; false = end the node after the last image.
    - `camera_info_url`: calibration file; '' = camera.yaml beside the images, or a field of view of
      60 degrees.
    - `frame_id`: of the images.
    - `wait_for_subscribers`: number of subscribers of `image_raw` to wait for at the start.
    - `measured`: scan = also publish `measured/scan`, of a scanner at the camera's position,
      simulated from the true depth of the shipped clip.
    """

    def __init__(self) -> None:
        super().__init__('camera_player')
        path = self.declare_parameter('path', '').value or DEFAULT_CLIP
        number = ParameterDescriptor(dynamic_typing=True)  # accepts 30 and 30.0
        rate = self.declare_parameter('rate', 0.0, number).value
        self._loop = self.declare_parameter('loop', True).value
        url = self.declare_parameter('camera_info_url', '').value
        self._frame_id = self.declare_parameter('frame_id', 'camera_optical_frame').value
        self._awaited = self.declare_parameter('wait_for_subscribers', 0).value
        if type(rate) not in (int, float) or not 0 <= rate <= 1000:
            raise MsdepthError(f'rate is {rate} but must lie in 0 to 1000 Hz')
        self._source = ImageSource(path)
        folder = Path(path)
        self._camera = camera_from_url(url) if url else self._source.camera or camera_of(folder)
        self._poses = poses_of(folder)
        if self._camera is None:
            self.get_logger().warning(
                f'no calibration beside {path}: a field of view of 60 degrees is assumed, so the '
                'depth is not metric; set camera_info_url'
            )
        # System defaults (REP-2003): reliable matches reliable and best effort subscribers.
        overrides = QoSOverridingOptions.with_default_policies()
        qos = QoSProfile(depth=10)
        self._image_publisher = self.create_publisher(
            Image, 'image_raw', qos, qos_overriding_options=overrides
        )
        self._info_publisher = self.create_publisher(
            CameraInfo, 'camera_info', qos, qos_overriding_options=overrides
        )
        self._odometry = None
        if self._poses:
            self._odometry = self.create_publisher(
                Odometry, 'odom', qos, qos_overriding_options=overrides
            )
        self._truth: ClipDepth | None = None
        if self.declare_parameter('measured', 'none').value == 'scan':
            if self._camera is None:
                raise MsdepthError(
                    f'{path} has no calibration, so no scan can be simulated: set camera_info_url'
                )
            self._truth = ClipDepth(folder, self._camera.rectified_intrinsics())
            self._scans = self.create_publisher(
                LaserScan, 'measured/scan', qos, qos_overriding_options=overrides
            )
        self._images = self._endless() if self._loop else self._once()
        self._pose: np.ndarray | None = None
        self._scan: LaserScan | None = None
        self.played = 0
        self._next = self._decode()
        self.done = False
        self._period = 1 / (rate or self._source.rate or DEFAULT_RATE)
        self._timer = self.create_timer(_WAIT_PERIOD, self._start_when_awaited)

    def _start_when_awaited(self) -> None:
        if self._image_publisher.get_subscription_count() >= self._awaited:
            self.destroy_timer(self._timer)
            self._timer = self.create_timer(self._period, self._play)

    def _play(self) -> None:
        """Publish the decoded image, then decode the next one."""
        if self._next is None:
            self.done = True
            return
        image = self._next
        if self._camera is None:
            self._camera = guessed_camera(image.width, image.height)
        image.header.stamp = self.get_clock().now().to_msg()
        if self._odometry is not None and self._pose is not None:
            self._odometry.publish(odometry_msg(self._pose, image.header))
        if self._scan is not None:
            self._scan.header.stamp = image.header.stamp
            self._scans.publish(self._scan)
        self._info_publisher.publish(camera_info_msg(self._camera, image.header))
        self._image_publisher.publish(image)
        self.played += 1
        self._next = self._decode()

    def _decode(self) -> Image | None:
        """Return the next image as a message without a stamp, None after the last."""
        picture = next(self._images, None)
        if picture is None:
            return None
        self._pose = self._poses.get(picture.name)
        self._scan = None if self._truth is None else _scan_msg(self._truth, self.played)
        return image_msg(picture.image, 'bgr8', Header(frame_id=self._frame_id))

    def _endless(self) -> Iterator[Picture]:
        while True:
            yield from self._once()

    def _once(self) -> Iterator[Picture]:
        """Yield the pictures that can be read; warn about the others."""
        error: MsdepthError | None = None

        def warn(unreadable: MsdepthError) -> None:
            nonlocal error
            error = unreadable
            self.get_logger().warning(str(error), throttle_duration_sec=10.0)

        count = 0
        for count, picture in enumerate(self._source.pictures(warn), 1):  # noqa: B007
            yield picture
        if not count and error is not None:
            raise error


def _scan_msg(truth: ClipDepth, number: int) -> LaserScan:
    """Return the scan of a frame, with the stamp of its image."""
    ranges, first, step = truth.ranges(number)
    message = LaserScan(header=Header(frame_id=FRAME))
    message.angle_min, message.angle_increment = first, step
    message.angle_max = first + step * (len(ranges) - 1)
    message.range_min, message.range_max = 0.1, 12.0
    message.ranges = ranges.tolist()
    return message


def main(args: list[str] | None = None) -> int:
    """Run the node until its last image, SIGINT or SIGTERM."""

    def run(node: CameraPlayer, executor: Executor) -> None:
        while not node.done:
            rclpy.spin_once(node, executor=executor)
        node.get_logger().info(f'{node.played} images played')

    return run_node(CameraPlayer, run, args)


if __name__ == '__main__':
    sys.exit(main())
