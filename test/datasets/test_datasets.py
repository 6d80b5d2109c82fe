# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Dataset folders: what is read, and what each broken one gets."""

import itertools
import os

import cv2
import numpy as np
import pytest
from folders import HEIGHT, WIDTH, write_folder

from msdepth_ros.calibration import read_camera
from msdepth_ros.datasets import DatasetFolder, open_dataset, split_in_blocks
from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.pinhole import Intrinsics


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / 'set', 3)


def test_frames_are_read_in_order_and_metres(folder):
    dataset = DatasetFolder(folder)
    assert dataset.names == ['0000', '0001', '0002']
    frame = dataset[1]
    assert frame.image.shape == (HEIGHT, WIDTH, 3)
    assert frame.image[20, 50].tolist() == [255, 80, 0]  # BGR, as it was written
    assert frame.depth.dtype == np.float32
    assert set(np.unique(frame.depth)) == {0.0, 2.0}
    assert frame.intrinsics == Intrinsics(WIDTH, HEIGHT, 130.0, 130.0, 79.5, 59.5)


def test_what_macos_and_windows_leave_behind_is_passed_over(folder):
    for part in ('rgb', 'depth'):
        for name in ('._0001.png', '.DS_Store', 'Thumbs.db', '.hidden.png'):
            (folder / part / name).write_bytes(b'no image')
    dataset = open_dataset(folder)
    assert dataset.names == ['0000', '0001', '0002']
    assert dataset[2].depth.max() == 3


def test_frames_are_in_natural_order_and_have_any_name(tmp_path):
    folder = write_folder(tmp_path / 'set', 3)
    names = ['frame2', 'frame10', os.fsdecode(b'frame11\xe9')]
    for part in ('rgb', 'depth'):
        for old, new in zip(('0000', '0001', '0002'), names, strict=True):
            (folder / part / f'{old}.png').rename(folder / part / f'{new}.png')
    dataset = DatasetFolder(folder)
    assert dataset.names == names
    assert [dataset[i].depth.max() for i in range(3)] == [1, 2, 3]


def test_depth_scale(tmp_path):
    frame = DatasetFolder(write_folder(tmp_path / 'set', 1, scale=5000.0))[0]
    assert frame.depth.max() == 1.0


@pytest.mark.parametrize('scale', ['0', '-1', 'nan', 'inf', 'many', '[1]'])
def test_wrong_depth_scale(folder, scale):
    calibration = folder / 'camera.yaml'
    calibration.write_text(f'{calibration.read_text()}depth_scale: {scale}\n')
    with pytest.raises(MsdepthError, match=r'camera\.yaml'):
        DatasetFolder(folder)


@pytest.mark.parametrize(('lost', 'part'), [('rgb', 'rgb'), ('depth', 'depth')])
def test_missing_partner_is_named(folder, lost, part):
    (folder / lost / '0001.png').unlink()
    with pytest.raises(MsdepthError, match=f'the first, 0001, is missing in {part}/'):
        DatasetFolder(folder)


@pytest.mark.parametrize('part', ['rgb', 'depth'])
def test_a_missing_part_is_reported_with_the_format(folder, part):
    (folder / part).rename(folder / 'elsewhere')
    with pytest.raises(MsdepthError, match='a dataset folder has rgb/NAME'):
        DatasetFolder(folder)


def test_empty_folder(tmp_path):
    write_folder(tmp_path / 'set', 0)
    with pytest.raises(MsdepthError, match=r'has no \.jpg'):
        DatasetFolder(tmp_path / 'set')


def test_a_missing_calibration_is_reported_with_the_two_ways_out(folder):
    (folder / 'camera.yaml').unlink()
    with pytest.raises(MsdepthError, match=r'camera\.yaml is missing.*fx,fy,cx,cy'):
        DatasetFolder(folder)
    dataset = open_dataset(folder, (100.0, 101.0, 80.0, 60.0))
    assert dataset[0].intrinsics == Intrinsics(WIDTH, HEIGHT, 100.0, 101.0, 80.0, 60.0)


def test_distorted_calibration_is_refused(folder):
    camera = read_camera(folder / 'camera.yaml')
    text = camera.to_yaml().replace('data: [0.0, 0.0, 0.0, 0.0, 0.0]', 'data: [0.1, 0, 0, 0, 0]')
    (folder / 'camera.yaml').write_text(text)
    with pytest.raises(MsdepthError, match='rectify the images and depths first'):
        DatasetFolder(folder)


@pytest.mark.parametrize('part', ['rgb', 'depth'])
def test_wrong_size_is_named(folder, part):
    path = folder / part / '0002.png'
    cv2.imwrite(str(path), cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[:-2])
    with pytest.raises(MsdepthError, match=f'0002.png is {WIDTH}x{HEIGHT - 2} but'):
        DatasetFolder(folder)[2]


def test_depth_of_another_size_covers_the_same_view(folder):
    small = 500 + np.arange(HEIGHT * WIDTH // 4, dtype=np.uint16).reshape(HEIGHT // 2, WIDTH // 2)
    cv2.imwrite(str(folder / 'depth/0002.png'), small)
    frame = DatasetFolder(folder)[2]
    assert frame.depth.shape == (HEIGHT, WIDTH)
    assert frame.intrinsics == DatasetFolder(folder)[1].intrinsics
    expected = np.repeat(np.repeat(small, 2, axis=0), 2, axis=1)
    np.testing.assert_array_equal(frame.depth, (expected / np.float32(1000)).astype(np.float32))


def test_all_invalid_depth(folder):
    cv2.imwrite(str(folder / 'depth/0000.png'), np.zeros((HEIGHT, WIDTH), np.uint16))
    with pytest.raises(MsdepthError, match=r'0000\.png has no valid pixel: remove'):
        DatasetFolder(folder)[0]


@pytest.mark.parametrize('part', ['rgb', 'depth'])
def test_damaged_file(folder, part):
    (folder / part / '0000.png').write_bytes(b'\x89PNG broken')
    with pytest.raises(MsdepthError, match=r'0000\.png is'):
        DatasetFolder(folder)[0]


@pytest.mark.parametrize(('millimetres', 'scale'), [(2, 1000.0), (2000, 5.0)])
def test_wrong_unit_names_depth_scale(folder, millimetres, scale):
    """Depths of 2 mm, and of 400 m, are a wrong unit."""
    depth = np.full((HEIGHT, WIDTH), millimetres, np.uint16)
    cv2.imwrite(str(folder / 'depth/0000.png'), depth)
    with (folder / 'camera.yaml').open('a') as calibration:
        calibration.write(f'depth_scale: {scale}\n')
    with pytest.raises(MsdepthError, match=r'0000\.png: .*set depth_scale in .*camera\.yaml'):
        DatasetFolder(folder)[0]


def test_scenes(folder):
    (folder / 'scenes.csv').write_text('frame,scene_type\n0000,kitchen\n0001,\n')
    assert [DatasetFolder(folder)[i].scene for i in range(3)] == ['kitchen', None, None]


def test_eight_bit_depth_is_refused(folder):
    cv2.imwrite(str(folder / 'depth/0000.png'), np.ones((HEIGHT, WIDTH), np.uint8))
    with pytest.raises(MsdepthError, match='not a 16-bit PNG'):
        DatasetFolder(folder)[0]


def test_shrinking_keeps_geometry(folder):
    frame = DatasetFolder(folder)[1]
    half = frame.shrunk(80)
    assert half.image.shape == (60, 80, 3)
    assert half.depth.shape == (60, 80)
    assert half.intrinsics == Intrinsics(80, 60, 65.0, 65.0, 39.5, 29.5)
    assert half.image[12, 25].tolist() == [255, 80, 0]
    assert set(np.unique(half.depth)) == {0.0, 2.0}
    assert frame.shrunk(1000) is frame


def test_blocks_do_not_mix():
    training, validation = split_in_blocks(795, 12, 0.1)
    assert sorted(training + validation) == list(range(795))
    assert len(validation) == pytest.approx(79.5, abs=6)
    breaks = [b for a, b in itertools.pairwise(validation) if b != a + 1]
    assert len(breaks) == 11
    assert split_in_blocks(10, 2, 0.0) == (list(range(10)), [])
    for wrong in ((0, 0.1), (3, 1.0), (3, -0.1)):
        with pytest.raises(ValueError, match='blocks'):
            split_in_blocks(10, *wrong)
