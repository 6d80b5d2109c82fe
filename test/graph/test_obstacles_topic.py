# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a costmap gets from the running node: obstacles without the floor, and what clears them."""

import itertools
import time

import client as client_module
import numpy as np
import pytest
from camera_messages import camera_info, points_of, uniform
from oracle import write_depth_model
from ray_cast import Mounted, depth_of, wall
from sensor_msgs.msg import LaserScan, PointCloud2

from msdepth_ros.geometry.pinhole import Grid, Intrinsics

client_module.TYPES.update({'obstacles': PointCloud2, 'scan': LaserScan})
NETWORK = Intrinsics(304, 228, 600 * 304 / 640, 600 * 304 / 640, 151.5, 113.5)
MOUNTED = Mounted(0.6, 0.3)
BOX = (1.5, 1.8, -0.2, 0.2, 0.0, 0.1)
POSE = '0.0 0.0 0.6 0.0 0.3 0.0'
ALL = ('points', 'obstacles', 'scan')


def scene(folder, *boxes):
    grid = NETWORK.sampled(Grid(74, 55, (5.0, 5.0), (4.0, 4.0)))
    depth = depth_of(MOUNTED, boxes, grid)
    return str(write_depth_model(folder, lambda x, y: depth, depth_range=(0.2, 10.0)))


@pytest.fixture(scope='module')
def robot(graph, tmp_path_factory):
    parameters = {
        'model': scene(tmp_path_factory.mktemp('scene'), BOX, wall(8.0)),
        'camera_pose': POSE,
        'points.organized': False,
        'points.max_range': 4.5,
        'points.clamp_range': True,
        'scan.range_max': 4.5,
    }
    with graph.depth_node(parameters) as (process, client):
        client.collect(*ALL)
        yield process, client


STAMPS = itertools.count(time.time_ns(), 50_000_000)  # 50 ms between images, by their stamps


def newest(client, topic):
    """Publish an image until it is answered on a topic; return that message."""
    return client.answer_to(uniform(), camera_info(), next(STAMPS), topic)


def in_base(message):
    fields = points_of(message)[0]
    points = np.stack([fields[axis] for axis in 'xyz'], axis=-1).astype(float)
    return points @ MOUNTED.rotation.T + MOUNTED.position


def obstacles(client):
    """Return the obstacles of a frame that is not the first."""
    client.wait_until(
        lambda: newest(client, 'obstacles').width > 0, 'obstacles that were seen twice'
    )
    return in_base(newest(client, 'obstacles'))


def test_obstacles_are_the_points_that_are_not_floor(robot):
    _, client = robot
    points = obstacles(client)
    assert len(points) > 20
    assert points[:, 2].min() > 0.05
    assert (abs(points[:, 0] - 1.65) < 0.16).all()
    assert (abs(points[:, 1]) < 0.21).all()
    assert points[:, 2].max() < 0.101


def test_far_points_are_moved_to_the_range_and_the_floor_clears(robot):
    _, client = robot
    points = in_base(newest(client, 'points'))
    distance = np.linalg.norm(points - MOUNTED.position, axis=1)
    assert distance.max() == pytest.approx(4.5, rel=1e-4)
    assert (distance > 4.49).sum() > 500  # the wall, 8 m away
    assert (abs(points[:, 2]) < 1e-3).sum() > 1000
    with client.parameters({'points.clamp_range': False}):
        client.wait_until(
            lambda: (
                np.linalg.norm(in_base(newest(client, 'points')) - MOUNTED.position, axis=1).max()
                < 4.49
            ),
            'a cloud without the far points',
        )


def test_a_beam_beyond_the_range_is_inf_unless_that_is_not_wanted(robot):
    _, client = robot
    with client.parameters({'scan.range_max': 1.5}):
        client.wait_until(
            lambda: np.isposinf(newest(client, 'scan').ranges).sum() > 300, 'beams of +inf'
        )
    with client.parameters({'scan.range_max': 1.5, 'scan.use_inf': False}):
        client.wait_until(lambda: np.isnan(newest(client, 'scan').ranges).all(), 'beams of NaN')


def test_the_floor_in_the_scan_is_reported(robot):
    process, client = robot
    newest(client, 'scan')
    client.wait_until(lambda: 'shows the floor as a wall' in process.output, 'a warning')
    assert POSE in process.output


def test_another_publisher_of_points_is_reported(robot):
    process, client = robot
    other = client.node.create_publisher(PointCloud2, 'points', 1)
    try:
        topic = f'{client.namespace}/points is published by {client.namespace}/client, too'
        client.wait_until(lambda: topic in process.output, 'a warning')
    finally:
        client.node.destroy_publisher(other)


def test_without_a_mount_there_are_no_obstacles_and_the_log_says_why(graph, tmp_path):
    with graph.depth_node({'model': scene(tmp_path, BOX)}) as (process, client):
        client.collect('obstacles', 'points')
        newest(client, 'points')
        client.wait_until(lambda: 'set camera_pose' in process.output, 'a warning')
        assert not client.received['obstacles']


@pytest.mark.parametrize('pose', ['1 2 3', '0 0 -0.1 0 0 0'])
def test_an_invalid_pose_is_refused_at_the_start(graph, tmp_path, pose):
    parameters = {'model': scene(tmp_path, BOX), 'camera_pose': pose}
    with graph.process('node.depth_node', parameters) as process:
        assert process.wait() != 0
        assert 'camera_pose' in process.output
