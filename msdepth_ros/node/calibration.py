# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which calibration counts: the camera's own, or the file given for cameras that have none."""

from sensor_msgs.msg import CameraInfo

from msdepth_ros.errors import CalibrationError
from msdepth_ros.geometry.camera import camera_from_url
from msdepth_ros.node.messages import camera_from_msg


class CalibrationSource:
    """Keeps the newest usable calibration of the camera.

    Attributes
    ----------
    camera : Camera, that of the newest camera_info, or the file's while that one is not usable;
        None while there is neither.
    announced : whether any calibration, usable or not, is known.
    """

    def __init__(self, url: str = '') -> None:
        """Read the file behind `url` ('' = none).

        Raises
        ------
        CalibrationError
            If the URL is not of a file, or the file is no calibration.
        """
        self._from_file = camera_from_url(url) if url else None
        self.camera = self._from_file
        self.announced = self._from_file is not None

    def update(self, message: CameraInfo) -> str | None:
        """Take a camera_info; return what makes it unusable, if no file stands in for it."""
        self.announced = True
        try:
            camera = camera_from_msg(message)
            if camera != self.camera:  # what every image repeats was checked
                camera.check()
        except CalibrationError as error:
            self.camera = self._from_file
            return None if self._from_file else str(error)
        self.camera = camera
        return None
