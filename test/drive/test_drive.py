# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A robot crosses a rendered room: by the true depth it arrives, blind it does not."""

import json
import math
from random import Random

import cv2
import numpy as np
import pytest

pytest.importorskip('torch', reason='rooms are rendered with PyTorch')

from oracle import write_depth_model

from msdepth_ros.cli import main
from msdepth_ros.drive.arena import Arena, make_arena
from msdepth_ros.drive.robot import Body, Place, step
from msdepth_ros.rooms import materials as m
from msdepth_ros.rooms import random_scene
from msdepth_ros.rooms.scene import assemble
from msdepth_ros.rooms.solids import box, cylinder


@pytest.fixture
def room():
    """A room of 4 m by 3 m with a crate, a pillar, a rug and a table that is high enough."""
    rng = Random(1)
    wood = m.board(rng)
    walls = dict.fromkeys(('-x', '+x', '-y', '+y', '-z', '+z'), wood)
    solids = [
        box((1.0, 1.0, 0.15), (0.3, 0.2, 0.15), wood),
        cylinder((3.0, 2.0, 0.5), 0.1, 0.5, wood),
        box((2.0, 2.0, 0.01), (0.5, 0.5, 0.01), wood),
        box((2.0, 0.5, 0.75), (0.4, 0.3, 0.02), wood),
    ]
    return assemble((4.0, 3.0, 2.5), walls, solids)


def way(start, end):
    return list(zip(np.linspace(start[0], end[0], 30), np.linspace(start[1], end[1], 30)))


def cells_at(arena, x, y):
    step_size = arena.cells.resolution / 2
    row = int((y - arena.cells.origin_y) / step_size)
    return bool(arena.solid[row, int((x - arena.cells.origin_x) / step_size)])


def test_the_truth_is_what_a_robot_can_hit(room):
    arena = make_arena(room, Random(0), 0.2, 0.4)
    assert cells_at(arena, 1.0, 1.0)
    assert cells_at(arena, 1.28, 1.18)
    assert not cells_at(arena, 1.35, 1.0)
    assert cells_at(arena, 3.08, 2.0)
    assert not cells_at(arena, 3.08, 2.08)  # beside the round pillar
    assert not cells_at(arena, 2.0, 2.0)  # a rug
    assert not cells_at(arena, 2.0, 0.5)  # under the table
    assert cells_at(arena, -0.1, 1.0)
    assert not arena.hits(2.0, 1.5, 0.2)
    assert arena.hits(1.45, 1.0, 0.2)
    assert arena.hits(0.15, 2.5, 0.2)
    assert arena.shortest >= math.dist(arena.start, arena.goal) * 0.99
    assert not arena.hits(*arena.start, 0.2)


def test_a_robot_follows_its_way_and_stops_when_it_bumps(room):
    arena = make_arena(room, Random(0), 0.2, 0.4)
    body = Body()
    place = Place(2.0, 1.5, math.pi / 2)
    place, driven, bump = step(arena, body, place, way((2.0, 1.5), (3.5, 1.5)), 0.5)
    assert (driven, bump) == (0.0, False)  # it turns first
    assert place.heading == pytest.approx(math.pi / 2 - 0.4)
    for _ in range(20):
        place, driven, bump = step(arena, body, place, way((2.0, 1.5), (3.5, 1.5)), 0.5)
    assert (place.x, place.y) == pytest.approx((3.5, 1.5), abs=0.1)
    for _ in range(20):
        place, driven, bump = step(arena, body, place, way((2.0, 1.0), (1.0, 1.0)), 0.5)
        if bump:
            break
    assert bump
    assert not arena.hits(place.x, place.y, body.radius)
    turned, driven, bump = step(arena, body, place, [], 0.5)
    assert turned.heading == pytest.approx(place.heading + 0.4)
    assert (turned.x, driven, bump) == (place.x, 0.0, False)


def test_rooms_are_the_same_for_the_same_seed():
    def arena() -> Arena:
        rng = Random('7/0')
        return make_arena(random_scene(rng, 'robot'), rng, 0.2, 0.4)

    first, second = arena(), arena()
    assert (first.start, first.goal) == (second.start, second.goal)
    np.testing.assert_array_equal(first.solid, second.solid)


@pytest.mark.slow
def test_the_command_compares_robots_and_draws_them(tmp_path, capsys):
    """One model sees nothing but open space, so that only the true depth keeps clear of things."""
    model = write_depth_model(tmp_path / 'model', lambda x, y: 9 + 0 * x, depth_range=(0.2, 10.0))
    words = ['--model', str(model), '--threads', '1', '--out', str(tmp_path / 'out')]
    words += ['--rooms', '1', '--seed', '2', '--measured', 'truth,none', '--json']
    assert main(['drive', *words]) == 0
    result = json.loads(capsys.readouterr().out)
    truth, blind = result['truth'], result['none']
    assert (truth['reached'], truth['collisions'], truth['false_cells']) == (1, 0, 0)
    assert truth['detour'] < 1.4
    assert blind['collisions'] > 0 or blind['reached'] == 0
    image = cv2.imread(str(tmp_path / 'out' / 'room_00.png'))
    assert image.shape[1] > 2 * 200


@pytest.mark.parametrize(
    ('words', 'text'),
    [
        (['--rooms', '0'], '--rooms is 0'),
        (['--measured', 'sonar'], '--measured'),
        (['--measured', 'views'], 'not simulated'),
    ],
)
def test_a_wrong_argument_is_one_clear_line(words, text, capsys):
    assert main(['drive', *words]) == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count('\n') == 1
