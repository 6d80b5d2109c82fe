# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0

import math

import cv2
import numpy as np
import pytest

from msdepth_ros.geometry.rigid import between, inverse, quaternion, rigid, rotation_angle
from msdepth_ros.metric.poses import PoseError, PoseHistory

SECOND = 10**9


def pose(x, yaw=0.0):
    return rigid((x, 0, 0), (0, 0, math.sin(yaw / 2), math.cos(yaw / 2)))


def drive(history, rate=50, seconds=1.0, speed=0.5, turn=0.2, start=100 * SECOND):
    for step in range(round(rate * seconds) + 1):
        at = step / rate
        history.add(start + round(at * SECOND), pose(speed * at, turn * at))


def test_a_quaternion_is_the_rotation_of_rodrigues():
    turn = np.array([0.3, -0.5, 0.7])
    angle = np.linalg.norm(turn)
    x, y, z = np.sin(angle / 2) * turn / angle
    found = rigid((1, 2, 3), (x, y, z, np.cos(angle / 2)))
    assert np.allclose(found[:3, :3], cv2.Rodrigues(turn)[0])
    assert found[:3, 3].tolist() == [1, 2, 3]
    assert np.allclose(inverse(found) @ found, np.eye(4))
    assert rotation_angle(found) == pytest.approx(angle)
    assert quaternion(found) == pytest.approx((x, y, z, np.cos(angle / 2)))
    assert quaternion(np.eye(4)) == (0, 0, 0, 1)


@pytest.mark.parametrize(
    ('position', 'quaternion'),
    [((0, 0, 0), (0, 0, 0, 0)), ((0, 0, math.nan), (0, 0, 0, 1)), ((0, 0, 0), (0, 0, 0, 2))],
)
def test_invalid_poses_are_refused(position, quaternion):
    with pytest.raises(ValueError, match='not a pose'):
        rigid(position, quaternion)


def test_motion_between_two_poses_can_be_extrapolated():
    half = between(pose(0), pose(1, 0.4), 0.5)
    assert np.allclose(half, pose(0.5, 0.2))
    assert np.allclose(between(pose(0), pose(1, 0.4), 1.5), pose(1.5, 0.6))


def test_poses_are_interpolated_and_go_on_for_a_while():
    history = PoseHistory()
    drive(history)
    for at in (0.5, 0.513, 1.0, 1.05):
        found = history.at(100 * SECOND + round(at * SECOND)).matrix
        assert np.allclose(found, pose(0.5 * at, 0.2 * at), atol=1e-6)


@pytest.mark.parametrize(
    ('at', 'why'),
    [
        (1.2, 'odometry late'),
        (3600.0, 'another clock'),
        (-3600.0, 'another clock'),
        (-0.5, 'image older'),
    ],
)
def test_a_stamp_without_pose(at, why):
    history = PoseHistory()
    drive(history)
    with pytest.raises(PoseError, match=why):
        history.at(100 * SECOND + round(at * SECOND))


def test_no_odometry_a_first_pose_and_a_gap():
    history = PoseHistory()
    with pytest.raises(PoseError, match='no odometry'):
        history.at(SECOND)
    history.add(SECOND, pose(0))
    with pytest.raises(PoseError, match='just begun'):
        history.at(SECOND + SECOND // 50)
    history.add(2 * SECOND, pose(0.1))
    with pytest.raises(PoseError, match='gap'):
        history.at(SECOND + SECOND // 2)


@pytest.mark.parametrize('jump', [pose(2.0), pose(0.5, 3.0)], ids=['place', 'turn'])
def test_a_jump_forgets_what_was_before(jump):
    history = PoseHistory()
    drive(history)
    assert history.jumps == 0
    history.add(101 * SECOND + SECOND // 50, jump)
    assert history.jumps == 1
    assert len(history) == 1
    with pytest.raises(PoseError):
        history.at(100 * SECOND + SECOND // 2)


def test_a_fast_robot_with_slow_odometry_does_not_jump():
    history = PoseHistory()
    drive(history, rate=5, speed=3.0, turn=2.0)
    assert history.jumps == 0


def test_time_that_goes_back_is_a_new_start_and_a_late_pose_is_passed_over():
    history = PoseHistory()
    drive(history)
    history.add(100 * SECOND, pose(7))
    assert history.jumps == 0
    assert np.allclose(history.at(101 * SECOND).matrix, pose(0.5, 0.2))
    drive(history, start=10 * SECOND)
    assert history.jumps == 1
    assert np.allclose(history.at(11 * SECOND).matrix, pose(0.5, 0.2))


def test_memory_is_bounded():
    history = PoseHistory()
    for step in range(20_000):
        history.add(step * SECOND // 1000, pose(step * 1e-4))
    assert len(history) < 2000


NO_POSES = {
    'NaN': ((math.nan, 0, 0), (0, 0, 0, 1)),
    'zero quaternion': ((0, 0, 0), (0, 0, 0, 0)),
    'quaternion of length 2': ((0, 0, 0), (0, 0, 0, 2)),
}


@pytest.mark.parametrize('broken', NO_POSES.values(), ids=NO_POSES)
def test_odometry_that_is_no_pose_is_reported(broken):
    history = PoseHistory()
    assert not history.heard
    history.hear(100 * SECOND, *broken)
    assert history.heard
    with pytest.raises(PoseError, match='odometry is no pose'):
        history.at(100 * SECOND)
    drive(history)
    history.hear(101 * SECOND + SECOND // 50, *broken)
    history.at(101 * SECOND)  # what is known stays known
    with pytest.raises(PoseError, match='odometry is no pose'):
        history.at(105 * SECOND)
    history.hear(105 * SECOND, (0, 0, 0), (0, 0, 0, 1))
    assert np.allclose(history.at(105 * SECOND).matrix, np.eye(4))


def test_a_quaternion_that_is_off_by_rounding_is_a_pose():
    history = PoseHistory()
    history.hear(SECOND, (1, 2, 3), (0, 0, 0.6, 0.804))
    assert np.allclose(np.linalg.det(history.at(SECOND).matrix), 1)


def test_poses_of_other_frames_do_not_belong_together():
    history = PoseHistory()
    for step, frames in enumerate([('odom', 'base')] * 5 + [('map', 'base')] * 5):
        history.hear(step * SECOND // 50, (0.01 * step, 0, 0), (0, 0, 0, 1), frames)
    assert history.jumps == 1
    assert len(history) == 5
    with pytest.raises(PoseError, match='older than the odometry'):
        history.at(2 * SECOND // 50)


def test_stamps_that_stand_still_are_an_odometry_that_ended():
    history = PoseHistory()
    for step in range(50):
        history.hear(100 * SECOND, (0.01 * step, 0, 0), (0, 0, 0, 1))
    assert len(history) == 1
    for later, why in ((0.05, 'just begun'), (1.0, 'late'), (3.0, 'ended')):
        with pytest.raises(PoseError, match=why):
            history.at(100 * SECOND + round(later * SECOND))
