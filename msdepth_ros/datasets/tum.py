# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""RGB-D sequences of TUM's benchmark (Sturm et al., IROS 2012), and others in its format.

A sequence has `rgb.txt` and `depth.txt`, lines of `stamp file`, and the files that they name. Depth
is 16-bit, 5000 units per metre, 0 invalid, registered to the colour images. `groundtruth.txt`, if
it exists, has the camera's poses.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from msdepth_ros.datasets.association import TOLERANCE, associate
from msdepth_ros.datasets.base import Dataset, DatasetError, Frame, check_depth
from msdepth_ros.datasets.files import (
    check_size,
    given_intrinsics,
    read_color,
    read_depth,
    resized_depth,
)
from msdepth_ros.datasets.poses import Trajectory, read_tum_poses

UNITS_PER_METRE = 5000.0
# The colour cameras by the benchmark's page "File formats": fx, fy, cx, cy at 640x480.
_CAMERAS = {
    'freiburg1': (517.3, 516.5, 318.6, 255.3),
    'freiburg2': (520.9, 521.0, 325.1, 249.7),
    'freiburg3': (535.4, 539.2, 320.1, 247.6),
}


class TumSequence(Dataset):
    """A TUM RGB-D sequence: the images that have a depth image, in order of time.

    Images are not rectified: the benchmark's depth is registered to the raw images, and their lens
    distortion is small.

    Parameters
    ----------
    folder : with rgb.txt and depth.txt.
    focal_and_centre : fx, fy, cx, cy of the images, pixels. None: those of the freiburg camera in
        the name of the folder or of one of its parents.
    depth_scale : units per metre of the depth files.
    tolerance : largest difference between the stamps of image and depth, seconds.

    Raises
    ------
    DatasetError
        If a list is missing or damaged, no image has a depth image, or the camera is not known.
    """

    def __init__(
        self,
        folder: str | Path,
        focal_and_centre: Sequence[float] | None = None,
        depth_scale: float = UNITS_PER_METRE,
        tolerance: float = TOLERANCE,
    ) -> None:
        self.folder = Path(folder)
        images, depths = (_read_list(self.folder / f'{part}.txt') for part in ('rgb', 'depth'))
        pairs = associate([at for at, _ in images], [at for at, _ in depths], tolerance)
        if not pairs:
            raise DatasetError(
                f'{self.folder}: none of {len(images)} images has a depth image within '
                f'{tolerance} s: rgb.txt and depth.txt must be from one recording with one clock'
            )
        self._pairs = [(images[i][1], depths[j][1]) for i, j in pairs]
        self.names = [image.stem for image, _ in self._pairs]
        file = self.folder / 'groundtruth.txt'
        trajectory = read_tum_poses(file) if file.is_file() else Trajectory([])
        self._poses = [trajectory.at(images[i][0]) for i, _ in pairs]
        self.no_poses = '' if file.is_file() else f'{file} is missing'
        self._units = depth_scale
        self._camera = focal_and_centre or _freiburg(self.folder)
        self.intrinsics = given_intrinsics(self._camera, read_color(self._pairs[0][0]))

    def __getitem__(self, index: int) -> Frame:
        """Read one frame, see `Dataset`."""
        image_path, depth_path = self._pairs[index]
        image, raw = read_color(image_path), read_depth(depth_path)
        check_size(image, self.intrinsics, image_path)
        raw = resized_depth(raw, (image.shape[1], image.shape[0]), depth_path)
        depth = raw.astype(np.float32) / np.float32(self._units)
        check_depth(depth, str(depth_path))
        scene, pose = self.folder.resolve().name, self._poses[index]
        return Frame(self.names[index], image, depth, self.intrinsics, scene, pose)


def recognises(path: Path) -> bool:
    """Return whether a path is such a sequence."""
    return (path / 'rgb.txt').is_file() or (path / 'depth.txt').is_file()


def _read_list(path: Path) -> list[tuple[float, Path]]:
    """Return the (stamp in seconds, file) of each line, in order of time."""
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except (OSError, ValueError) as error:
        raise DatasetError(
            f'cannot read {path}: a TUM sequence has rgb.txt and depth.txt with lines '
            f'"stamp file" ({error})'
        ) from error
    entries = []
    for number, line in enumerate(lines, 1):
        parts = line.split()
        if not parts or parts[0].startswith('#'):
            continue
        try:
            stamp, file = parts
            entries.append((float(stamp), path.parent / file))
        except ValueError as error:
            raise DatasetError(f'{path}:{number}: "{line}" is not "stamp file"') from error
    return sorted(entries)


def _freiburg(folder: Path) -> tuple[float, float, float, float]:
    found = re.findall('|'.join(_CAMERAS), str(folder.resolve()))
    if not found:
        raise DatasetError(
            f'{folder}: its name does not name the camera ({", ".join(_CAMERAS)}): give the '
            'intrinsics as fx,fy,cx,cy'
        )
    return _CAMERAS[found[-1]]
