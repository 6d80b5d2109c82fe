# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The calibration of a dataset folder: camera.yaml, or camera.json if frames differ."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msdepth_ros.calibration import read_camera, read_document
from msdepth_ros.calibration.fields import cameras_in
from msdepth_ros.datasets.base import DatasetError
from msdepth_ros.datasets.files import read_color
from msdepth_ros.errors import CalibrationError
from msdepth_ros.geometry.pinhole import Intrinsics

_MILLIMETRES = 1000.0


@dataclass(frozen=True)
class Calibration:
    """Intrinsics and depth unit of a dataset folder.

    Attributes
    ----------
    default : intrinsics of the frames without their own; None: there are none.
    units_per_metre : of the depth files.
    file : that was read, for errors.
    frames : frames' own intrinsics, by the frame's name.
    """

    default: Intrinsics | None
    units_per_metre: float
    file: Path
    frames: Mapping[str, Intrinsics] = field(default_factory=dict)

    def of(self, name: str) -> Intrinsics:
        """Return a frame's intrinsics.

        Raises
        ------
        DatasetError
            If there are none.
        """
        found = self.frames.get(name, self.default)
        if found is None:
            raise DatasetError(f"{self.file} has no intrinsics for frame '{name}': add them")
        return found


def read_calibration(folder: Path, given: Intrinsics | None) -> Calibration:
    """Read a dataset folder's camera.yaml or, without one, its camera.json.

    Parameters
    ----------
    folder : the dataset folder.
    given : intrinsics that replace those of the files; then the files are optional, and only the
        depth unit is read. None: the files' own.

    Raises
    ------
    DatasetError
        If there is no file, or it cannot be used.
    """
    for name, read in (('camera.yaml', _from_yaml), ('camera.json', _from_json)):
        path = folder / name
        if path.is_file():
            return read(path, given)
    if given is None:
        raise DatasetError(
            f'{folder / "camera.yaml"} is missing: write the calibration there in the format of '
            'camera_calibration, or give the intrinsics as fx,fy,cx,cy'
        )
    return Calibration(given, _MILLIMETRES, folder / 'camera.yaml')


def _from_yaml(path: Path, given: Intrinsics | None) -> Calibration:
    try:
        scale = _depth_scale(read_document(path), path)
    except CalibrationError as error:
        raise DatasetError(str(error)) from error
    if given is not None:
        return Calibration(given, scale, path)
    camera = read_camera(path)
    if not camera.width:
        height, width = read_color(sorted((path.parent / 'rgb').glob('[!.]*'))[0]).shape[:2]
        camera = camera.for_image(width, height)
    if camera.distorted:
        raise DatasetError(
            f'{path} has lens distortion: rectify the images and depths first, and '
            'give the calibration of the rectified images'
        )
    return Calibration(camera.rectified_intrinsics(), scale, path)


def _from_json(path: Path, given: Intrinsics | None) -> Calibration:
    try:
        document = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise DatasetError(f'cannot read {path}: {error}') from error
    scale = _depth_scale(document, path)
    unit = str(document.get('depth_unit', 'mm'))
    if 'depth_scale' not in document and unit.split()[0:1] != ['mm']:
        raise DatasetError(f"{path}: depth_unit is '{unit}' but must be mm: or give depth_scale")
    if document.get('registered', True) is not True:
        raise DatasetError(
            f'{path}: the depths are not registered to the colour images (registered is not true): '
            'reproject them first'
        )
    if given is not None:
        return Calibration(given, scale, path)
    entries = document.get('frames', {})
    if not isinstance(entries, dict):
        raise DatasetError(f'{path}: frames must map names of frames to their intrinsics')
    frames = {
        name: _intrinsics(entry, f"{path}, frame '{name}'")
        for name, entry in entries.items()
        if not isinstance(entry, dict) or 'fx' in entry
    }
    if 'fx' not in document and not frames and cameras_in(document):  # written by another tool
        return _from_yaml(path, given)
    default = _intrinsics(document, str(path)) if 'fx' in document or not frames else None
    return Calibration(default, scale, path, frames)


def _intrinsics(entry: Any, where: str) -> Intrinsics:
    try:
        numbers = [float(entry[key]) for key in ('fx', 'fy', 'cx', 'cy')]
        width, height = int(entry['width']), int(entry['height'])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DatasetError(
            f'{where} must give fx, fy, cx, cy, width and height: {error!r}'
        ) from error
    if not all(map(math.isfinite, numbers)) or min(*numbers[:2], width, height) <= 0:
        raise DatasetError(f'{where}: focal lengths and size must be positive numbers')
    return Intrinsics(width, height, *numbers)


def _depth_scale(document: Any, path: Path) -> float:
    """Return the units per metre of the depth files."""
    try:
        scale = float(document.get('depth_scale', _MILLIMETRES))
    except (AttributeError, TypeError, ValueError) as error:
        raise DatasetError(f'cannot read {path}: {error}') from error
    if not 0 < scale < float('inf'):
        raise DatasetError(f'{path}: depth_scale is {scale} but must be a positive number')
    return scale
