# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""RGB-D datasets on disk: one module for each format, all with the interface of `Dataset`."""

from msdepth_ros.datasets.bag_topics import Topics
from msdepth_ros.datasets.base import Dataset, DatasetError, Frame, JoinedDatasets, split_in_blocks
from msdepth_ros.datasets.folder import DatasetFolder
from msdepth_ros.datasets.opening import FORMATS, open_dataset

__all__ = [
    'FORMATS',
    'Dataset',
    'DatasetError',
    'DatasetFolder',
    'Frame',
    'JoinedDatasets',
    'Topics',
    'open_dataset',
    'split_in_blocks',
]
