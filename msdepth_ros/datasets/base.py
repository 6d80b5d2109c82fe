# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What every reader of RGB-D data gives: frames with metric depth and their own intrinsics."""

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

# Median depths in metres between which a dataset's unit is believed.
_NEAREST_MEDIAN, _FARTHEST_MEDIAN = 0.05, 200.0


_Self = TypeVar('_Self', bound='Dataset')


class DatasetError(MsdepthError):
    """A dataset cannot be used: files missing, unreadable, or not what they should be."""


@dataclass(frozen=True)
class Frame:
    """One image with its depth, both of the intrinsics' size.

    Attributes
    ----------
    name : the file's stem, or whatever else tells frames of a dataset apart.
    image : uint8 [H, W, 3], BGR.
    depth : float32 [H, W], metres along Z, 0 where invalid.
    intrinsics : pinhole intrinsics of both.
    scene : what the frame shows, or the recording it is from; None where that is not known.
    pose : float64 [4, 4], camera (optical frame) to a frame that is fixed for the scene, metres;
        None where that is not known.
    floor : q of the floor's plane q . p = -1, float64 [3], optical frame, 1/metres; zeros where no
        floor is seen, None where that is not known.
    """

    name: str
    image: np.ndarray
    depth: np.ndarray
    intrinsics: Intrinsics
    scene: str | None = None
    pose: np.ndarray | None = None
    floor: np.ndarray | None = None

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


class Dataset(ABC):
    """A sequence of frames, read when asked for.

    Attributes
    ----------
    names : of the frames, in order.
    intrinsics : of the camera that took the frames. Where frames differ, it is of most of them,
        and each frame's own are what counts.
    no_poses : why no frame has a pose; '' where frames may have one.
    """

    names: list[str]
    intrinsics: Intrinsics
    no_poses: str = 'such a dataset tells no poses'

    def __len__(self) -> int:
        return len(self.names)

    @abstractmethod
    def __getitem__(self, index: int) -> Frame:
        """Read one frame.

        Raises
        ------
        DatasetError
            If it is unreadable, its parts do not fit together, or its depths cannot be.
        """

    def close(self) -> None:  # noqa: B027 (most hold no file open)
        """Close the files that it holds open; no frame can be read any more."""

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
    """Refuse depths that cannot be metres.

    Parameters
    ----------
    depth : float32 [H, W], metres, 0 invalid.
    where : names the depth image in the error.
    cure : how the right unit is given.

    Raises
    ------
    DatasetError
        If no pixel is valid, or the median of the valid ones is below 5 cm or beyond 200 m, which
        is a wrong unit.
    """
    valid = depth[depth > 0]
    if not valid.size:
        raise DatasetError(f'{where} has no valid pixel: remove this frame')
    median = float(np.median(valid))
    if not _NEAREST_MEDIAN <= median <= _FARTHEST_MEDIAN:
        raise DatasetError(
            f'{where}: half of the depths are beyond {median:.3g} m, so their unit is wrong: '
            f'{cure}, how many units make a metre'
        )


class JoinedDatasets(Dataset):
    """One dataset after the other.

    A frame is named `DATASET/NAME`, and its scene is the dataset.

    Parameters
    ----------
    parts : the datasets by their names, at least one.

    Raises
    ------
    DatasetError
        If there are none.
    """

    def __init__(self, parts: Mapping[str, Dataset]) -> None:
        if not parts:
            raise DatasetError('no dataset is given')
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
        """Close the parts."""
        for _, part in self._parts:
            part.close()


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
