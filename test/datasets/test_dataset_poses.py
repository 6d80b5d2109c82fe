# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Poses of dataset folders, TUM sequences and recordings."""

import cv2
import numpy as np
import pytest
from formats import (
    COLOR_TOPIC,
    DEPTH_TOPIC,
    INFO_TOPIC,
    OPTICAL_FRAME,
    BagWriter,
    picture,
    write_tum,
)

from msdepth_ros.datasets import DatasetError, JoinedDatasets, Topics, open_dataset

START = 1_700_000_000_000_000_000
GIVEN = (60.0, 61.0, 32.0, 24.0)
OPTICAL = (-0.5, 0.5, -0.5, 0.5)  # of a camera that looks along its body's x
IDENTITY = '1 0 0 {x} 0 1 0 0 0 0 1 0'


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / 'walk'
    for part in ('rgb', 'depth'):
        (path / part).mkdir(parents=True)
    for name in 'abc':
        cv2.imwrite(str(path / 'rgb' / f'{name}.png'), picture(0, 64, 48))
        cv2.imwrite(str(path / 'depth' / f'{name}.png'), np.full((48, 64), 1000, np.uint16))
    return path


def write_poses(folder, *lines):
    (folder / 'poses.txt').write_text('\n'.join(lines))


def opened(folder):
    return open_dataset(folder, GIVEN)


def test_a_folder_has_the_poses_of_poses_txt(folder):
    assert opened(folder)[0].pose is None
    assert 'poses.txt is missing' in opened(folder).no_poses
    lines = [f'{name} {IDENTITY.format(x=x)}' for name, x in (('c', 0.5), ('a', 0.25))]
    write_poses(folder, '# camera to world', *lines, '')
    dataset = opened(folder)
    assert dataset.no_poses == ''
    assert dataset[0].pose[:3, 3].tolist() == [0.25, 0, 0]
    assert dataset[0].pose.shape == (4, 4)
    assert dataset[1].pose is None
    assert dataset[2].shrunk(32).pose[0, 3] == 0.5
    joined = JoinedDatasets({'first': dataset, 'second': opened(folder)})
    assert joined[3].pose[0, 3] == 0.25
    assert joined.no_poses == ''


@pytest.mark.parametrize(
    'line',
    ['a 1 2 3', 'a 1 0 0 x 0 1 0 0 0 0 1 0', 'a 2 0 0 0 0 1 0 0 0 0 1 0', 'a nan ' + '0 ' * 11],
)
def test_poses_that_are_none(folder, line):
    write_poses(folder, '# comment', line)
    with pytest.raises(DatasetError, match=r'poses.txt:2'):
        opened(folder)


def test_tum_ground_truth_is_interpolated(tmp_path):
    folder = write_tum(tmp_path / 'mine')
    assert 'groundtruth.txt is missing' in opened(folder).no_poses
    stamps = [99.95 + 0.02 * i for i in range(10)]
    lines = [f'{at:.4f} {at - 100:.4f} 0 1 0 0 0 1' for at in stamps]
    (folder / 'groundtruth.txt').write_text('\n'.join(['# ground truth trajectory', *lines]))
    dataset = opened(folder)
    assert dataset[0].pose[:3, 3] == pytest.approx([0, 0, 1])
    assert dataset[1].pose[0, 3] == pytest.approx(0.1)
    assert dataset[2].pose is None  # at 100.2, after the last
    (folder / 'groundtruth.txt').write_text('99 0 0 0 0 0 0 0')
    with pytest.raises(DatasetError, match=r'groundtruth.txt:1.*quaternion'):
        opened(folder)


def write_drive(path, odometry=('/odom',), mount=True):
    """Record a robot that drives ahead by 1 m/s, its camera 0.2 m before and 0.5 m above it."""
    with BagWriter(path) as bag:
        if mount:
            plain = (0.0, 0.0, 0.0, 1.0)
            bag.static_transform('base_link', 'camera_link', (0.2, 0.0, 0.5), plain, START)
            bag.static_transform('base_link', 'laser', (0.0, 0.0, 0.1), plain, START)
            bag.static_transform('camera_link', OPTICAL_FRAME, (0.0, 0.0, 0.0), OPTICAL, START)
        for i in range(3):
            ns = START + i * 100_000_000
            for topic in odometry:
                for j in range(-2, 4):
                    at = ns + j * 20_000_000
                    position = ((at - START) * 1e-9, 0.0, 0.0)
                    bag.odometry(topic, position, (0.0, 0.0, 0.0, 1.0), at)
            bag.camera_info(INFO_TOPIC, 64, 48, 55.0, ns)
            bag.image(COLOR_TOPIC, 'rgb8', picture(i, 64, 48), ns)
            bag.image(DEPTH_TOPIC, '16UC1', np.full((48, 64), 1000, np.uint16), ns)
    return path


def test_a_recording_has_poses_from_odometry_and_static_tf(tmp_path):
    pytest.importorskip('rosbags', reason='recordings are read with it')
    dataset = open_dataset(write_drive(tmp_path / 'drive'))
    assert dataset.no_poses == ''
    pose = dataset[2].pose
    assert pose[:3, 3] == pytest.approx([0.4, 0, 0.5])
    ahead, right = pose[:3, 2], pose[:3, 0]
    assert ahead == pytest.approx([1, 0, 0])
    assert right == pytest.approx([0, -1, 0])


def test_what_a_recording_lacks_is_reported(tmp_path):
    pytest.importorskip('rosbags', reason='recordings are read with it')
    bare = open_dataset(write_drive(tmp_path / 'bare', odometry=()))
    assert bare[0].pose is None
    assert 'no odometry' in bare.no_poses
    loose = open_dataset(write_drive(tmp_path / 'loose', mount=False))
    assert "from 'camera_color_optical_frame' to 'base_link'" in loose.no_poses
    two = write_drive(tmp_path / 'two', odometry=('/odom', '/wheels'))
    assert '--odom-topic' in open_dataset(two).no_poses
    assert open_dataset(two, topics=Topics(odom='/wheels'))[0].pose is not None
    with pytest.raises(DatasetError, match='there is /odom, /wheels'):
        open_dataset(two, topics=Topics(odom='/nothing'))
