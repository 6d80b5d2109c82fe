# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How a camera is mounted, from parameters and from TF (a stand-in where tf2_ros is missing)."""

import math
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import rclpy

from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.camera_pose import CameraPose
from msdepth_ros.node import mount
from msdepth_ros.node.mounts import Mounts


@pytest.fixture(scope='module')
def node():
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node(
        'mount_test', context=context, cli_args=['--ros-args', '-r', '/tf:=tf']
    )
    yield node
    node.destroy_node()
    rclpy.shutdown(context=context)


@pytest.fixture
def tf(monkeypatch):
    """Stand in for tf2_ros with one transform, known after `late` questions."""
    known = SimpleNamespace(pose=None, late=2, asked=[], topics=[])

    class Buffer:
        def can_transform(self, target, source, time):
            known.asked.append((target, source, time.nanoseconds))
            return known.pose is not None and len(known.asked) > known.late

        def lookup_transform(self, target, source, time):
            x, y, z, w = known.pose.optical_rotation()
            return SimpleNamespace(
                transform=SimpleNamespace(
                    translation=SimpleNamespace(x=known.pose.x, y=known.pose.y, z=known.pose.z),
                    rotation=SimpleNamespace(x=x, y=y, z=z, w=w),
                )
            )

    def listener(buffer, node):
        known.topics = [node.resolve_topic_name(topic) for topic in ('/tf', '/tf_static')]

    module = ModuleType('tf2_ros')
    module.Buffer, module.TransformListener = Buffer, listener
    monkeypatch.setitem(sys.modules, 'tf2_ros', module)
    monkeypatch.setattr(mount, 'TF_PATIENCE', 0.5)
    return known


def test_the_mount_is_read_from_parameters():
    by_hand = mount.mount_from_parameters(0.4, math.radians(30))
    assert by_hand.height == 0.4
    # Down is +y of the optical frame, forward +z: a camera that looks down sees up behind it.
    np.testing.assert_allclose(by_hand.up, [0, -math.cos(math.pi / 6), -0.5], atol=1e-12)
    assert '0.4 m' in by_hand.source
    assert '30.0 degrees' in by_hand.source


def test_the_mount_from_tf_is_that_from_parameters(node, tf):
    tf.pose = CameraPose(0.1, 0.2, 0.55, 0.0, 0.3, 1.1)
    found = mount.mount_from_tf(node, 'base_footprint', 'camera_optical_frame')
    assert found.height == 0.55
    np.testing.assert_allclose(found.up, mount.mount_from_parameters(0.55, 0.3).up, atol=1e-12)
    assert set(tf.asked) == {('base_footprint', 'camera_optical_frame', 0)}
    assert "0.550 m above 'base_footprint'" in found.source


def test_a_rolled_camera_in_tf(node, tf):
    tf.pose = CameraPose(0.0, 0.0, 0.5, 0.25, 0.0, 0.0)
    found = mount.mount_from_tf(node, 'base_link', 'camera_optical_frame')
    # Rolled to its right (about x forward): up leans to its left, -x of the optical frame.
    np.testing.assert_allclose(found.up, [-math.sin(0.25), -math.cos(0.25), 0], atol=1e-12)


def test_tf_is_read_where_the_node_has_it(node, tf):
    tf.pose = CameraPose(0.0, 0.0, 0.5, 0.0, 0.0, 0.0)
    mount.mount_from_tf(node, 'base_link', 'camera_optical_frame')
    assert tf.topics == [node.resolve_topic_name('/tf'), '/tf_static']


def test_frames_that_tf_does_not_join(node, tf):
    with pytest.raises(MsdepthError, match=r"'base' and 'camera'.*camera_pose"):
        mount.mount_from_tf(node, 'base', 'camera')


def test_a_base_frame_above_the_camera(node, tf):
    tf.pose = CameraPose(0.0, 0.0, -0.1, 0.0, 0.0, 0.0)
    with pytest.raises(MsdepthError, match=r'-0\.100 m above .* base_footprint'):
        mount.mount_from_tf(node, 'base_link', 'camera_optical_frame')


def test_the_mount_from_camera_pose_is_that_from_tf(node, tf):
    text = '0.1, 0.2, 0.55, 0.05, 0.3, 1.1'
    tf.pose = CameraPose.parse(text)
    found = mount.mount_from_tf(node, 'base_footprint', 'camera_optical_frame')
    given = mount.mount_from_values({'camera_pose': text, 'camera_height': 3.0})
    assert given.height == found.height
    np.testing.assert_allclose(given.up, found.up, atol=1e-12)
    assert text in given.source


def test_the_height_alone_and_neither():
    values = {'camera_pose': '', 'camera_height': 0.4, 'camera_pitch': 0.2}
    assert mount.mount_from_values(values).height == 0.4
    assert mount.mount_from_values({**values, 'camera_height': 0.0}) is None


def test_publishing_does_not_wait_for_tf(node, tf, monkeypatch):
    values = {'camera_pose': '', 'camera_height': 0.0, 'base_frame': 'base_link'}
    mounts = Mounts(node)
    tf.pose = CameraPose(0.0, 0.0, 0.5, 0.0, 0.2, 0.0)
    with pytest.raises(MsdepthError, match='set camera_pose or publish it in TF'):
        mounts.of(values, 'camera_optical_frame')
    mounts._thread.join()
    assert mounts.of(values, 'camera_optical_frame').height == 0.5
    assert mounts.known({**values, 'base_frame': 'other'}, 'camera_optical_frame') is None
    given = {**values, 'camera_height': 0.7, 'camera_pitch': 0.0}
    assert mounts.of(given, 'camera_optical_frame').height == 0.7


def test_why_tf_has_no_mount_is_reported_and_tf_is_asked_again(node, tf, monkeypatch):
    monkeypatch.setattr('msdepth_ros.node.mounts._RETRY', 0.0)
    values = {'camera_pose': '', 'camera_height': 0.0, 'base_frame': 'base'}
    mounts = Mounts(node)
    for _ in range(2):
        with pytest.raises(MsdepthError, match='mount is not known'):
            mounts.of(values, 'camera')
        mounts._thread.join()
    with pytest.raises(MsdepthError, match="TF does not join 'base' and"):
        mounts.of(values, 'camera')
    mounts._thread.join()


def test_without_tf2_ros_the_parameters_are_named(node, monkeypatch):
    monkeypatch.setitem(sys.modules, 'tf2_ros', None)
    with pytest.raises(MsdepthError, match='camera_height'):
        mount.mount_from_tf(node, 'base_link', 'camera')
