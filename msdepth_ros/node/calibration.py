# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which calibration counts: the image's own, else the newest, else the file's."""

import threading
from collections import OrderedDict
from typing import TypeAlias

from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo

from msdepth_ros.calibration import camera_from_url
from msdepth_ros.errors import CalibrationError
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.geometry.plausibility import doubts
from msdepth_ros.node.messages import camera_from_msg

Stamp: TypeAlias = tuple[int, int]


class CalibrationSource:
    """Keeps the newest usable calibration of the camera.

    Attributes
    ----------
    camera : Camera, that of the newest camera_info, or the file's while that one is not usable;
        None while there is neither.
    announced : whether any calibration, usable or not, is known.
    doubt : what is hard to believe of the newest camera_info, '' where nothing is.
    """

    _KEPT = 10  # camera_info messages whose stamps are remembered
    _PATIENCE = 0.02  # seconds that an image's camera_info may come after it
    _MISSES = 3  # images in a row without their own camera_info, after which none is waited for

    def __init__(self, url: str = '', name: str = '') -> None:
        """Read the file behind `url` ('' = none), of the camera `name`.

        Raises
        ------
        CalibrationError
            If the URL is not of a file, or the file is no calibration.
        """
        self._from_file = camera_from_url(url, name) if url else None
        self.camera = self._from_file
        self.announced = self._from_file is not None
        self.doubt = ''
        self._changed = threading.Condition()
        self._by_stamp: OrderedDict[Stamp, Camera | None] = OrderedDict()
        self._misses = 0

    def update(self, message: CameraInfo) -> str | None:
        """Take a camera_info; return what makes it unusable, if no file stands in for it."""
        problem = None
        camera: Camera | None
        try:
            camera = camera_from_msg(message)
            if camera != self.camera:  # what every image repeats was checked
                camera.check()
                self.doubt = doubts(camera)
        except CalibrationError as error:
            self.doubt = ''
            camera, problem = self._from_file, None if self._from_file else str(error)
        with self._changed:
            self.announced = True
            self.camera = self._by_stamp[_key(message.header.stamp)] = camera
            while len(self._by_stamp) > self._KEPT:
                self._by_stamp.popitem(last=False)
            self._changed.notify_all()
        return problem

    def of(self, stamp: Time) -> Camera | None:
        """Return the calibration of the image with this stamp, as far as it is known now.

        That is its own camera_info's, else the newest.
        """
        with self._changed:
            return self._by_stamp.get(_key(stamp), self.camera)

    def settled(self, stamp: Time) -> Camera | None:
        """Return the same once the image's own camera_info had time to come.

        Cameras send an image and its camera_info in either order. It is waited for where the images
        before came with their own; not on the executor's thread, which receives it.
        """
        key = _key(stamp)
        with self._changed:
            if self._misses < self._MISSES:
                self._changed.wait_for(lambda: key in self._by_stamp, self._PATIENCE)
            self._misses = 0 if key in self._by_stamp else self._misses + 1
            return self._by_stamp.get(key, self.camera)


def _key(stamp: Time) -> Stamp:
    return stamp.sec, stamp.nanosec
