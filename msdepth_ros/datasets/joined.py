# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Several datasets as one."""

import bisect
import dataclasses
import itertools
from collections.abc import Mapping

from msdepth_ros.datasets.base import Dataset, DatasetError, Frame


class JoinedDatasets(Dataset):
    """One dataset after the other.

    A frame is named `DATASET/NAME`, and its scene is the dataset.

    Parameters
    ----------
    parts : the datasets by their names, at least one.

    Raises
    ------
    DatasetError : there are none.

    """

    def __init__(self, parts: Mapping[str, Dataset]) -> None:
        if not parts:
            raise DatasetError('no dataset is given')
        self._parts = list(parts.items())
        self._ends = list(itertools.accumulate(len(part) for part in parts.values()))
        self.names = [f'{title}/{name}' for title, part in self._parts for name in part.names]
        self.intrinsics = max(parts.values(), key=len).intrinsics

    def __getitem__(self, index: int) -> Frame:
        """Read one frame, see `Dataset`."""
        name = self.names[index]
        place = range(len(self))[index]
        number = bisect.bisect_right(self._ends, place)
        title, part = self._parts[number]
        frame = part[place - self._ends[number] + len(part)]
        return dataclasses.replace(frame, name=name, scene=title)
