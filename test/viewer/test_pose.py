# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the camera sits on the robot."""

import math
import sys
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip('viser', reason='the viewer needs viser')
pytest.importorskip('rclpy', reason='the viewer needs rclpy')

from viser.transforms import SO3

from msdepth_ros.viewer.pose import TransformTree, camera_pose


def test_a_camera_that_looks_down_sees_the_floor_below_its_height():
    pose = camera_pose({'camera_height': 0.5, 'camera_pitch': 0.3})
    on_axis = np.array([0, 0, 0.5 / math.sin(0.3)])  # where the optical axis meets the floor
    assert pose.apply(on_axis) == pytest.approx([0.5 / math.tan(0.3), 0, 0])
    assert pose.apply(np.array([1.0, 0, 0])) == pytest.approx([0, -1, 0.5])
    assert pose.source == 'camera_height'


def test_camera_pose_counts_before_camera_height():
    pose = camera_pose({'camera_pose': '0.2 0.1 0.4 0 0 1.5708', 'camera_height': 9.0})
    assert pose.apply(np.array([0, 0, 1.0])) == pytest.approx([0.2, 1.1, 0.4], abs=1e-4)
    assert pose.source == 'camera_pose'


@pytest.mark.parametrize('values', [{}, {'camera_height': 0.0}, {'camera_pose': 'nonsense'}])
def test_nothing_known_is_level_at_the_origin_and_says_so(values):
    pose = camera_pose(values)
    assert pose.source == ''
    assert pose.apply(np.array([0, 0, 1.0])) == pytest.approx([1, 0, 0])


def test_the_quaternion_is_the_rotation():
    pose = camera_pose({'camera_pose': '0 0 0 0.3 -0.7 2.0'})
    np.testing.assert_allclose(SO3(pose.wxyz).as_matrix(), pose.rotation, atol=1e-12)


def test_the_body_looks_where_the_optical_frame_does():
    body = camera_pose({'camera_height': 0.5, 'camera_pitch': 0.3}).body()
    assert body.apply(np.array([1.0, 0, 0])) == pytest.approx(
        [math.cos(0.3), 0, 0.5 - math.sin(0.3)]
    )


def test_a_ray_of_the_robot_is_the_same_in_the_camera():
    pose = camera_pose({'camera_pose': '0.2 0.1 0.4 0 0.2 0.5'})
    origin, direction = np.array([0.1, -0.3, 0.2]), np.array([0.5, 0.5, 0.1])
    at, towards = pose.inverse_ray(origin, direction)
    assert pose.apply(at + 2 * towards) == pytest.approx(origin + 2 * direction)


def test_without_tf2_there_is_no_transform(monkeypatch):
    monkeypatch.setitem(sys.modules, 'tf2_ros', None)
    tree = TransformTree(None)
    assert tree.find('base_link', 'camera') is None
    tree.close()


def test_tf_is_asked_for_the_newest_transform(monkeypatch):
    class Buffer:
        def lookup_transform(self, base, frame, stamp):
            if (base, frame, stamp.nanoseconds) != ('base_link', 'camera', 0):
                raise LookupError(frame)
            turn = SimpleNamespace(x=-0.5, y=0.5, z=-0.5, w=0.5)
            place = SimpleNamespace(x=0.1, y=0.2, z=0.3)
            return SimpleNamespace(transform=SimpleNamespace(translation=place, rotation=turn))

    heard = []

    class TransformListener:
        def __init__(self, buffer, node, spin_thread):
            heard.append('listens')
            assert spin_thread is False

        def unregister(self):
            heard.append('no more')

    fake = SimpleNamespace(Buffer=Buffer, TransformListener=TransformListener)
    monkeypatch.setitem(sys.modules, 'tf2_ros', fake)
    tree = TransformTree(None)
    pose = tree.find('base_link', 'camera')
    assert pose.apply(np.array([0, 0, 1.0])) == pytest.approx([1.1, 0.2, 0.3])
    assert tree.find('base_link', 'elsewhere') is None
    tree.close()
    assert heard == ['listens', 'no more']
