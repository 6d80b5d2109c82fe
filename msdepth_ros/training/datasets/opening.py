# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Opens a dataset of any format that is known."""

from collections.abc import Sequence
from pathlib import Path

import cv2

from msdepth_ros.camera import Intrinsics
from msdepth_ros.training.datasets.base import DatasetError
from msdepth_ros.training.datasets.folder import DatasetFolder


def open_dataset(
    folder: str | Path, focal_and_centre: Sequence[float] | None = None
) -> DatasetFolder:
    """Open a dataset folder; (fx, fy, cx, cy) in pixels, where given, replace its camera.yaml.

    Raises
    ------
    DatasetError : as `DatasetFolder`.

    """
    if focal_and_centre is None:
        return DatasetFolder(folder)
    fx, fy, cx, cy = focal_and_centre
    first = next((p for p in sorted(Path(folder).glob('rgb/*.*'))), None)
    image = None if first is None else cv2.imread(str(first))
    if image is None:
        raise DatasetError(f'{folder}/rgb holds no image that OpenCV can read')
    height, width = image.shape[:2]
    return DatasetFolder(folder, Intrinsics(width, height, fx, fy, cx, cy))
