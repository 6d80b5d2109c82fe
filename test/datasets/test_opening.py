# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Formats are recognised by their files or taken by name, and datasets are joined."""

import subprocess
import sys

import numpy as np
import pytest
from folders import write_folder
from formats import write_bag, write_kitti, write_nyu, write_tum

from msdepth_ros.datasets import (
    FORMATS,
    DatasetError,
    DatasetFolder,
    JoinedDatasets,
    Topics,
    open_dataset,
)
from msdepth_ros.datasets.kitti import KittiDepth
from msdepth_ros.datasets.nyu import NyuLabelled
from msdepth_ros.datasets.rosbag import Rosbag
from msdepth_ros.datasets.tum import TumSequence
from msdepth_ros.errors import MsdepthError

KINDS = {
    'nyu': (NyuLabelled, write_nyu, 'h5py'),
    'tum': (TumSequence, write_tum, None),
    'rosbag': (Rosbag, write_bag, 'rosbags'),
    'folder': (DatasetFolder, lambda path: write_folder(path, 2), None),
    'kitti': (KittiDepth, write_kitti, None),
}


@pytest.fixture(params=FORMATS)
def dataset(request, tmp_path):
    """One dataset of each format: its format, and its path."""
    _, write, package = KINDS[request.param]
    if package is not None:
        pytest.importorskip(package)
    return request.param, write(tmp_path / 'freiburg1')


def test_each_format_is_recognised_and_has_the_interface(dataset):
    format, path = dataset
    opened = open_dataset(path)
    assert type(opened) is KINDS[format][0]
    assert type(open_dataset(str(path), format=format)) is KINDS[format][0]
    assert len(opened) == len(opened.names) == len(set(opened.names)) > 1
    for index in (0, len(opened) - 1, -1):
        frame = opened[index]
        assert frame.name == opened.names[index]
        assert (frame.image.dtype, frame.image.ndim) == (np.uint8, 3)
        assert frame.depth.dtype == np.float32
        assert frame.image.shape[:2] == frame.depth.shape
        assert frame.depth.shape == (frame.intrinsics.height, frame.intrinsics.width)
        assert frame.image.flags.c_contiguous
        assert frame.depth.flags.c_contiguous
    with pytest.raises(IndexError):
        opened[len(opened)]


def test_options_of_other_formats_are_refused(dataset):
    format, path = dataset
    if format != 'nyu':
        for options in ({'split': 'test'}, {'raw_depths': True}):
            with pytest.raises(DatasetError, match=f'format {format}.*only nyu'):
                open_dataset(path, **options)
    if format != 'rosbag':
        with pytest.raises(DatasetError, match=f'format {format}.*only rosbag'):
            open_dataset(path, topics=Topics(image='/image'))
    for scale in (0, -1, float('nan'), float('inf')):
        with pytest.raises(DatasetError, match='depth_scale'):
            open_dataset(path, depth_scale=scale)


def test_depth_scale_counts_for_each_format(dataset):
    _, path = dataset
    plain = open_dataset(path)[0]
    units = {'nyu': 1, 'tum': 5000, 'rosbag': 1000, 'folder': 1000, 'kitti': 256}[dataset[0]]
    scaled = open_dataset(path, depth_scale=units / 2)[0]
    np.testing.assert_array_equal(scaled.depth, 2 * plain.depth)


def test_nothing_there_and_nothing_known(tmp_path):
    with pytest.raises(DatasetError, match='nowhere does not exist'):
        open_dataset(tmp_path / 'nowhere')
    with pytest.raises(DatasetError, match=r'not a dataset of a known format: nyu: .*kitti: DRIVE'):
        open_dataset(tmp_path)
    (tmp_path / 'file').write_text('?')
    with pytest.raises(DatasetError, match='not a dataset of a known format'):
        open_dataset(tmp_path / 'file')
    with pytest.raises(DatasetError, match="format is 'coco' but must be one of nyu, tum"):
        open_dataset(tmp_path, format='coco')


@pytest.mark.parametrize('format', FORMATS)
def test_a_path_that_is_not_of_the_named_format(tmp_path, format):
    if KINDS[format][2] is not None:
        pytest.importorskip(KINDS[format][2])
    with pytest.raises(DatasetError):
        open_dataset(tmp_path, format=format)


def test_what_few_formats_need_is_imported_by_them_alone():
    code = """
import sys
import msdepth_ros.cli.evaluate, msdepth_ros.datasets
import msdepth_ros.evaluation.evaluation, msdepth_ros.evaluation.robustness
print(sorted({'h5py', 'rosbags', 'scipy', 'torch', 'sensor_msgs'} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout == '[]\n'


@pytest.mark.parametrize(('format', 'package'), [('nyu', 'h5py'), ('rosbag', 'rosbags')])
def test_missing_packages_are_named(tmp_path, monkeypatch, format, package):
    pytest.importorskip(package)
    path = KINDS[format][1](tmp_path / 'data')
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MsdepthError, match=rf'needs {package}.*pip install'):
        open_dataset(path)


def test_joined_datasets(tmp_path):
    near = DatasetFolder(write_folder(tmp_path / 'near', 2))
    far = DatasetFolder(write_folder(tmp_path / 'far', 3))
    joined = JoinedDatasets({'near': near, 'far': far})
    assert joined.names == ['near/0000', 'near/0001', 'far/0000', 'far/0001', 'far/0002']
    assert [joined[i].depth.max() for i in (*range(5), -1)] == [1, 2, 1, 2, 3, 3]
    assert [joined[i].scene for i in (1, 2)] == ['near', 'far']
    assert joined[3].name == 'far/0001'
    with pytest.raises(IndexError):
        joined[5]
    with pytest.raises(DatasetError):
        JoinedDatasets({})
