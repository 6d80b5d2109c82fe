# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The interface of all readers of RGB-D data: frames with metric depth and their intrinsics."""

import bisect
import dataclasses
import itertools
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TypeVar

import cv2
import numpy as np

from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.pinhole import Intrinsics

# Smallest and largest plausible median depth, metres; otherwise the dataset's unit is wrong.
_NEAREST_MEDIAN, _FARTHEST_MEDIAN = 0.05, 200.0


_Self = TypeVar('_Self', bound='Dataset')


class DatasetError(MsdepthError):
    """A dataset cannot be used: files are missing, unreadable, or do not belong together."""


@dataclass(frozen=True)
class Frame:
    """One image with its ground truth; both have the size of the intrinsics.

    Attributes
    ----------
    name : unique in the dataset, as the file's stem.
    image : uint8 [H, W, 3], BGR.
    depth : float32 [H, W], metres along Z, 0 where invalid.
    intrinsics : pinhole intrinsics of both.
    scene : what the frame shows, or its recording; None: not known.
    pose : float64 [4, 4], from the camera's optical frame to a frame that is fixed for the scene,
        metres; None: not known.
    floor : q of the floor's plane q . p = -1, float64 [3], optical frame, 1/metres; zeros: no floor
        is seen; None: not known.
    """

    name: str
    image: np.ndarray
    depth: np.ndarray
    intrinsics: Intrinsics
    scene: str | None = None
    pose: np.ndarray | None = None
    floor: np.ndarray | None = None

    def shrunk(self, width: int) -> 'Frame':
        """Return the frame resized to `width`, or unchanged if it is not wider."""
        if self.intrinsics.width <= width:
            return self
        height = round(self.intrinsics.height * width / self.intrinsics.width)
        return replace(
            self,
            image=cv2.resize(self.image, (width, height), interpolation=cv2.INTER_AREA),
            depth=cv2.resize(self.depth, (width, height), interpolation=cv2.INTER_NEAREST_EXACT),
            intrinsics=self.intrinsics.resized(width, height),
        )


class Dataset(ABC):
    """A sequence of frames; each is read when it is asked for.

    Attributes
    ----------
    names : of the frames, in order.
    intrinsics : of the camera; if frames differ, those of most of them (use each frame's own).
    no_poses : why no frame has a pose; '' = frames may have one.
    """

    names: list[str]
    intrinsics: Intrinsics
    no_poses: str = 'this dataset format has no poses'

    def __len__(self) -> int:
        return len(self.names)

    @abstractmethod
    def __getitem__(self, index: int) -> Frame:
        """Read one frame.

        Raises
        ------
        DatasetError
            If it is unreadable, its image and depth do not agree, or the depth is implausible.
        """

    def close(self) -> None:  # noqa: B027 (most have no open file)
        """Close open files; after that no frame can be read."""

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def check_depth(
    depth: np.ndarray, where: str, cure: str = 'give depth_scale (--depth-scale)'
) -> None:
    """Check that a depth image can be in metres.

    Parameters
    ----------
    depth : float32 [H, W], metres, 0 invalid.
    where : names the depth image in the error.
    cure : how the user gives the right unit.

    Raises
    ------
    DatasetError
        If no pixel is valid, or if the median is below 5 cm or above 200 m: the unit is wrong.
    """
    valid = depth[depth > 0]
    if not valid.size:
        raise DatasetError(f'{where} has no valid pixel: remove this frame')
    median = float(np.median(valid))
    if not _NEAREST_MEDIAN <= median <= _FARTHEST_MEDIAN:
        raise DatasetError(
            f'{where}: the median depth is {median:.3g} m, so the unit is wrong: {cure}, the '
            'number of units per metre'
        )


class JoinedDatasets(Dataset):
    """Several datasets as one.

    A frame's name is `DATASET/NAME`, and its scene is the dataset.

    Parameters
    ----------
    parts : the datasets by their names.

    Raises
    ------
    DatasetError
        If there are none.
    """

    def __init__(self, parts: Mapping[str, Dataset]) -> None:
        if not parts:
            raise DatasetError('no dataset is given: give at least one')
        self._parts = list(parts.items())
        self._ends = list(itertools.accumulate(len(part) for part in parts.values()))
        self.names = [f'{title}/{name}' for title, part in self._parts for name in part.names]
        self.intrinsics = max(parts.values(), key=len).intrinsics
        self.no_poses = next((part.no_poses for part in parts.values() if part.no_poses), '')

    def __getitem__(self, index: int) -> Frame:
        """Read one frame, see `Dataset`."""
        name = self.names[index]
        place = range(len(self))[index]
        number = bisect.bisect_right(self._ends, place)
        title, part = self._parts[number]
        frame = part[place - self._ends[number] + len(part)]
        return dataclasses.replace(frame, name=name, scene=title)

    def close(self) -> None:
        """Close all datasets."""
        for _, part in self._parts:
            part.close()


def split_in_blocks(count: int, blocks: int, share: float) -> tuple[list[int], list[int]]:
    """Split the indices of a sequence into training and validation, block by block.

    Neighbouring frames often show the same room, so a random split would validate on rooms of the
    training.

    Parameters
    ----------
    count : length of the sequence.
    blocks : number of equal parts of the sequence.
    share : fraction of each part, in its middle, that is held out.

    Returns
    -------
    (training, validation) indices, ascending.

    Raises
    ------
    ValueError
        If there is no block, or the share is not in [0, 1).
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
