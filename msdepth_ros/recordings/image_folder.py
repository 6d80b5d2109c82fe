# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A dataset folder without `depth/`: images, their calibration, and poses where they are known."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from msdepth_ros.datasets.base import Dataset, DatasetError, Frame
from msdepth_ros.datasets.calibration import read_calibration
from msdepth_ros.datasets.files import check_size, given_intrinsics, read_color
from msdepth_ros.datasets.poses import read_named_poses
from msdepth_ros.images.listing import list_images


class ImageFolder(Dataset):
    """The images of a folder, in `rgb/` or in itself, in natural order, without depth.

    Parameters
    ----------
    folder : holds the images and `camera.yaml` or `camera.json`, see `datasets.folder`.
    focal_and_centre : fx, fy, cx, cy of the images, pixels, instead of the calibration.

    Raises
    ------
    DatasetError
        If there are no images, or no calibration.
    """

    def __init__(self, folder: Path, focal_and_centre: Sequence[float] | None = None) -> None:
        self.folder = folder
        inner = folder / 'rgb' if (folder / 'rgb').is_dir() else folder
        self._files = list_images(inner) if inner.is_dir() else []
        if not self._files:
            raise DatasetError(
                f'{folder} holds no images: give a rosbag2, or a folder of images with camera.yaml'
            )
        self.names = [str(path.relative_to(inner).with_suffix('')) for path in self._files]
        given = None
        if focal_and_centre is not None:
            given = given_intrinsics(focal_and_centre, read_color(self._files[0]))
        self._calibration = read_calibration(folder, given)
        self.intrinsics = self._calibration.default or self._calibration.of(self.names[0])
        file = folder / 'poses.txt'
        self._poses = read_named_poses(file) if file.is_file() else {}
        self.no_poses = '' if self._poses else f'{file} is missing'

    def __getitem__(self, index: int) -> Frame:
        """Read one frame, whose depth is 0 everywhere, see `Dataset`."""
        name = self.names[index]
        image, intrinsics = read_color(self._files[index]), self._calibration.of(name)
        check_size(image, intrinsics, self._files[index])
        nothing = np.zeros(image.shape[:2], np.float32)
        scene = self.folder.resolve().name
        return Frame(name, image, nothing, intrinsics, scene, self._poses.get(name))
