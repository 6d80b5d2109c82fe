# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The dataset folder, this project's own format.

It has `rgb/NAME.(jpg|png)`, `depth/NAME.png` (16-bit, 0 invalid, millimetres, or `depth_scale`
units per metre) and `camera.yaml`, a pinhole calibration in the format of camera_calibration. If
frames have their own intrinsics or sizes, `camera.json` gives them:
`{"fx", "fy", "cx", "cy", "width", "height", "frames": {NAME: {"fx", ...}}}`. Optional are
`scenes.csv`, lines `NAME,scene` that say what each frame shows, and `poses.txt`, the camera's
poses (see `poses.read_named_poses`).

A depth file may be smaller or larger than the colour image (a depth camera's own resolution). It
has the same field of view; each colour pixel has the depth of the nearest depth pixel.
"""

import csv
from pathlib import Path

import numpy as np

from msdepth_ros.datasets.base import Dataset, DatasetError, Frame, check_depth
from msdepth_ros.datasets.calibration import read_calibration
from msdepth_ros.datasets.files import check_size, read_color, read_depth, resized_depth
from msdepth_ros.datasets.poses import read_named_poses
from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.images.listing import is_hidden, natural_key


class DatasetFolder(Dataset):
    """A dataset folder; its frames are in the order of their names.

    Parameters
    ----------
    folder : the dataset folder.
    intrinsics : used instead of those in camera.yaml or camera.json.
    depth_scale : units per metre of the depth files, instead of that in camera.yaml or camera.json.

    Raises
    ------
    DatasetError
        If the folder or its calibration is missing, or an image without depth or a depth without
        image.
    """

    def __init__(
        self,
        folder: str | Path,
        intrinsics: Intrinsics | None = None,
        depth_scale: float | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.names, self._images = self._pairs()
        self._calibration = read_calibration(self.folder, intrinsics)
        self._units_per_metre = depth_scale or self._calibration.units_per_metre
        self.intrinsics = self._calibration.default or self._calibration.of(self.names[0])
        self._scenes = _scenes(self.folder / 'scenes.csv')
        file = self.folder / 'poses.txt'
        self._poses = read_named_poses(file) if file.is_file() else {}
        self.no_poses = '' if self._poses else f'{file} is missing'

    def __getitem__(self, index: int) -> Frame:
        """Read one frame.

        Raises
        ------
        DatasetError
            If a file is unreadable, the image's size is not that of its calibration, the depth has
            another aspect ratio, no pixel has a depth, or the unit of the depth is wrong.
        """
        name = self.names[index]
        intrinsics = self._calibration.of(name)
        depth_path = self.folder / 'depth' / f'{name}.png'
        image = read_color(self._images[index])
        raw = read_depth(depth_path)
        check_size(image, intrinsics, self._images[index])
        raw = resized_depth(raw, (intrinsics.width, intrinsics.height), depth_path)
        depth = raw.astype(np.float32) / np.float32(self._units_per_metre)
        check_depth(depth, str(depth_path), f'set depth_scale in {self._calibration.file}')
        scene, pose = self._scenes.get(name), self._poses.get(name)
        return Frame(name, image, depth, intrinsics, scene, pose)

    def _pairs(self) -> tuple[list[str], list[Path]]:
        images = {path.stem: path for path in list_images(self.folder)}
        files = (self.folder / 'depth').glob('*.png')
        depths = {path.stem for path in files if not is_hidden(path)}
        lonely = sorted(images.keys() ^ depths)
        if lonely:
            part = 'depth' if lonely[0] in images else 'rgb'
            raise DatasetError(
                f'{self.folder}: {len(lonely)} frames lack their image or their depth; the first, '
                f'{lonely[0]}, is missing in {part}/: add it, or remove the other file'
            )
        return list(images), list(images.values())


def list_images(folder: Path) -> list[Path]:
    """Return a dataset folder's colour images in the natural order of their names.

    Raises
    ------
    DatasetError
        If there are none, or rgb/ or depth/ is missing.
    """
    for part in ('rgb', 'depth'):
        if not (folder / part).is_dir():
            raise DatasetError(
                f'{folder / part} is missing: a dataset folder has rgb/NAME.jpg (or .png), '
                'depth/NAME.png and camera.yaml'
            )
    images = [
        path
        for path in sorted((folder / 'rgb').iterdir(), key=lambda path: natural_key(path.name))
        if path.suffix.lower() in ('.jpg', '.jpeg', '.png') and not is_hidden(path)
    ]
    if not images:
        raise DatasetError(f'{folder}/rgb has no .jpg or .png image')
    return images


def _scenes(path: Path) -> dict[str, str]:
    """Return the scene of each frame that has one."""
    if not path.is_file():
        return {}
    try:
        rows = list(csv.reader(path.read_text(encoding='utf-8').splitlines()))
    except (OSError, ValueError, csv.Error) as error:
        raise DatasetError(f'cannot read {path}: {error}') from error
    return {row[0]: row[1] for row in rows if len(row) > 1 and row[1]}
