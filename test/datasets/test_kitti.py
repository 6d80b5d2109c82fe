# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""KITTI's depth annotations on its raw recordings."""

import shutil

import cv2
import numpy as np
import pytest
from formats import COLORS, write_kitti

from msdepth_ros.datasets import DatasetError, open_dataset
from msdepth_ros.geometry.pinhole import Intrinsics

DRIVES = ('2011_09_26_drive_0001_sync', '2011_09_27_drive_0002_sync')


@pytest.fixture
def folder(tmp_path):
    return write_kitti(tmp_path / 'kitti')


def raw(folder, drive=0):
    return folder / 'raw' / DRIVES[drive][:10] / DRIVES[drive]


def depths(folder, drive=0):
    return folder / 'depth/train' / DRIVES[drive] / 'proj_depth/groundtruth/image_02'


def test_sparse_depths_with_their_images_drive_by_drive(folder):
    dataset = open_dataset(folder)
    assert dataset.names == [f'{drive}/{i:010}' for drive in DRIVES for i in (1, 2)]
    frame = dataset[3]
    assert frame.image[-1, -1].tolist() == list(COLORS[2])
    assert set(np.unique(frame.depth)) == {0.0, 12.0}
    assert (frame.depth > 0).mean() == 1 / 16
    assert frame.scene == DRIVES[1]


def test_intrinsics_are_of_the_frames_own_day(folder):
    dataset = open_dataset(folder)
    assert dataset[0].intrinsics == Intrinsics(80, 24, 70.5, 71.5, 40.25, 12.75)
    assert dataset[2].intrinsics == Intrinsics(80, 24, 71.5, 72.5, 40.25, 12.75)
    assert open_dataset(folder, (50, 51, 40, 12))[2].intrinsics == Intrinsics(
        80, 24, 50, 51, 40, 12
    )


@pytest.mark.parametrize('calibration', ['in the drive', 'of its day'])
def test_one_drive_with_everything_in_it(folder, monkeypatch, calibration):
    """As some unpack it: depths and images in the drive's folder."""
    drive = raw(folder)
    shutil.move(depths(folder).parents[1], drive / 'proj_depth')
    if calibration == 'in the drive':
        shutil.move(drive.parent / 'calib_cam_to_cam.txt', drive)
    monkeypatch.chdir(drive)
    dataset = open_dataset('.')
    assert dataset.names == [f'{DRIVES[0]}/{i:010}' for i in (1, 2)]
    assert dataset[0].intrinsics.fx == 70.5


def test_images_as_jpeg(folder):
    for path in raw(folder).glob('image_02/data/*.png'):
        cv2.imwrite(str(path.with_suffix('.jpg')), cv2.imread(str(path)))
        path.unlink()
    assert open_dataset(folder)[0].image.shape == (24, 80, 3)


def test_missing_parts(folder):
    (raw(folder, 1) / 'image_02/data/0000000002.png').unlink()
    with pytest.raises(DatasetError, match=r'1 depth files have no image, .*0000000002'):
        open_dataset(folder)
    shutil.rmtree(raw(folder))
    with pytest.raises(
        DatasetError, match=rf'3 depth files have no image.*{DRIVES[0]}/image_02/data'
    ):
        open_dataset(folder)
    shutil.rmtree(folder / 'depth')
    with pytest.raises(DatasetError, match='no depth files: in KITTI they are DRIVE/proj_depth'):
        open_dataset(folder, format='kitti')


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('S_rect_02: 80 24\n', 'no line "P_rect_02:" with 12 numbers'),
        (f'S_rect_02: 80 24\nP_rect_02: {"1 " * 11}\n', 'with 12 numbers'),
        (f'P_rect_02: {"1 " * 12}\nS_rect_02: wide 24\n', 'no line "S_rect_02:" with 2'),
    ],
)
def test_damaged_calibration(folder, text, message):
    (raw(folder).parent / 'calib_cam_to_cam.txt').write_text(text)
    with pytest.raises(DatasetError, match=message):
        open_dataset(folder)


def test_missing_calibration(folder):
    (raw(folder).parent / 'calib_cam_to_cam.txt').unlink()
    with pytest.raises(DatasetError, match=r'no calib_cam_to_cam.txt in it or above it'):
        open_dataset(folder)


def test_depth_may_have_another_size(folder):
    path = str(depths(folder) / '0000000001.png')
    cv2.imwrite(path, np.arange(256, 256 + 12 * 40, dtype=np.uint16).reshape(12, 40))
    depth = open_dataset(folder)[0].depth
    assert depth.shape == (24, 80)
    assert depth[2, 2] == depth[3, 3] == (256 + 41) / 256


def test_wrong_sizes_and_depths(folder):
    path = str(depths(folder) / '0000000001.png')
    cv2.imwrite(path, np.ones((20, 80), np.uint16))
    with pytest.raises(DatasetError, match=r'0000000001.png is 80x20 but .* 80x24'):
        open_dataset(folder)[0]
    cv2.imwrite(path, np.zeros((24, 80), np.uint16))
    with pytest.raises(DatasetError, match='no valid pixel'):
        open_dataset(folder)[0]
    cv2.imwrite(path, np.full((24, 80), 3, np.uint16))
    with pytest.raises(DatasetError, match='depth_scale'):
        open_dataset(folder)[0]
    cv2.imwrite(path, np.ones((24, 80), np.uint8))
    with pytest.raises(DatasetError, match='not a 16-bit PNG'):
        open_dataset(folder)[0]
