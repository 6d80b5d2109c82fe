# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Camera poses of datasets: for each frame, or as a trajectory in time."""

import bisect
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from msdepth_ros.datasets.base import DatasetError
from msdepth_ros.geometry.rigid import between, rigid

_LARGEST_GAP = 0.5  # seconds between two poses that are interpolated
_ROTATION_TOLERANCE = 0.02


class Trajectory:
    """Poses in time, interpolated.

    Parameters
    ----------
    poses : (stamp in seconds, pose float64 [4, 4]), in any order.
    """

    def __init__(self, poses: Sequence[tuple[float, np.ndarray]]) -> None:
        self._poses = sorted(poses, key=lambda each: each[0])
        self._stamps = [stamp for stamp, _ in self._poses]

    def at(self, stamp: float) -> np.ndarray | None:
        """Return the pose at a stamp, float64 [4, 4]; None unless there are poses around it."""
        after = bisect.bisect_left(self._stamps, stamp)
        if after < len(self._stamps) and self._stamps[after] == stamp:
            return self._poses[after][1]
        if not 0 < after < len(self._stamps):
            return None
        (start, first), (end, second) = self._poses[after - 1], self._poses[after]
        if end - start > _LARGEST_GAP:
            return None
        return between(first, second, (stamp - start) / (end - start))


def read_named_poses(path: Path) -> dict[str, np.ndarray]:
    """Read poses.txt: lines of a frame's NAME and 12 numbers, camera to world, 3x4 row-major.

    The camera's frame is the optical one: x right, y down, z forward; metres. Lines that begin with
    # are comments.

    Returns
    -------
    The pose of each frame by its name, float64 [4, 4].

    Raises
    ------
    DatasetError
        If a line is not of that form.
    """
    poses = {}
    for number, parts in _lines(path):
        numbers = _numbers(parts[1:], 12, path, number, 'NAME and 12 numbers')
        pose = np.vstack([np.reshape(numbers, (3, 4)), [0.0, 0.0, 0.0, 1.0]])
        rotation = pose[:3, :3]
        error = np.abs(rotation @ rotation.T - np.eye(3)).max()
        if error > _ROTATION_TOLERANCE or np.linalg.det(rotation) < 0:
            raise DatasetError(
                f'{path}:{number}: the first three columns are not a rotation: write camera to '
                'world, 3x4, row-major'
            )
        poses[parts[0]] = pose
    return poses


def read_tum_poses(path: Path) -> Trajectory:
    """Read groundtruth.txt of the TUM RGB-D benchmark: lines of `stamp tx ty tz qx qy qz qw`.

    They are the poses of the colour camera's optical frame in the world.

    Raises
    ------
    DatasetError
        If a line is not of that form.
    """
    poses = []
    for number, parts in _lines(path):
        numbers = _numbers(parts, 8, path, number, 'stamp tx ty tz qx qy qz qw')
        try:
            poses.append((numbers[0], rigid(numbers[1:4], numbers[4:])))
        except ValueError as error:
            raise DatasetError(f'{path}:{number}: {error}') from error
    return Trajectory(poses)


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """Return the number and the words of each line, without empty lines and comments."""
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except (OSError, ValueError) as error:
        raise DatasetError(f'cannot read {path}: {error}') from error
    words = [(number, line.split()) for number, line in enumerate(lines, 1)]
    return [(number, parts) for number, parts in words if parts and not parts[0].startswith('#')]


def _numbers(parts: list[str], count: int, path: Path, number: int, form: str) -> list[float]:
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise DatasetError(f'{path}:{number} is not "{form}"')
    return numbers
