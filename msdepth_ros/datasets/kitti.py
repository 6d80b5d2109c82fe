# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""KITTI's depth annotations (Uhrig et al., 3DV 2017) on its raw recordings (Geiger et al., 2013).

Below the dataset's folder, each drive has `DRIVE/proj_depth/groundtruth/image_02/N.png` (16-bit,
256 units per metre, sparse, 0 invalid), `DRIVE/image_02/data/N.png` (or .jpg) in the same or
another folder of that name, and `calib_cam_to_cam.txt` in DRIVE or above it.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from msdepth_ros.datasets.base import Dataset, DatasetError, Frame, check_depth
from msdepth_ros.datasets.files import (
    check_size,
    given_intrinsics,
    read_color,
    read_depth,
    resized_depth,
)
from msdepth_ros.geometry.pinhole import Intrinsics

UNITS_PER_METRE = 256.0
_DEPTHS = 'proj_depth/groundtruth/image_02'
_IMAGES = 'image_02/data'
_CALIBRATION = 'calib_cam_to_cam.txt'
_LEVELS = ('', '*/', '*/*/', '*/*/*/')  # levels below the dataset's folder where drives can be


class KittiDepth(Dataset):
    """The frames of KITTI's left colour camera that have a depth, drive by drive.

    Parameters
    ----------
    folder : with drives and calibrations, up to three levels down.
    focal_and_centre : fx, fy, cx, cy of the images, pixels, instead of calib_cam_to_cam.txt.
    depth_scale : units per metre of the depth files.

    Raises
    ------
    DatasetError
        If there are no depths, an image or a calibration is missing, or a calibration is damaged.
    """

    def __init__(
        self,
        folder: str | Path,
        focal_and_centre: Sequence[float] | None = None,
        depth_scale: float = UNITS_PER_METRE,
    ) -> None:
        self.folder = Path(folder).absolute()
        self._units = depth_scale
        self._given = focal_and_centre
        self._depths = [
            path
            for drive in _drives(self.folder, _DEPTHS)
            for path in sorted(drive.glob('[!.]*.png'))
        ]
        if not self._depths:
            raise DatasetError(
                f'{self.folder} has no depth files: in KITTI they are DRIVE/{_DEPTHS}/*.png'
            )
        images = {path.parents[1].name: path for path in _drives(self.folder, _IMAGES)}
        self._scenes = [path.parents[3].name for path in self._depths]
        self._images = [
            _partner(images.get(scene), depth.stem)
            for scene, depth in zip(self._scenes, self._depths, strict=True)
        ]
        missing = [i for i, image in enumerate(self._images) if image is None]
        if missing:
            raise DatasetError(
                f'{self.folder}: {len(missing)} depth files have no image, the first is '
                f'{self._depths[missing[0]]}: put the raw recording beside it as '
                f'{self._scenes[missing[0]]}/{_IMAGES}/, or remove its depth files'
            )
        self.names = [
            f'{scene}/{depth.stem}' for scene, depth in zip(self._scenes, self._depths, strict=True)
        ]
        self._calibrations: dict[Path, Intrinsics] = {}
        self.intrinsics = self._intrinsics(0, read_color(self._image(0)))

    def __getitem__(self, index: int) -> Frame:
        """Read one frame, see `Dataset`."""
        image_path, depth_path = self._image(index), self._depths[index]
        image, raw = read_color(image_path), read_depth(depth_path)
        intrinsics = self._intrinsics(index, image)
        check_size(image, intrinsics, image_path)
        raw = resized_depth(raw, (image.shape[1], image.shape[0]), depth_path)
        depth = raw.astype(np.float32) / np.float32(self._units)
        check_depth(depth, str(depth_path))
        return Frame(self.names[index], image, depth, intrinsics, self._scenes[index])

    def _image(self, index: int) -> Path:
        path = self._images[index]
        assert path is not None
        return path

    def _intrinsics(self, index: int, image: np.ndarray) -> Intrinsics:
        if self._given is not None:
            return given_intrinsics(self._given, image)
        drive = self._image(index).parents[2]
        if drive not in self._calibrations:
            self._calibrations[drive] = _read_calibration(self._find_calibration(index, drive))
        return self._calibrations[drive]

    def _find_calibration(self, index: int, drive: Path) -> Path:
        last = self.folder.parent  # the folder of the day, if the dataset's folder is one drive
        for start in (drive, self._depths[index].parents[3]):
            for place in (start, *start.parents):
                if (place / _CALIBRATION).is_file():
                    return place / _CALIBRATION
                if place == last:
                    break
        raise DatasetError(
            f'{drive}: no {_CALIBRATION} in it or above it: put the calibration of that day there, '
            'or give the intrinsics as fx,fy,cx,cy'
        )


def recognises(path: Path) -> bool:
    """Return whether there are KITTI depth files below a path."""
    return bool(_drives(path, _DEPTHS))


def _drives(folder: Path, part: str) -> list[Path]:
    """Return the folders DRIVE/part below a folder, sorted."""
    return sorted(path for level in _LEVELS for path in folder.glob(level + part) if path.is_dir())


def _partner(folder: Path | None, stem: str) -> Path | None:
    """Return the image of a depth file, None if there is none."""
    paths = [] if folder is None else [folder / f'{stem}{suffix}' for suffix in ('.png', '.jpg')]
    return next((path for path in paths if path.is_file()), None)


def _read_calibration(path: Path) -> Intrinsics:
    """Return the intrinsics of the rectified left colour camera: P_rect_02, S_rect_02."""
    try:
        text = path.read_text(encoding='utf-8')
    except (OSError, ValueError) as error:
        raise DatasetError(f'cannot read {path}: {error}') from error
    values = {}
    for key, count in (('P_rect_02', 12), ('S_rect_02', 2)):
        line = re.search(rf'^{key}:(.*)$', text, re.MULTILINE)
        try:
            values[key] = [float(number) for number in line.group(1).split()] if line else []
        except ValueError:
            values[key] = []
        if len(values[key]) != count:
            raise DatasetError(f'{path} has no line "{key}:" with {count} numbers')
    p, (width, height) = values['P_rect_02'], values['S_rect_02']
    return Intrinsics(int(width), int(height), p[0], p[5], p[2], p[6])
