# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Obstacles, floor and drops in scenes that are ray-cast exactly."""

import numpy as np
import pytest
from ray_cast import CAMERA, CELLS, Mounted, depth_of, wall

from msdepth_ros.geometry.obstacles import Confirmation, find_obstacles

GRID = CAMERA.sampled(CELLS)
MOUNTS = [Mounted(0.2), Mounted(0.35, 0.1), Mounted(0.62, 0.35), Mounted(1.2, 0.4)]


def up_of(mounted):
    return mounted.rotation.T @ [0.0, 0.0, 1.0]


def found(mounted, boxes=(), scale=1.0, noise=0.0, floor=True, **options):
    """Return the obstacles of a scene, and its true depth."""
    truth = depth_of(mounted, boxes, GRID, floor=floor)
    depth = scale * truth * np.random.default_rng(0).normal(1, noise, truth.shape)
    beyond = depth > 10
    depth = np.where(beyond, np.nan, depth).astype(np.float32)
    options.setdefault('beyond', beyond)
    return find_obstacles(depth, GRID, mounted.height, up_of(mounted), **options), truth


def of_the_floor(mounted, boxes):
    return depth_of(mounted, boxes, GRID) == depth_of(mounted, (), GRID)


@pytest.mark.parametrize('mounted', MOUNTS)
def test_bare_floor_has_neither_obstacles_nor_drops(mounted):
    obstacles, _ = found(mounted)
    assert np.isnan(obstacles.depth).all()
    assert not obstacles.drops.any()


@pytest.mark.parametrize('mounted', MOUNTS)
@pytest.mark.parametrize('x', [1.0, 1.6])
def test_an_obstacle_of_8_cm_is_found_nearby_and_not_the_floor_around_it(mounted, x):
    box = (x, x + 0.3, -0.2, 0.2, 0.0, 0.08)
    obstacles, truth = found(mounted, [box, wall(3.0)])
    marked = np.isfinite(obstacles.depth)
    assert not marked[of_the_floor(mounted, [box, wall(3.0)])].any()
    on_box = depth_of(mounted, [box], GRID, floor=False) == truth
    assert (marked & on_box).sum() > 0.2 * on_box.sum() > 0
    np.testing.assert_allclose(obstacles.depth[marked], truth[marked], rtol=1e-5)


@pytest.mark.parametrize('mounted', MOUNTS)
def test_the_floor_stays_free_with_errors_as_large_as_expected(mounted):
    obstacles, _ = found(mounted, [wall(4.0)], noise=0.1, error=0.1)
    floor = of_the_floor(mounted, [wall(4.0)])
    marked = np.isfinite(obstacles.depth) & floor
    assert marked.sum() < 0.035 * floor.sum()
    shifted, _ = found(mounted, [wall(4.0)], scale=0.87, error=0.1)
    assert not (np.isfinite(shifted.depth) & floor).any()


def test_the_depth_error_is_measured_on_the_floor():
    """A depth that fits the mount shows low things that an unknown depth would hide."""
    mounted, box = Mounted(0.62, 0.35), (1.0, 1.3, -0.2, 0.2, 0.0, 0.1)
    exact, _ = found(mounted, [box], error=0.3)
    assert exact.scatter == pytest.approx(np.full(4, 0.02))
    assert np.isfinite(exact.depth).sum() > 50
    rough, _ = found(mounted, [box], scale=1.15, error=0.3)
    assert rough.scatter == pytest.approx(np.full(4, 1.48 * np.log(1.15)), rel=0.05)
    wall_only, _ = found(Mounted(0.62), [wall(0.8)], error=0.3)
    assert wall_only.scatter == pytest.approx(np.full(4, 0.3))


def test_a_far_floor_that_rises_is_no_obstacle():
    """A network's floor often rises with the distance: that must not become a wall."""
    mounted = Mounted(0.62, 0.35)
    floor = depth_of(mounted, (), GRID)
    depth = np.where(floor > 2, floor * 0.8, floor).astype(np.float32)
    depth[floor > 10] = np.nan
    obstacles = find_obstacles(depth, GRID, 0.62, up_of(mounted), 0.3)
    assert np.isnan(obstacles.depth).all()
    assert obstacles.scatter[0] < 0.05 < obstacles.scatter[2]
    assert (np.diff(obstacles.scatter) >= 0).all()
    near, _ = found(mounted, [(1.0, 1.3, -0.2, 0.2, 0.0, 0.08)], error=0.3)
    assert np.isfinite(near.depth).sum() > 50


def test_where_the_network_is_sure_of_the_floor_depth_must_be_twice_as_sure():
    mounted = Mounted(0.35, 0.1)
    truth = depth_of(mounted, [wall(3.0)], GRID)
    floor = of_the_floor(mounted, [wall(3.0)])
    noise = np.random.default_rng(1).normal(1, 0.15, truth.shape)
    depth = (truth * np.where(floor, noise, 1)).astype(np.float32)
    up, error = up_of(mounted), 0.08
    plain = find_obstacles(depth, GRID, 0.35, up, error)
    sure = find_obstacles(depth, GRID, 0.35, up, error, floor=np.where(floor, 0.9, 0.1))
    false, left = (np.isfinite(each.depth) & floor for each in (plain, sure))
    assert left.sum() < 0.3 * false.sum()
    wall_cells = ~floor
    np.testing.assert_array_equal(sure.depth[wall_cells], plain.depth[wall_cells])


def test_the_error_may_differ_from_cell_to_cell():
    mounted, box = Mounted(0.62, 0.35), (1.2, 1.5, -2.0, 2.0, 0.0, 0.08)
    error = np.full((114, 152), 0.02, np.float32)
    error[:, :76] = 0.4
    obstacles, _ = found(mounted, [box, wall(2.5)], noise=0.05, error=error)
    low = np.isfinite(obstacles.depth) & (depth_of(mounted, [box], GRID, floor=False) < 10)
    assert low[:, 76:].sum() > 3 * low[:, :76].sum()


@pytest.mark.parametrize('mounted', MOUNTS)
def test_the_steps_of_a_staircase_down_are_marked_where_the_floor_ends(mounted):
    edge = 1.5 + mounted.height
    steps = [(edge + 0.3 * k, edge + 0.3 * (k + 1), -9, 9, -9, -0.17 * (k + 1)) for k in range(8)]
    obstacles, _ = found(mounted, steps, floor=lambda x, y: x < edge)
    assert obstacles.drops.any()
    points = drop_points(mounted, obstacles)
    assert (points[:, 2] > 0).all()
    assert points[:, 2].max() < 0.1
    assert edge - 0.16 < points[:, 0].min() < edge + 0.8
    assert not found(mounted)[0].drops.any()


@pytest.mark.parametrize('mounted', MOUNTS[:3])  # from 1.2 m it may as well be a wrong scale
def test_a_kerb_of_17_cm_down_is_a_drop(mounted):
    kerb = (1.4, 30, -9, 9, -9, -0.17)
    obstacles, _ = found(mounted, [kerb], floor=lambda x, y: x < 1.4)
    assert 1.24 < drop_points(mounted, obstacles)[:, 0].min() < 1.7


def test_a_floor_that_is_missing_is_a_drop_also_where_nothing_is_seen():
    mounted = Mounted(0.35, 0.1)
    obstacles, _ = found(mounted, floor=lambda x, y: (x < 2.0) | (abs(y) > 0.5))
    points = drop_points(mounted, obstacles)
    assert points[:, 0].min() == pytest.approx(1.85, abs=0.1)
    assert abs(points[:, 1]).max() < 0.55
    assert points[:, 0].max() < 4.6


def test_a_hole_of_one_cell_is_noise():
    mounted = Mounted(0.35, 0.1)
    depth = depth_of(mounted, [wall(4.0)], GRID).astype(np.float32)
    depth[90, 70] *= 2
    assert not find_obstacles(depth, GRID, 0.35, up_of(mounted)).drops.any()
    depth[90:93, 70:73] *= 2
    assert find_obstacles(depth, GRID, 0.35, up_of(mounted)).drops.sum() == 9


def test_depth_that_is_all_nan_has_no_obstacles():
    depth = np.full((114, 152), np.nan, np.float32)
    obstacles = find_obstacles(depth, GRID, 0.35, up_of(Mounted()), 0.2)
    assert np.isnan(obstacles.depth).all()
    assert obstacles.scatter == pytest.approx(np.full(4, 0.2))


def drop_points(mounted, obstacles):
    v, u = np.nonzero(obstacles.drops)
    z = obstacles.depth[v, u]
    rays = np.stack([(u - GRID.cx) / GRID.fx, (v - GRID.cy) / GRID.fy, np.ones(len(u))], axis=1)
    return (rays * z[:, None]) @ mounted.rotation.T + mounted.position


# --- seen twice ------------------------------------------------------------------------------


def spot(row=50, column=70, depth=2.0):
    image = np.full((114, 152), np.nan, np.float32)
    image[row : row + 6, column : column + 6] = depth
    return image


@pytest.mark.parametrize('rate', [5, 10, 30])
def test_an_obstacle_is_marked_only_in_a_second_frame(rate):
    confirmation = Confirmation()
    frames = [spot(), spot(), np.full((114, 152), np.nan, np.float32), spot(90, 20), spot(90, 20)]
    counts = [
        int(np.isfinite(confirmation.confirm(frame, 120.0, k / rate, 1.0)).sum())
        for k, frame in enumerate(frames)
    ]
    assert counts == [0, 36, 0, 0, 36]


@pytest.mark.parametrize(
    ('second', 'seen'),
    [
        (spot(51, 72), True),  # the robot moved a little
        (spot(50, 78), True),  # it turned by 0.05 rad in 0.1 s
        (spot(50, 110), False),
        (spot(70, 70), False),
        (spot(depth=2.4), True),
        (spot(depth=2.6), False),
        (spot(depth=1.5), False),
    ],
)
def test_an_obstacle_is_confirmed_at_a_similar_place_and_depth(second, seen):
    confirmation = Confirmation()
    confirmation.confirm(spot(), 120.0, 7.0, 1.0)
    again = confirmation.confirm(second, 120.0, 7.1, 1.0)
    assert np.isfinite(again).any() == seen


def test_sure_cells_need_no_second_frame_and_old_or_other_frames_confirm_nothing():
    confirmation = Confirmation()
    sure = np.zeros((114, 152), bool)
    sure[50:53] = True
    assert np.isfinite(confirmation.confirm(spot(), 120.0, 0.0, 1.0, sure)).sum() == 18
    assert not np.isfinite(confirmation.confirm(spot(), 120.0, 1.5, 1.0)).any()
    assert not np.isfinite(confirmation.confirm(spot()[:, :80], 120.0, 1.6, 1.0)).any()
    assert not np.isfinite(confirmation.confirm(spot(), 120.0, 1.0, 1.0)).any()  # a clock set back
    assert np.isfinite(confirmation.confirm(spot(5, 5), 120.0, 9.0, 0.0)).sum() == 36
