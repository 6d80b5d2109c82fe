# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""TUM RGB-D sequences: association, units, cameras, and what is wrong with bad ones."""

import cv2
import numpy as np
import pytest
from formats import COLORS, write_tum

from msdepth_ros.datasets import DatasetError, open_dataset
from msdepth_ros.datasets.association import associate
from msdepth_ros.geometry.pinhole import Intrinsics

GIVEN = (60.0, 61.0, 32.0, 24.0)


@pytest.fixture
def folder(tmp_path):
    return write_tum(tmp_path / 'rgbd_dataset_freiburg2_desk')


def test_frames_in_metres_with_the_camera_of_the_name(folder):
    dataset = open_dataset(folder)
    assert dataset.names == ['100.000000', '100.100000', '100.200000']
    frame = dataset[2]
    assert frame.image[-1, -1].tolist() == list(COLORS[2])
    assert set(np.unique(frame.depth)) == {0.0, 3.0}
    assert frame.intrinsics == Intrinsics(64, 48, 520.9, 521.0, 325.1, 249.7)
    assert frame.scene == 'rgbd_dataset_freiburg2_desk'


def test_camera_of_a_parent_folder_and_given(tmp_path):
    folder = write_tum(tmp_path / 'freiburg3' / 'walk')
    assert open_dataset(folder).intrinsics.fx == 535.4
    assert open_dataset(folder, GIVEN)[0].intrinsics == Intrinsics(64, 48, *GIVEN)


def test_unknown_camera(tmp_path):
    with pytest.raises(DatasetError, match=r'does not name the camera.*fx,fy,cx,cy'):
        open_dataset(write_tum(tmp_path / 'mine'))


def test_only_what_is_within_the_tolerance_is_a_pair(folder):
    lines = (folder / 'depth.txt').read_text().splitlines()
    lines[2] = lines[2].replace('100.115000 ', '100.125000 ')  # 25 ms after its image
    (folder / 'depth.txt').write_text('\n'.join(reversed(lines)))
    dataset = open_dataset(folder)
    assert dataset.names == ['100.000000', '100.200000']
    assert [dataset[i].depth.max() for i in (0, 1)] == [1, 3]


def test_the_closest_are_paired_first_and_once():
    images, depths = [0.0, 0.010, 0.030, 0.5], [0.008, 0.011, 0.045, 0.521]
    assert associate(images, depths, 0.02) == [(0, 0), (1, 1), (2, 2)]
    assert associate([0.0, 0.01], [0.011], 0.02) == [(1, 0)]
    assert associate([], [0.0], 0.02) == []


def test_depth_scale(folder):
    assert open_dataset(folder, depth_scale=1000.0)[0].depth.max() == 5
    with pytest.raises(DatasetError, match='depth_scale'):
        open_dataset(folder, depth_scale=1.0)[0]


def test_no_pairs(folder):
    text = (folder / 'depth.txt').read_text().replace('\n100', '\n900')
    (folder / 'depth.txt').write_text(text)
    with pytest.raises(DatasetError, match=r'none of 3 images has a depth image within 0.02 s'):
        open_dataset(folder)


@pytest.mark.parametrize('part', ['rgb', 'depth'])
def test_missing_and_damaged_lists(folder, part):
    path = folder / f'{part}.txt'
    path.write_text('100.0\n')
    with pytest.raises(DatasetError, match=rf'{part}\.txt:1: "100.0" is not "stamp file"'):
        open_dataset(folder)
    path.unlink()
    with pytest.raises(DatasetError, match=rf'cannot read .*{part}\.txt'):
        open_dataset(folder)


def test_depth_may_have_another_size(folder):
    small = np.full((24, 32), 5000, np.uint16)
    small[:, 16:] = 10000
    cv2.imwrite(str(folder / 'depth/100.015000.png'), small)
    depth = open_dataset(folder)[0].depth
    assert (depth[:, :32] == 1).all()
    assert (depth[:, 32:] == 2).all()


def test_missing_damaged_and_wrong_files(folder):
    (folder / 'rgb/100.100000.png').unlink()
    with pytest.raises(DatasetError, match=r'rgb/100.100000.png is missing, damaged'):
        open_dataset(folder)[1]
    depth = folder / 'depth/100.015000.png'
    cv2.imwrite(str(depth), np.ones((24, 40), np.uint16))
    with pytest.raises(DatasetError, match=r'100.015000.png is 40x24 but .* 64x48'):
        open_dataset(folder)[0]
    cv2.imwrite(str(depth), np.zeros((48, 64), np.uint16))
    with pytest.raises(DatasetError, match='no valid pixel'):
        open_dataset(folder)[0]
    depth.write_bytes(b'')
    with pytest.raises(DatasetError, match='not a 16-bit PNG'):
        open_dataset(folder)[0]
