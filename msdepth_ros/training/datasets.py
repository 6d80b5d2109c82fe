# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""RGB-D datasets on disk.

A dataset folder holds `rgb/NAME.(jpg|png)`, `depth/NAME.png` (16-bit, 0 invalid, millimetres unless
`depth_scale` in camera.yaml says how many units make a metre) and `camera.yaml`, a pinhole
calibration in the format of camera_calibration.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import yaml

from msdepth_ros.camera import Camera, Intrinsics
from msdepth_ros.errors import MsdepthError

_MILLIMETRES = 1000.0


class DatasetError(MsdepthError):
    """A dataset cannot be used: files missing, unreadable, or not what they should be."""


@dataclass(frozen=True)
class Frame:
    """One image with its depth, both of the intrinsics' size.

    Attributes
    ----------
    name : the file's stem.
    image : uint8 [H, W, 3], BGR.
    depth : float32 [H, W], metres along Z, 0 where invalid.
    intrinsics : pinhole intrinsics of both.

    """

    name: str
    image: np.ndarray
    depth: np.ndarray
    intrinsics: Intrinsics

    def shrunk(self, width: int) -> 'Frame':
        """Return the frame resized to `width`, or itself if it is no wider."""
        if self.intrinsics.width <= width:
            return self
        height = round(self.intrinsics.height * width / self.intrinsics.width)
        return replace(
            self,
            image=cv2.resize(self.image, (width, height), interpolation=cv2.INTER_AREA),
            depth=cv2.resize(self.depth, (width, height), interpolation=cv2.INTER_NEAREST_EXACT),
            intrinsics=self.intrinsics.resized(width, height),
        )


class DatasetFolder:
    """A dataset folder; frames are read when asked for, in the order of their names.

    Parameters
    ----------
    folder : the dataset folder.
    intrinsics : used instead of the folder's camera.yaml, for images of that size.

    Raises
    ------
    DatasetError : the folder, its calibration, or the partner of a file is missing.

    """

    def __init__(self, folder: str | Path, intrinsics: Intrinsics | None = None) -> None:
        self.folder = Path(folder)
        self.names, self._images = self._pairs()
        calibration = self.folder / 'camera.yaml'
        self._units_per_metre = _depth_scale(calibration)
        self.intrinsics = intrinsics or self._calibrated(calibration)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Frame:
        """Read one frame.

        Raises
        ------
        DatasetError : a file is unreadable, sizes differ, or no pixel has a depth.

        """
        name = self.names[index]
        depth_path = self.folder / 'depth' / f'{name}.png'
        image = cv2.imread(str(self._images[index]), cv2.IMREAD_COLOR)
        if image is None:
            raise DatasetError(f'{self._images[index]} is no image that OpenCV can read')
        raw = cv2.imread(str(depth_path), cv2.IMREAD_UNCHANGED)
        if raw is None or raw.dtype != np.uint16 or raw.ndim != 2:
            raise DatasetError(f'{depth_path} is not a 16-bit PNG of one channel')
        width, height = self.intrinsics.width, self.intrinsics.height
        for path, shape in ((self._images[index], image.shape), (depth_path, raw.shape)):
            if shape[:2] != (height, width):
                raise DatasetError(
                    f'{path} is {shape[1]}x{shape[0]} but the calibration is for {width}x{height}: '
                    'resize the files, or correct the calibration'
                )
        if not raw.any():
            raise DatasetError(f'{depth_path} has no valid pixel: remove the pair {name}')
        depth = raw.astype(np.float32) / np.float32(self._units_per_metre)
        return Frame(name, image, depth, self.intrinsics)

    def _pairs(self) -> tuple[list[str], list[Path]]:
        for part in ('rgb', 'depth'):
            if not (self.folder / part).is_dir():
                raise DatasetError(
                    f'{self.folder / part} is missing: a dataset folder holds rgb/NAME.jpg (or '
                    '.png), depth/NAME.png and camera.yaml'
                )
        images = {
            path.stem: path
            for path in sorted((self.folder / 'rgb').iterdir())
            if path.suffix.lower() in ('.jpg', '.jpeg', '.png')
        }
        depths = {path.stem for path in (self.folder / 'depth').glob('*.png')}
        lonely = sorted(images.keys() ^ depths)
        if lonely:
            part = 'depth' if lonely[0] in images else 'rgb'
            raise DatasetError(
                f'{self.folder}: {len(lonely)} files have no partner, the first is {lonely[0]}, '
                f'which is missing in {part}/: add it, or remove its partner'
            )
        if not images:
            raise DatasetError(f'{self.folder}/rgb holds no .jpg or .png image')
        return list(images), list(images.values())

    def _calibrated(self, calibration: Path) -> Intrinsics:
        if not calibration.is_file():
            other = self.folder / 'camera.json'
            found = f' ({other.name} is another format)' if other.exists() else ''
            raise DatasetError(
                f'{calibration} is missing{found}: write the calibration there in the format of '
                'camera_calibration, or give the intrinsics as fx,fy,cx,cy'
            )
        camera = Camera.from_yaml(calibration)
        if camera.distorted:
            raise DatasetError(
                f'{calibration} has lens distortion: rectify the images and depths first, and '
                'give the calibration of the rectified images'
            )
        return camera.rectified_intrinsics()


def open_dataset(folder: str | Path, focal_and_centre: Sequence[float] | None) -> DatasetFolder:
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


def split_in_blocks(count: int, blocks: int, share: float) -> tuple[list[int], list[int]]:
    """Split the indices of a sequence into training and validation, block by block.

    Neighbouring frames often show the same room, so a random split would validate on rooms that
    were trained on. The sequence is cut into `blocks` equal parts and the middle `share` of each
    is held out.

    Returns
    -------
    (training, validation) indices, ascending.

    """
    if blocks < 1 or not 0 <= share < 1:
        raise ValueError(
            f'{blocks} blocks, a share of {share}: need at least 1, and 0 <= share < 1'
        )
    validation: list[int] = []
    for block in range(blocks):
        start, end = count * block // blocks, count * (block + 1) // blocks
        size = round((end - start) * share)
        first = start + (end - start - size) // 2
        validation.extend(range(first, first + size))
    held_out = set(validation)
    return [i for i in range(count) if i not in held_out], validation


def _depth_scale(calibration: Path) -> float:
    """Return how many units of the depth files make a metre."""
    if not calibration.is_file():
        return _MILLIMETRES
    try:
        document = yaml.safe_load(calibration.read_text(encoding='utf-8'))
        scale = float(document.get('depth_scale', _MILLIMETRES))
    except (OSError, AttributeError, TypeError, ValueError, yaml.YAMLError) as error:
        raise DatasetError(f'cannot read {calibration}: {error}') from error
    if not 0 < scale < float('inf'):
        raise DatasetError(f'{calibration}: depth_scale is {scale} but must be a positive number')
    return scale
