# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Depth to learn from that no depth camera saw: the default model's, aligned with measurements."""

import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
from folders import write_folder
from formats import COLOR_TOPIC, INFO_TOPIC, OPTICAL_FRAME, BagWriter, picture
from tiny import RAMPS, SMALL

from msdepth_ros.datasets import DatasetError
from msdepth_ros.errors import MsdepthError
from msdepth_ros.metric.sparse_depth import SparseDepth

torch = pytest.importorskip('torch', reason='training needs torch')

from msdepth_ros.training.config import Data, MeasuredBy, Stage  # noqa: E402
from msdepth_ros.training.data import TrainingData  # noqa: E402
from msdepth_ros.training.measured import MeasuredDepth, around_points  # noqa: E402

START = 1_700_000_000_000_000_000
SCAN = MeasuredBy('scan')


def write_measured(folder, count, without=()):
    """Write images without depth, and a folder of depth images with the middle row alone."""
    write_folder(folder, count)
    shutil.move(folder / 'depth', folder.with_name('row'))
    for file in folder.with_name('row').iterdir():
        depth = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        depth[:60] = depth[61:] = 0
        cv2.imwrite(str(file), depth)
        if int(file.stem) in without:
            file.unlink()
    return MeasuredBy(depth=str(folder.with_name('row')))


def near(depth, metres):
    return np.median(np.abs(depth[55:66] / metres - 1)) < 0.1


def test_a_scan_is_made_of_a_datasets_own_depth(tmp_path):
    with MeasuredDepth(SCAN, write_folder(tmp_path / 'set', 3)) as dataset:
        for index in range(3):
            assert np.unique(dataset[index].depth).tolist() == [0, index + 1]
            assert near(dataset.to_learn(index).depth, index + 1)
        assert dataset.compared_with == 'their own depth'


def test_depth_images_of_the_same_names_measure(tmp_path):
    how = write_measured(tmp_path / 'set', 4, without=(1,))
    with MeasuredDepth(how, tmp_path / 'set') as dataset:
        assert dataset.names == ['0000', '0001', '0002', '0003']
        for index in (0, 2, 3):
            held_out = dataset[index].depth
            assert np.unique(held_out).tolist() == [0, index + 1]
            assert not held_out[:55].any()
            assert held_out[60].all()
            learned = dataset.to_learn(index).depth
            assert near(learned, index + 1)
            assert (learned > 0).mean() > 0.9
        assert not dataset.to_learn(1).depth.any()
        assert dataset.compared_with == 'what sensors measured of them'


def test_a_recorded_scan_measures(tmp_path):
    pytest.importorskip('rosbags', reason='recordings are read with it')
    optical = (-0.5, 0.5, -0.5, 0.5)
    angles = np.arange(-0.5, 0.5, 0.02)
    with BagWriter(tmp_path / 'walk') as bag:
        bag.static_transform('laser', OPTICAL_FRAME, (0.0, 0.0, 0.0), optical, START)
        for i in range(2):
            ns = START + i * 1_000_000_000
            bag.camera_info(INFO_TOPIC, 160, 120, 140.0, ns)
            bag.image(COLOR_TOPIC, 'bgr8', picture(i, 160, 120), ns)
            bag.scan('/scan', (1.5 + i) / np.cos(angles), -0.5, 0.02, ns)
    with MeasuredDepth(SCAN, tmp_path / 'walk') as dataset:
        for index in range(2):
            assert near(dataset.to_learn(index).depth, 1.5 + index)
            assert dataset[index].depth[60, 80] == pytest.approx(1.5 + index)


def test_points_are_as_wide_as_a_cell_and_the_nearer_hides_the_farther(tmp_path):
    with MeasuredDepth(SCAN, write_folder(tmp_path / 'set', 1)) as dataset:
        frame = dataset[0]
    two = SparseDepth([10, 11], [20, 20], [1.0, 2.0], 0.02, 'scan')
    depth = around_points(frame, [two])
    assert sorted(set(zip(*np.nonzero(depth)))) == [(r, c) for r in (19, 20) for c in (9, 10, 11)]
    assert depth[20].tolist()[8:13] == [0, 1, 1, 2, 0]
    assert around_points(frame, []).shape == (120, 160)


@pytest.mark.parametrize(
    ('how', 'error'),
    [
        (MeasuredBy('scan'), r'a folder of images has no `scan`.*--measured-depth DIR'),
        (MeasuredBy('points'), r'a folder of images has no `points`.*sensor_msgs/PointCloud2'),
        (MeasuredBy('floor'), '--camera-height'),
        (MeasuredBy('views'), 'poses are known: .*poses.txt is missing'),
        (MeasuredBy(depth='/nowhere'), 'is no folder'),
    ],
)
def test_what_is_missing_is_reported(tmp_path, how, error):
    write_measured(tmp_path / 'set', 1)
    with pytest.raises(DatasetError, match=error):
        MeasuredDepth(how, tmp_path / 'set')


def test_nothing_measured_is_refused():
    with pytest.raises(MsdepthError, match='something: scan'):
        MeasuredBy()
    with pytest.raises(MsdepthError, match='neither rendered nor teacher_only'):
        replace(RAMPS, measured=SCAN, rendered=3)


def training_data(tmp_path, how, *stages):
    source = replace(RAMPS, measured=how)
    config = replace(SMALL, data=Data({'ramps': source}, 160), stages=stages or SMALL.stages)
    return TrainingData(config, tmp_path, tmp_path)


def test_images_of_which_nothing_was_measured_teach_nothing(tmp_path, capsys):
    how = write_measured(tmp_path / 'set', 8, without=(0, 4))
    data = training_data(tmp_path, how)
    assert [frame.name for frame in data.frames] == ['0002', '0003', '0006', '0007']
    assert all((frame.depth > 0).mean() > 0.9 for frame in data.frames)
    assert [frame.name for frame in data.validation['ramps']] == ['0001', '0005']
    assert all((frame.depth > 0).mean() < 0.05 for frame in data.validation['ramps'])
    said = capsys.readouterr().err
    assert 'of 4 of the 6 images to learn from' in said
    assert 'compared with what sensors measured' in said


def test_a_recording_of_which_nothing_was_measured_is_refused(tmp_path):
    how = write_measured(tmp_path / 'set', 8, without=range(8))
    with pytest.raises(DatasetError, match=r'for any of the 6 images.*one clock'):
        training_data(tmp_path, how)


def test_held_out_images_of_which_nothing_was_measured_are_refused(tmp_path):
    how = write_measured(tmp_path / 'set', 8, without=(1, 5))
    with pytest.raises(DatasetError, match=r'any of the 2 held-out images.*blocks'):
        training_data(tmp_path, how)


def test_heads_do_not_learn_from_aligned_depth(tmp_path):
    how = write_measured(tmp_path / 'set', 8)
    heads = Stage('heads', images=8, rate=1e-3, batch=4)
    with pytest.raises(MsdepthError, match='measured in a stage of heads'):
        training_data(tmp_path, how, *SMALL.stages, heads)
