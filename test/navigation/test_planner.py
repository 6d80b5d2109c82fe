# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The way over a costmap is short, keeps its distance, and no path is returned if none exists."""

import itertools
import math

import numpy as np
import pytest

from msdepth_ros.navigation.planner import clearance, plan


def grid(*walls):
    lethal = np.zeros((60, 80), bool)
    for rows, columns in walls:
        lethal[rows, columns] = True
    return lethal


def length(way):
    return sum(math.dist(a, b) for a, b in itertools.pairwise(way))


def test_over_open_ground_the_way_is_straight():
    way = plan(clearance(grid(), 0.05), (10, 10), (10, 70), 0.2, 0.05)
    assert (way[0], way[-1]) == ((10, 10), (10, 70))
    assert length(way) == pytest.approx(60)
    diagonal = plan(clearance(grid(), 0.05), (10, 10), (50, 50), 0.2, 0.05)
    assert length(diagonal) == pytest.approx(40 * math.sqrt(2))


def test_it_goes_around_a_wall_at_the_robots_radius():
    clear = clearance(grid((slice(0, 45), 40)), 0.05)
    way = plan(clear, (10, 10), (10, 70), 0.2, 0.05)
    assert min(clear[cell] for cell in way) > 0.2
    assert max(row for row, _ in way) >= 49
    assert length(way) < 130


def test_a_gap_is_wide_enough_or_not():
    def through(gap):
        lethal = grid((slice(0, 60), 40))
        lethal[30 : 30 + gap, 40] = False
        return plan(clearance(lethal, 0.05), (30, 10), (30, 70), 0.2, 0.05)

    assert through(10)
    assert through(6) == []


def test_without_a_way_it_may_go_as_near_as_it_can():
    lethal = grid((slice(0, 60), 40))
    assert plan(clearance(lethal, 0.05), (30, 10), (30, 70), 0.2, 0.05) == []
    way = plan(clearance(lethal, 0.05), (30, 10), (30, 70), 0.2, 0.05, partial=True)
    assert way[0] == (30, 10)
    assert way[-1] == (30, 35)


def test_a_robot_beside_something_can_leave_it():
    lethal = grid((slice(28, 33), 7))
    clear = clearance(lethal, 0.05)
    assert clear[30, 10] < 0.2
    assert plan(clear, (30, 10), (30, 70), 0.2, 0.05, escape=0.3)[-1] == (30, 70)


def test_nothing_lethal_is_infinitely_clear():
    assert np.isinf(clearance(grid(), 0.05)).all()
    assert clearance(grid((0, 0)), 0.05)[0, 3] == pytest.approx(0.15)
