# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A moved view shows what a camera at that place would have seen, and claims nothing else."""

import random

import numpy as np
import pytest

from msdepth_ros.datasets import Frame
from msdepth_ros.rooms.camera import Pose, from_fov
from msdepth_ros.rooms.layout import random_scene
from msdepth_ros.rooms.render import depth_of
from msdepth_ros.training.augmentation import turned
from msdepth_ros.training.moved_view import moved, seen_from

CAMERA = from_fov(96, 72, 65)
RAYS = np.stack(
    [
        (np.arange(96.0)[None] - CAMERA.cx) / CAMERA.fx * np.ones((72, 1)),
        (np.arange(72.0)[:, None] - CAMERA.cy) / CAMERA.fy * np.ones((1, 96)),
        np.ones((72, 96)),
    ],
    -1,
)


@pytest.fixture(scope='module')
def scene():
    return random_scene(random.Random(5), 'room')


def seen(scene, pose):
    """Return a frame whose colours are the places of the points in the room, 4 cm a level."""
    depth = depth_of(scene, pose, CAMERA).numpy()
    world = depth[..., None] * RAYS @ pose.rotation.numpy().T + pose.position.numpy()
    return Frame('', np.uint8(np.clip(world * 25, 0, 255)), depth, CAMERA)


@pytest.mark.parametrize(
    ('step', 'angles'),
    [((0, 0, 0.5), (0, 0, 0)), ((0.1, 0.4, 0.2), (8, -5, 0)), ((-0.2, 0.1, 0.0), (0, 6, 3))],
)
def test_another_place_shows_what_a_camera_there_sees(scene, step, angles):
    before = Pose.look((scene.size[0] / 2, scene.size[1] / 2, 1.4), 0.4, -0.1)
    turn = turned(*angles)
    rotation = before.rotation.numpy().astype(float)
    place = before.position.numpy() + rotation @ step
    there = Pose(before.position.new_tensor(place), before.rotation.new_tensor(rotation @ turn))
    truth = seen(scene, there)
    found = seen_from(seen(scene, before), turn, np.array(step, float))
    known = found.depth > 0
    assert known.mean() > 0.6
    error = np.abs(found.depth / truth.depth - 1)[known]
    assert np.median(error) < 0.01
    assert (error < 0.05).mean() > 0.9  # the frame cannot show what stood behind something
    apart = np.abs(found.image.astype(int) - truth.image)[known].max(-1)
    assert (apart <= 3).mean() > 0.9


def test_no_step_changes_nothing(scene):
    frame = seen(scene, Pose.look((scene.size[0] / 2, scene.size[1] / 2, 1.4), 0.4))
    same = seen_from(frame, np.eye(3), np.zeros(3))
    known = same.depth > 0
    assert known.mean() > 0.95
    np.testing.assert_allclose(same.depth[known], frame.depth[known], rtol=1e-5)
    assert (same.image[known] == frame.image[known]).mean() > 0.99


def test_what_the_frame_does_not_show_has_no_depth(scene):
    frame = seen(scene, Pose.look((scene.size[0] / 2, scene.size[1] / 2, 1.4), 0.4))
    aside = seen_from(frame, turned(0, 30, 0), np.zeros(3))
    assert (aside.depth[:, :12] > 0).any() != (aside.depth[:, -12:] > 0).any()


def test_the_floor_moves_along():
    plane = np.array([0.0, -1 / 1.2, 0.0])  # 1.2 m below a level camera
    depth = np.where(RAYS[..., 1] > 0.05, 1.2 / np.maximum(RAYS[..., 1], 1e-3), 0)
    image = np.zeros((72, 96, 3), np.uint8)
    frame = Frame('', image, depth.astype(np.float32), CAMERA, floor=plane)
    turn = turned(-10, 4, 2)
    result = seen_from(frame, turn, np.array([0.1, 0.5, 0.2]))
    known = result.depth > 0
    assert known.mean() > 0.2
    heights = (result.depth[..., None] * RAYS)[known] @ result.floor
    assert np.median(np.abs(heights + 1)) < 0.03  # depth is the nearest pixel's
    np.testing.assert_allclose(heights, -1, atol=0.3)
    assert 1 / np.linalg.norm(result.floor) == pytest.approx(0.7)


def test_a_moved_view_is_nearer_and_shows_most_of_the_frame(scene):
    frame = seen(scene, Pose.look((scene.size[0] / 2, scene.size[1] / 2, 1.4), 0.4))
    views = [moved(frame, np.random.default_rng(seed)) for seed in range(20)]
    views = [view for view in views if view is not None]
    assert len(views) >= 10
    assert all((view.depth > 0).mean() >= 0.5 for view in views)
    nearer = [np.median(view.depth[view.depth > 0]) / np.median(frame.depth) for view in views]
    assert np.median(nearer) < 0.95
    assert moved(Frame('', frame.image, 0 * frame.depth, CAMERA), np.random.default_rng(0)) is None


def test_the_same_numbers_move_the_same_way(scene):
    frame = seen(scene, Pose.look((scene.size[0] / 2, scene.size[1] / 2, 1.4), 0.4))
    first, second = (moved(frame, np.random.default_rng(2)) for _ in range(2))
    np.testing.assert_array_equal(first.depth, second.depth)
    np.testing.assert_array_equal(first.image, second.image)
