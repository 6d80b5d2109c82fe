# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measurements for image files: depth images of the same names, and the floor by the mount."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from msdepth_ros.errors import ImageError
from msdepth_ros.inference.aligning import aligning
from msdepth_ros.inference.estimator import Align
from msdepth_ros.inference.frame import FrameGeometry
from msdepth_ros.inference.model import Model
from msdepth_ros.metric.depth_images import points_of_depth
from msdepth_ros.metric.floor import FloorPlane
from msdepth_ros.metric.metres import Metres
from msdepth_ros.metric.sparse_depth import SparseDepth

_MILLIMETRES = np.float32(1000.0)


@dataclass(frozen=True)
class MeasuredFiles:
    """Measurements for images, by their names.

    Attributes
    ----------
    folder : of depth images NAME.png, 16-bit millimetres, 0 where invalid, of any size, registered
        to the image of that name; None: there are none.
    floor : the floor in all images, from the camera's mount; None: not known.
    """

    folder: Path | None = None
    floor: FloorPlane | None = None

    def __bool__(self) -> bool:
        return self.folder is not None or self.floor is not None

    def align_for(self, model: Model, name: str) -> Align:
        """Return the function that aligns a model's depth of one image.

        Parameters
        ----------
        model : that predicts the depth.
        name : of the image, see `ImageSource`.

        Raises
        ------
        ImageError
            If its depth image cannot be read.
        """
        depth = None if self.folder is None else read_measured(self.folder / f'{name}.png')

        def measure(_: np.ndarray, geometry: FrameGeometry, image: np.ndarray) -> list[SparseDepth]:
            return [] if depth is None else [_on_image(depth, geometry)]

        return aligning(Metres(model.prior, model.metric), measure, self.floor)


def _on_image(measured: np.ndarray, geometry: FrameGeometry) -> SparseDepth:
    """Return a depth image, metres, 0 where invalid, as measurements of the rectified image."""
    height, width = geometry.upsampler.shape
    if geometry.undistortion is not None:
        size = (width, height)
        whole = cv2.resize(measured, size, interpolation=cv2.INTER_NEAREST_EXACT)
        measured = geometry.undistortion.depth(whole)
    return points_of_depth(measured, (width, height), 'depth')


def read_measured(path: Path) -> np.ndarray | None:
    """Return a depth image as float32 metres, None where there is no file.

    Raises
    ------
    ImageError
        If it is no 16-bit PNG of one channel.
    """
    if not path.is_file():
        return None
    raw = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if raw is None or raw.dtype != np.uint16 or raw.ndim != 2:
        raise ImageError(
            f'{path} is not a 16-bit PNG of one channel: write depth as uint16, in millimetres'
        )
    return raw.astype(np.float32) / _MILLIMETRES
