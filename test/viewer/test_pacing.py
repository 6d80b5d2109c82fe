# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A page gets as much as its connection takes: simulated connections, no real time."""

import itertools

import pytest

from msdepth_ros.viewer.pacing import QUALITIES, SHORTEST, Pace

# Bytes of one update at each quality, as the page sends them: a picture's JPEG twice, the cloud.
BYTES = [2 * quality.width**2 * 0.75 * 0.12 + 9 * quality.points for quality in QUALITIES]


def run(pace, bits, delay, seconds=30.0):
    """Send updates over a link of so many bit/s; return (time each took, time it began)."""
    now, updates = 0.0, []
    while now < seconds:
        took = delay + 8 * BYTES[QUALITIES.index(pace.quality)] / bits
        updates.append((took, now))
        now += took + pace.shown(took)
    return updates


def test_the_qualities_grow_about_twofold_so_that_one_step_cannot_overshoot():
    for less, more in itertools.pairwise(BYTES):
        assert 1.2 < more / less < 2.6


def test_two_megabit_per_second_show_recent_images():
    pace = Pace()
    steady = run(pace, 2e6, 0.05)[10:]
    assert len(steady) / 28 > 2, 'two updates a second'
    assert max(took for took, _ in steady) <= 0.4


def test_a_fast_connection_gets_the_best_quality_ten_times_a_second():
    pace = Pace()
    run(pace, 200e6, 0.005)
    assert pace.quality == QUALITIES[-1]
    updates = run(pace, 200e6, 0.005, seconds=10.0)
    assert len(updates) == pytest.approx(10 / SHORTEST, rel=0.05)


def test_a_connection_that_gets_slow_gets_less_and_more_again_later():
    pace = Pace()
    run(pace, 200e6, 0.005)
    run(pace, 0.3e6, 0.1)
    assert pace.quality == QUALITIES[0]
    run(pace, 200e6, 0.005)
    assert pace.quality == QUALITIES[-1]


@pytest.mark.parametrize('bits', [1e6, 2e6, 5e6, 10e6, 20e6])
def test_the_quality_settles(bits):
    pace = Pace()
    run(pace, bits, 0.02)
    chosen = pace.quality
    for _ in range(20):
        run(pace, bits, 0.02, seconds=1.0)
        assert pace.quality == chosen


def test_the_pause_makes_up_for_the_shortest_period_only():
    assert Pace().shown(0.03) == pytest.approx(SHORTEST - 0.03)
    assert Pace().shown(0.3) == 0
