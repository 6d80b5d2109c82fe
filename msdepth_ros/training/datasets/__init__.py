# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""RGB-D datasets on disk: one module a format, all with the interface of `Dataset`."""

from msdepth_ros.training.datasets.base import Dataset, DatasetError, Frame
from msdepth_ros.training.datasets.blocks import split_in_blocks
from msdepth_ros.training.datasets.folder import DatasetFolder
from msdepth_ros.training.datasets.opening import open_dataset

__all__ = [
    'Dataset',
    'DatasetError',
    'DatasetFolder',
    'Frame',
    'open_dataset',
    'split_in_blocks',
]
