# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The calibration and the poses in a dataset folder."""

import dataclasses
from pathlib import Path

import numpy as np

from msdepth_ros.datasets.calibration import read_calibration
from msdepth_ros.datasets.poses import read_named_poses
from msdepth_ros.geometry.camera import Camera


def camera_of(folder: Path) -> Camera | None:
    """Return the camera in a folder's camera.json, None if there is none, or one for each frame.

    Raises
    ------
    DatasetError
        If the file cannot be used.
    """
    if not (folder / 'camera.json').is_file():
        return None
    found = read_calibration(folder, None).default
    return None if found is None else Camera.pinhole(*dataclasses.astuple(found))


def poses_of(folder: Path) -> dict[str, np.ndarray]:
    """Return the poses in a folder's poses.txt by image name, float64 [4, 4], camera to world.

    Raises
    ------
    DatasetError
        If the file is damaged.
    """
    path = folder / 'poses.txt'
    return read_named_poses(path) if path.is_file() else {}
