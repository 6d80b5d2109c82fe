# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""NYU Depth v2's labelled set (Silberman et al., ECCV 2012): nyu_depth_v2_labeled.mat.

The file is MATLAB 7.3, that is HDF5 with the axes of every array reversed: `images` [N, 3, 640,
480] uint8 RGB, `depths` (in-painted) and `rawDepths` [N, 640, 480] float32 metres, `scenes` and
`sceneTypes` as references to strings. `splits.mat` beside it has the official split as numbers of
frames, counted from 1: `trainNdxs` and `testNdxs`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from msdepth_ros.datasets.base import Dataset, DatasetError, Frame, check_depth
from msdepth_ros.datasets.files import given_intrinsics
from msdepth_ros.extras import require
from msdepth_ros.geometry.pinhole import Intrinsics

FILE = 'nyu_depth_v2_labeled.mat'
SPLITS = {'train': 'trainNdxs', 'test': 'testNdxs'}
# The colour camera by the dataset's own toolbox (camera_params.m), at 640x480.
CAMERA = Intrinsics(640, 480, 518.8579, 519.4696, 325.5824, 253.7362)


class NyuLabelled(Dataset):
    """The labelled set or a part of its official split; a frame's name is its number, from 1.

    Parameters
    ----------
    path : the .mat file, or the folder that has it under its original name.
    split : 'train', 'test', or 'all', which needs no splits.mat.
    focal_and_centre : fx, fy, cx, cy of the images, pixels, instead of the toolbox's.
    depth_scale : units per metre of the depth.
    raw : read the sensor's depth, with holes, instead of the in-painted depth.

    Raises
    ------
    DatasetError
        If a file is missing, damaged, or lacks an array.
    MsdepthError
        If the package h5py or scipy is needed and not installed.
    """

    def __init__(
        self,
        path: str | Path,
        split: str = 'all',
        focal_and_centre: Sequence[float] | None = None,
        depth_scale: float = 1.0,
        raw: bool = False,
    ) -> None:
        require('h5py')
        path = Path(path)
        self.path = path / FILE if path.is_dir() else path
        self._units = depth_scale
        self._file = _open(self.path)
        try:
            self._read(split, focal_and_centre, raw)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the HDF5 file."""
        self._file.close()

    def _read(self, split: str, focal_and_centre: Sequence[float] | None, raw: bool) -> None:
        """Read everything except the frames."""
        self._images = _array(self._file, 'images', self.path, 4)
        self._depths = _array(self._file, 'rawDepths' if raw else 'depths', self.path, 3)
        count, _, width, height = self._images.shape
        if self._images.shape[1] != 3 or self._depths.shape != (count, width, height):
            raise DatasetError(
                f'{self.path}: images of {self._images.shape} and depths of {self._depths.shape} '
                'do not agree: download the file again'
            )
        self._places = _places(self.path.with_name('splits.mat'), split, count)
        self.names = [f'{place + 1:04}' for place in self._places]
        self._scenes = _strings(self._file, ('sceneTypes', 'scenes'), count)
        self.intrinsics = (
            CAMERA.resized(width, height)
            if focal_and_centre is None
            else given_intrinsics(focal_and_centre, np.empty((height, width)))
        )

    def __getitem__(self, index: int) -> Frame:
        """Read one frame, see `Dataset`."""
        place = self._places[index]
        where = f'{self.path}, frame {self.names[index]}'
        try:
            image, depth = self._images[place], self._depths[place]
        except OSError as error:
            raise DatasetError(f'{where} is damaged: download the file again ({error})') from error
        depth = np.ascontiguousarray(depth.T, np.float32) / np.float32(self._units)
        depth[~np.isfinite(depth)] = 0
        check_depth(depth, where)
        pixels = cv2.cvtColor(np.ascontiguousarray(image.transpose(2, 1, 0)), cv2.COLOR_RGB2BGR)
        return Frame(self.names[index], pixels, depth, self.intrinsics, self._scenes[place])


def recognises(path: Path) -> bool:
    """Return whether a path is the labelled set, or a folder with it."""
    return path.suffix == '.mat' if path.is_file() else (path / FILE).is_file()


def _open(path: Path) -> Any:
    import h5py

    if not path.is_file():
        raise DatasetError(f'{path} is missing: download {FILE} from the page of NYU Depth v2')
    try:
        return h5py.File(path, 'r')
    except OSError as error:
        raise DatasetError(
            f'{path} is not a MATLAB 7.3 file, or it is damaged: download it again ({error})'
        ) from error


def _array(file: Any, name: str, path: Path, axes: int) -> Any:
    array = file.get(name)
    if array is None or getattr(array, 'ndim', None) != axes:
        raise DatasetError(
            f"{path} has no array '{name}' of {axes} axes: is it the labelled set of NYU Depth v2?"
        )
    return array


def _strings(file: Any, names: Sequence[str], count: int) -> list[str | None]:
    """Return the strings of the first MATLAB cell array of these names that exists."""
    for name in names:
        cells = file.get(name)
        if cells is not None and cells.size == count:
            return [_text(file[cell]) for cell in np.ravel(cells[()])]
    return [None] * count


def _text(characters: Any) -> str | None:
    return ''.join(map(chr, np.ravel(characters[()]))).strip('\0 ') or None


def _places(path: Path, split: str, count: int) -> list[int]:
    """Return the indices of a split's frames in the file's arrays."""
    if split == 'all':
        return list(range(count))
    if split not in SPLITS:
        raise DatasetError(f"split is '{split}' but must be all, {' or '.join(SPLITS)}")
    if not path.is_file():
        raise DatasetError(
            f'{path} is missing: download splits.mat, which lists the frames of {split}, or use '
            'the split all'
        )
    places = [int(number) - 1 for number in np.ravel(_read_variable(path, SPLITS[split]))]
    if not places or min(places) < 0 or max(places) >= count:
        raise DatasetError(
            f'{path}: {SPLITS[split]} must be numbers of frames from 1 to {count}: give the '
            'splits.mat of this dataset'
        )
    return places


def _read_variable(path: Path, name: str) -> np.ndarray:
    """Return a variable of a MATLAB file, of version 7.3 (HDF5) or older."""
    require('h5py', 'scipy')
    import h5py
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        if h5py.is_hdf5(path):
            with h5py.File(path, 'r') as file:
                return np.asarray(file[name][()])
        return np.asarray(loadmat(path, variable_names=[name])[name])
    except (KeyError, OSError, ValueError, TypeError, NotImplementedError, MatReadError) as error:
        raise DatasetError(f"{path} is not a MATLAB file with '{name}': {error}") from error
