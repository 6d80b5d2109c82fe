# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""NYU Depth v2's labelled set and its split."""

import numpy as np
import pytest
from formats import COLORS, write_nyu, write_splits

from msdepth_ros.datasets import DatasetError, open_dataset
from msdepth_ros.geometry.pinhole import Intrinsics

h5py = pytest.importorskip('h5py', reason='the labelled set is HDF5')
pytest.importorskip('scipy', reason='its split is a MATLAB 5 file')


@pytest.fixture
def folder(tmp_path):
    write_nyu(tmp_path)
    write_splits(tmp_path, train=[1, 4], test=[2, 3])
    return tmp_path


def test_pixels_metres_and_scenes(folder):
    dataset = open_dataset(folder / 'nyu_depth_v2_labeled.mat')
    assert dataset.names == ['0001', '0002', '0003', '0004']
    frame = dataset[1]
    assert frame.image.shape == (24, 32, 3)
    assert frame.image[-1, -1].tolist() == list(COLORS[1])
    assert frame.image[5, 7].tolist() == [255] * 3
    assert frame.image[5, 8].tolist() == list(COLORS[1])  # not transposed
    assert frame.depth.dtype == np.float32
    assert frame.depth.shape == (24, 32)
    assert set(np.unique(frame.depth)) == {2.0}
    assert [dataset[i].scene for i in (0, 1)] == ['kitchen0', 'kitchen1']


def test_intrinsics_are_the_toolboxes_at_the_images_size(folder):
    intrinsics = open_dataset(folder)[0].intrinsics
    assert (intrinsics.width, intrinsics.height) == (32, 24)
    assert intrinsics.fx == pytest.approx(518.8579 / 20)
    assert intrinsics.cx == pytest.approx((325.5824 + 0.5) / 20 - 0.5)
    given = open_dataset(folder, (20, 21, 15, 11))[0].intrinsics
    assert given == Intrinsics(32, 24, 20, 21, 15, 11)


@pytest.mark.parametrize(
    ('split', 'names'), [('train', ['0001', '0004']), ('test', ['0002', '0003'])]
)
def test_official_split(folder, split, names):
    dataset = open_dataset(folder, split=split)
    assert dataset.names == names
    assert dataset[1].depth.max() == int(names[1])


def test_split_in_hdf5(folder):
    with h5py.File(folder / 'splits.mat', 'w') as file:
        file['testNdxs'] = np.array([[4.0, 2.0]])
    assert open_dataset(folder, split='test').names == ['0004', '0002']


def test_raw_depths_have_holes(folder):
    frame = open_dataset(folder, raw_depths=True)[2]
    assert set(np.unique(frame.depth)) == {0.0, 3.0}
    assert (frame.depth[:, :8] == 0).all()


def test_nothing_but_numbers_is_a_depth(folder):
    depths = np.full((4, 32, 24), 2, np.float32)
    depths[0, 3, 5], depths[0, 4, 5] = np.nan, np.inf
    write_nyu(folder, depths=depths)
    depth = open_dataset(folder)[0].depth
    assert (depth[5, 3], depth[5, 4], depth[5, 5]) == (0, 0, 2)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'depths': None}, "no array 'depths' of 3 axes"),
        ({'images': np.zeros((4, 32, 24), np.uint8)}, "no array 'images' of 4 axes"),
        ({'depths': np.ones((3, 32, 24), np.float32)}, 'do not agree'),
        ({'depths': np.ones((4, 24, 32), np.float32)}, 'do not agree'),
    ],
)
def test_missing_and_wrong_arrays(folder, changes, message):
    write_nyu(folder, **changes)
    with pytest.raises(DatasetError, match=message):
        open_dataset(folder)


def test_impossible_depths(folder):
    write_nyu(folder, depths=np.full((4, 32, 24), 2000, np.float32))
    with pytest.raises(DatasetError, match=r'frame 0001: .*2e\+03 m.*depth_scale'):
        open_dataset(folder)[0]
    assert open_dataset(folder, depth_scale=1000.0)[0].depth.max() == 2
    write_nyu(folder, depths=np.zeros((4, 32, 24), np.float32))
    with pytest.raises(DatasetError, match='no valid pixel'):
        open_dataset(folder)[0]


def test_damaged_and_missing_files(folder):
    path = folder / 'nyu_depth_v2_labeled.mat'
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DatasetError, match='damaged: download it again'):
        open_dataset(path)
    (folder / 'other.mat').write_bytes(b'MATLAB 5.0 MAT-file')
    with pytest.raises(DatasetError, match=r'not a MATLAB 7.3 file'):
        open_dataset(folder / 'other.mat')
    path.unlink()
    with pytest.raises(DatasetError, match='is missing: download'):
        open_dataset(folder, format='nyu')


def test_bad_splits(folder):
    with pytest.raises(DatasetError, match="split is 'val' but must be all, train or test"):
        open_dataset(folder, split='val')
    write_splits(folder, train=[5], test=[0])
    for split in ('train', 'test'):
        with pytest.raises(DatasetError, match='numbers of frames from 1 to 4'):
            open_dataset(folder, split=split)
    (folder / 'splits.mat').write_bytes(b'rubbish')
    with pytest.raises(DatasetError, match=r"splits.mat is not a MATLAB file with 'testNdxs'"):
        open_dataset(folder, split='test')
    (folder / 'splits.mat').unlink()
    with pytest.raises(DatasetError, match=r'splits.mat is missing: download'):
        open_dataset(folder, split='test')
