# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A simulated laser scanner for the shipped clip, from the clip's true depth."""

import math
from pathlib import Path

import cv2
import numpy as np

from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.pinhole import Intrinsics

FRAME = 'laser'
HEIGHT, PITCH = 1.2, math.radians(10)  # of the clip's camera: metres; radians downwards
_NOISE = 0.01  # relative standard deviation of a range
_BEAM = math.radians(0.5)  # between two beams


class ClipDepth:
    """The true depth of a rendered clip.

    Parameters
    ----------
    clip : the video; `msdepth render --clip` writes its depth into the same folder.
    intrinsics : intrinsics of the video's images.

    Raises
    ------
    MsdepthError
        If there is no such depth.
    """

    def __init__(self, clip: Path, intrinsics: Intrinsics) -> None:
        path = clip.with_suffix('.depth.npz')
        try:
            with np.load(path) as file:
                self._frames = file['millimetres'].astype(np.float32) / np.float32(1000)
                self._order = file['order'].astype(int)
        except (OSError, KeyError, ValueError) as error:
            raise MsdepthError(
                f'{path} is missing or damaged: --measured scan needs the true depth of the clip, '
                'which the shipped clip has; play that one'
            ) from error
        self._intrinsics = intrinsics

    def frame(self, number: int) -> np.ndarray:
        """Return the depth of a frame in the video's size, float32 [height, width], metres."""
        i = self._intrinsics
        small = self._small(number)
        return cv2.resize(small, (i.width, i.height), interpolation=cv2.INTER_LINEAR)

    def ranges(self, number: int) -> tuple[np.ndarray, float, float]:
        """Return the ranges of a level scanner at the camera's position.

        A level beam at angle a meets the image of a camera that looks down by PITCH in the row
        cy - f tan(PITCH) and the column cx - f tan(a) / cos(PITCH).

        Returns
        -------
        (ranges by angle, float32 [n] metres; first angle, radians; angle between beams, radians).
        """
        small = self._small(number)
        i = self._intrinsics.resized(small.shape[1], small.shape[0])
        reach = math.atan(i.cx / i.fx * math.cos(PITCH))
        angles = np.arange(-reach, reach, _BEAM)
        u = np.rint(i.cx - i.fx * np.tan(angles) / math.cos(PITCH)).astype(int)
        v = round(i.cy - i.fy * math.tan(PITCH))
        depth = small[v, u.clip(0, i.width - 1)]
        noise = np.random.default_rng(number).normal(1, _NOISE, len(depth))
        ranges = depth / (np.cos(angles) * math.cos(PITCH)) * noise
        return ranges.astype(np.float32), float(angles[0]), _BEAM

    def _small(self, number: int) -> np.ndarray:
        return self._frames[self._order[number % len(self._order)]]
