# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A recording tells what a laser scanner measured of a camera's images."""

import numpy as np
import pytest
from formats import COLOR_TOPIC, DEPTH_TOPIC, INFO_TOPIC, OPTICAL_FRAME, BagWriter, picture

from msdepth_ros.datasets import DatasetError
from msdepth_ros.recordings.measured_bag import MeasuredBag

pytest.importorskip('rosbags', reason='recordings are read with it')

START = 1_700_000_000_000_000_000
OPTICAL = (-0.5, 0.5, -0.5, 0.5)  # of a camera that looks along its body's x
PLAIN = (0.0, 0.0, 0.0, 1.0)
LATE = 100_000_000  # ns, from a scan to its image
SPEED, WALL = 1.0, 4.0  # m/s; metres ahead of where the robot is at START
FIRST, STEP, BEAMS = -0.4, 0.02, 41


def write_walk(path, odometry=True, mount=True, scans=('/scan',), depth=False):
    """Record a robot that drives at a wall: its scanner 0.1 m ahead of it, its camera 0.2 m."""
    with BagWriter(path) as bag:
        if mount:
            bag.static_transform('base_link', 'laser', (0.1, 0.0, 0.4), PLAIN, START)
            bag.static_transform('base_link', OPTICAL_FRAME, (0.2, 0.0, 0.5), OPTICAL, START)
        for i in range(3):
            ns = START + i * 1_000_000_000
            for ahead in range(0, 3 * LATE, 20_000_000):
                if odometry:
                    x = SPEED * (ns + ahead - START) * 1e-9
                    bag.odometry('/odom', (x, 0.0, 0.0), PLAIN, ns + ahead)
            angles = FIRST + STEP * np.arange(BEAMS)
            away = WALL - SPEED * (ns - START) * 1e-9 - 0.1
            for topic in scans:
                bag.scan(topic, away / np.cos(angles), FIRST, STEP, ns)
            bag.camera_info(INFO_TOPIC, 64, 48, 55.0, ns + LATE)
            bag.image(COLOR_TOPIC, 'bgr8', picture(i, 64, 48), ns + LATE)
            if depth:
                bag.image(DEPTH_TOPIC, '16UC1', np.full((48, 64), 1000, np.uint16), ns + LATE)
    return path


@pytest.mark.parametrize('odometry', [True, False])
def test_a_scan_lies_on_the_image_where_the_robot_is_by_then(tmp_path, odometry):
    bag = MeasuredBag(write_walk(tmp_path / 'walk', odometry), ['scan'])
    assert len(bag) == 3
    for index in (2, 0):
        frame = bag[index]
        assert not frame.depth.any()
        (sparse,) = bag.measured(index, frame)
        distance = WALL - SPEED * (index + (LATE * 1e-9 if odometry else 0)) - 0.2
        assert sparse.depth == pytest.approx(distance, abs=1e-3)
        # the scanner is 0.1 m below the camera
        assert sparse.v == pytest.approx(23.5 + 55 * 0.1 / distance, abs=0.01)
        assert sparse.u.min() < 12
        assert sparse.u.max() > 51
        assert (frame.pose is not None) == odometry
    bag.close()


def test_a_scan_that_is_too_old_measures_nothing(tmp_path, monkeypatch):
    bag = MeasuredBag(write_walk(tmp_path / 'walk'), ['scan'])
    monkeypatch.setattr('msdepth_ros.recordings.measured_bag._LONGEST', 0.05)
    assert bag.measured(0, bag[0]) == []


def test_the_mount_gives_the_floor(tmp_path):
    with MeasuredBag(write_walk(tmp_path / 'walk'), []) as bag:
        floor = bag.floor()
    assert floor.height == pytest.approx(0.5)
    assert floor.up == pytest.approx([0, -1, 0])


def test_a_depth_topic_is_no_image(tmp_path):
    bag = MeasuredBag(write_walk(tmp_path / 'walk', depth=True), ['scan'])
    assert bag[0].image[-1, -1].tolist() == picture(0, 64, 48)[-1, -1].tolist()


def test_what_is_missing_is_reported(tmp_path):
    with pytest.raises(DatasetError, match=r'no sensor_msgs/LaserScan.*record its topic too'):
        MeasuredBag(write_walk(tmp_path / 'walk', scans=()), ['scan'])
    with pytest.raises(DatasetError, match=r'which sensor_msgs/LaserScan.*/a, /b'):
        MeasuredBag(write_walk(tmp_path / 'walk', scans=('/b', '/a')), ['scan'])
    loose = write_walk(tmp_path / 'walk', mount=False)
    with pytest.raises(DatasetError, match="from 'laser' to 'camera_color_optical_frame'"):
        MeasuredBag(loose, ['scan'])
    with MeasuredBag(loose, []) as bag, pytest.raises(DatasetError, match='--camera-height'):
        bag.floor()
