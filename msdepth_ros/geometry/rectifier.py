# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The rectified camera image, for those who want colours that lie exactly on the depth."""

import cv2
import numpy as np

from msdepth_ros.geometry.camera import Camera, Intrinsics
from msdepth_ros.inference.input_map import raw_pixels


class Rectifier:
    """Undistorts whole images of one camera into an ideal image of the same size.

    The map is made at the first image, since few users need it.
    """

    def __init__(self, camera: Camera, ideal: Intrinsics) -> None:
        self._camera = camera
        self._ideal = ideal
        self._maps: tuple[np.ndarray, np.ndarray] | None = None

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Return uint8 [height, width(, channels)], rectified; black where nothing was seen."""
        if self._maps is None:
            u, v = raw_pixels(self._camera, self._ideal)
            self._maps = cv2.convertMaps(u, v, cv2.CV_16SC2)
        pixels, fractions = self._maps
        return cv2.remap(image, pixels, fractions, cv2.INTER_LINEAR, None, cv2.BORDER_CONSTANT)
