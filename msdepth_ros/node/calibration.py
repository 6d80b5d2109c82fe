# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The calibration of an image: its own camera_info, else the newest, else a file's."""

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
    camera : the newest usable camera_info, or the file's calibration while there is none; None
        while there is neither.
    announced : whether any calibration, usable or not, is known.
    doubt : what is implausible in the newest camera_info, '' = nothing.
    """

    _KEPT = 10  # number of camera_info messages kept by stamp
    _PATIENCE = 0.02  # seconds to wait for the camera_info of an image
    _MISSES = 3  # images in a row without their own camera_info, after which it does not wait

    def __init__(self, url: str = '', name: str = '') -> None:
        """Read the calibration file at `url` ('' = none); `name` replaces ${NAME} in it.

        Raises
        ------
        CalibrationError
            If there is no such file, or it is no calibration.
        """
        self._from_file = camera_from_url(url, name) if url else None
        self.camera = self._from_file
        self.announced = self._from_file is not None
        self.doubt = ''
        self._changed = threading.Condition()
        self._by_stamp: OrderedDict[Stamp, Camera | None] = OrderedDict()
        self._misses = 0

    def update(self, message: CameraInfo) -> str | None:
        """Take a camera_info; return why it is unusable, None if it or the file can be used."""
        problem = None
        camera: Camera | None
        try:
            camera = camera_from_msg(message)
            if camera != self.camera:  # equal ones were checked before
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
        """Return the calibration with an image's stamp, else the newest; do not wait."""
        with self._changed:
            return self._by_stamp.get(_key(stamp), self.camera)

    def settled(self, stamp: Time) -> Camera | None:
        """Return the same, after waiting shortly for the image's own camera_info.

        Cameras send an image and its camera_info in either order. It waits only if the images
        before had their own. Do not call it on the executor's thread, which receives camera_info.
        """
        key = _key(stamp)
        with self._changed:
            if self._misses < self._MISSES:
                self._changed.wait_for(lambda: key in self._by_stamp, self._PATIENCE)
            self._misses = 0 if key in self._by_stamp else self._misses + 1
            return self._by_stamp.get(key, self.camera)


def _key(stamp: Time) -> Stamp:
    return stamp.sec, stamp.nanosec
