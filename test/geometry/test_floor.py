# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The floor's height is measured within 1 %, or refused with numbers."""

import math
import random

import numpy as np
import pytest

from msdepth_ros.geometry.floor import FloorError, fit_floor, up_from_pitch

FOCAL, WIDTH, HEIGHT = 65.0, 74, 55
U, V = np.meshgrid(np.arange(WIDTH) - 36.5, np.arange(HEIGHT) - 27.0)
RAYS = np.stack([U / FOCAL, V / FOCAL, np.ones_like(U)], axis=-1)


def room(height, pitch, roll=0.0, wall=4.0):
    """Return the depth [H, W] of a floor and a wall that the camera faces, and where up is.

    Each pixel's ray is turned into the robot's frame (x forward, z up) by rotation matrices.
    """
    body = np.stack([RAYS[..., 2], -RAYS[..., 0], -RAYS[..., 1]], axis=-1)
    c, s = math.cos(pitch), math.sin(pitch)
    pitch_down = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    c, s = math.cos(roll), math.sin(roll)
    rolled = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    rotation = pitch_down @ rolled
    directions = body @ rotation.T
    with np.errstate(divide='ignore'):
        floor = np.where(directions[..., 2] < 0, -height / directions[..., 2], np.inf)
        ahead = np.where(directions[..., 0] > 0, wall / directions[..., 0], np.inf)
    up_body = rotation.T @ [0, 0, 1]
    return np.minimum(floor, ahead), np.array([-up_body[1], -up_body[2], up_body[0]])


def spoiled(depth, seed, noise=0.02, outliers=0.1):
    """Return a depth with noise, and with a share of its pixels anywhere near or far."""
    rng = np.random.default_rng(seed)
    depth = depth * np.exp(rng.normal(0, noise, depth.shape))
    wrong = rng.random(depth.shape) < outliers
    return np.where(wrong, depth * rng.uniform(0.3, 2, depth.shape), depth)


def cloud(depth):
    return (RAYS * depth[..., None]).astype(np.float32)


@pytest.mark.parametrize('factor', [0.5, 1.0, 2.2])
@pytest.mark.parametrize(('height', 'pitch'), [(0.2, 0.1), (0.5, 0.0), (0.5, 0.3), (1.2, 0.6)])
def test_height_within_one_percent_despite_a_wall_and_ten_percent_outliers(height, pitch, factor):
    depth, up = room(height, pitch)
    for seed in range(5):
        floor = fit_floor(cloud(spoiled(depth, seed) / factor), up)
        assert height / floor.height == pytest.approx(factor, rel=0.01)
        assert floor.tilt < 1
        assert floor.scatter < 0.03


def test_a_rolled_camera():
    depth, up = room(0.6, 0.3, roll=0.2)
    floor = fit_floor(cloud(spoiled(depth, 1)), up)
    assert floor.height == pytest.approx(0.6, rel=0.01)
    np.testing.assert_allclose(floor.normal, up, atol=0.01)


def test_up_from_pitch_is_the_mount_without_roll():
    _, up = room(1.0, 0.37)
    np.testing.assert_allclose(up_from_pitch(0.37), up, atol=1e-12)


def test_with_a_mount_three_degrees_wrong_the_height_is_right():
    depth, _ = room(0.5, 0.3)
    floor = fit_floor(cloud(spoiled(depth, 2)), up_from_pitch(0.3 + math.radians(3)))
    assert floor.height == pytest.approx(0.5, rel=0.01)
    assert floor.tilt == pytest.approx(3, abs=0.5)


def test_a_table_is_not_taken_for_the_floor():
    """A box top fills the lower part of the view, nearer than the floor; the floor is found."""
    depth, up = room(1.2, 0.6)
    table, _ = room(0.6, 0.6)
    depth[38:, :] = table[38:, :]
    floor = fit_floor(cloud(spoiled(depth, 3)), up)
    assert floor.height == pytest.approx(1.2, rel=0.01)


def test_invalid_points_do_not_count():
    depth, up = room(0.5, 0.3)
    depth = spoiled(depth, 4)
    depth[:, ::2] = np.nan
    floor = fit_floor(cloud(depth), up)
    assert floor.height == pytest.approx(0.5, rel=0.01)
    assert 0.3 < floor.share < 0.9


@pytest.mark.parametrize(
    ('depth', 'message'),
    [
        (np.full((HEIGHT, WIDTH), 2.0), 'too little floor: .* of 4070 valid points .* 814'),
        (np.full((HEIGHT, WIDTH), np.nan), 'too little floor: 0 of 0 valid points .* 100'),
        (room(1.5, 0.0, wall=3.0)[0], 'too little floor: .* of 4070 valid points .* 814'),
    ],
    ids=['wall', 'nothing', 'a strip of floor'],
)
def test_too_little_floor_is_refused_with_numbers(depth, message):
    with pytest.raises(FloorError, match=message):
        fit_floor(cloud(depth), up_from_pitch(0.0))


def test_no_floor_is_found_in_noise():
    rng = np.random.default_rng(5)
    with pytest.raises(FloorError, match='too little floor'):
        fit_floor(cloud(rng.uniform(0.3, 8, (HEIGHT, WIDTH))), up_from_pitch(0.3))


def test_floors_of_rendered_rooms_with_furniture_and_ten_percent_outliers():
    """Rooms of the renderer, wherever two fifths of the picture are bare floor."""
    torch = pytest.importorskip('torch', reason='rendering needs torch')
    from msdepth_ros.rooms import Pose, from_fov, random_scene
    from msdepth_ros.rooms.geometry import trace
    from msdepth_ros.rooms.render import pixel_rays

    torch.set_num_threads(1)
    film = from_fov(WIDTH, HEIGHT, 60)
    v, u = (torch.from_numpy(grid.ravel()).float() for grid in np.mgrid[:HEIGHT, :WIDTH])
    rays = np.stack([(u - film.cx) / film.fx, (v - film.cy) / film.fy, torch.ones(len(u))], axis=-1)
    measured = 0
    for seed in range(24):
        draw = random.Random(seed)
        scene = random_scene(draw, 'room')
        length, width, _ = scene.size
        height, pitch = draw.uniform(0.3, 1.2), draw.uniform(0.15, 0.6)
        pose = Pose.look((length / 2, width / 2, height), draw.uniform(-3, 3), -pitch)
        depth = trace(scene.primitives, pose.position[None], pixel_rays(pose, u, v, film))[
            0
        ].numpy()
        up = up_from_pitch(pitch)
        bare = np.abs(depth * (rays @ up) + height) < 0.005
        if bare.mean() < 0.4:
            continue
        factor = draw.uniform(0.5, 2)
        points = rays * (spoiled(depth, seed, noise=0.01) / factor)[:, None]
        assert height / fit_floor(points, up).height == pytest.approx(factor, rel=0.01), seed
        measured += 1
    assert measured >= 5
