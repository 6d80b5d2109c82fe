# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Counts, rates and percentiles of numbers known beforehand."""

import threading
import time

import pytest

from msdepth_ros.node.statistics import RECENT, WINDOW, Statistics
from msdepth_ros.node.statistics import FrameStatus as Status


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> float:
    """Let the clock stand, and return what it says."""
    monkeypatch.setattr(time, 'monotonic', lambda: 100.0)
    return 100.0


def test_nothing_yet():
    snapshot = Statistics().snapshot()
    assert snapshot.counts == {}
    assert (snapshot.input_rate, snapshot.output_rate) == (0, 0)
    assert snapshot.percentiles == {}


def test_counts():
    statistics = Statistics()
    for fate in ('stale', 'stale', 'malformed'):
        statistics.count(fate)
    statistics.count(Status.RECEIVED, 0.0)
    statistics.published(0.0, {})
    counts = {'stale': 2, 'malformed': 1, 'received': 1, 'published': 1}
    assert statistics.snapshot().counts == counts


def test_percentiles_of_1_to_101():
    statistics = Statistics()
    for number in range(101, 0, -1):
        statistics.published(0.0, {'infer': float(number), 'wait': 2.0})
    percentiles = statistics.snapshot().percentiles
    assert percentiles['infer'] == pytest.approx((51, 96, 100))
    assert percentiles['wait'] == (2, 2, 2)


def test_percentiles_are_of_the_last_frames_only():
    statistics = Statistics()
    for _ in range(WINDOW):
        statistics.published(0.0, {'infer': 100.0})
    for _ in range(WINDOW):
        statistics.published(0.0, {'infer': 1.0})
    assert statistics.snapshot().percentiles['infer'] == (1, 1, 1)
    assert statistics.snapshot().counts['published'] == 2 * WINDOW


def test_a_stage_that_not_every_frame_has():
    statistics = Statistics()
    statistics.published(0.0, {'a': 1.0})
    statistics.published(0.0, {'a': 3.0, 'b': 5.0})
    percentiles = statistics.snapshot().percentiles
    assert percentiles['a'][0] == 2
    assert percentiles['b'] == (5, 5, 5)


def test_rates_are_of_the_last_seconds(now):
    statistics = Statistics()
    for index in range(50):
        statistics.count(Status.RECEIVED, now - 1 + index / 50)
    for index in range(10):
        statistics.published(now - 1 + index / 10, {})
    snapshot = statistics.snapshot()
    assert snapshot.input_rate == pytest.approx(50)
    assert snapshot.output_rate == pytest.approx(10)


def test_a_stream_that_ended_has_no_rate(now):
    statistics = Statistics()
    for index in range(50):
        statistics.count(Status.RECEIVED, now - 60 + index / 50)
    assert statistics.snapshot().input_rate == 0


@pytest.mark.parametrize('times', [[0.0], [0.0, 0.0]])
def test_too_little_for_a_rate(now, times):
    statistics = Statistics()
    for offset in times:
        statistics.count(Status.RECEIVED, now + offset)
    assert statistics.snapshot().input_rate == 0


def test_counts_of_several_threads_are_complete():
    statistics = Statistics()

    def count():
        for _ in range(2000):
            statistics.count('x')
            statistics.published(0.0, {'infer': 1.0})
            statistics.snapshot() if _ % 500 == 0 else None

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statistics.snapshot().counts == {'x': 8000, 'published': 8000}


def test_unusable_frames_are_those_of_the_last_seconds(monkeypatch: pytest.MonkeyPatch):
    now = 100.0
    monkeypatch.setattr(time, 'monotonic', lambda: now)
    statistics = Statistics()
    for fate in ('malformed', 'failed', 'stale'):
        statistics.count(fate)
    assert statistics.snapshot().unusable == 2
    now += RECENT + 0.1
    statistics.count('malformed')
    assert statistics.snapshot().unusable == 1
    assert statistics.snapshot().counts['malformed'] == 2


def test_the_share_dropped_counts_wanted_frames_of_the_last_seconds(now):
    statistics = Statistics()
    statistics.count(Status.REPLACED, now - RECENT - 1)
    for fate in (
        Status.REPLACED,
        Status.STALE,
        Status.MALFORMED,
        *3 * [Status.UNWANTED],
    ):
        statistics.count(fate)
    assert statistics.snapshot().dropped == 1
    statistics.published(now, {})
    assert statistics.snapshot().dropped == pytest.approx(3 / 4)
    assert statistics.snapshot().recent[Status.REPLACED] == 1


def test_the_span_of_the_input_is_that_of_wanted_images(now):
    statistics = Statistics()
    for index in range(3):
        statistics.count(Status.RECEIVED, now - 2 + index)
        statistics.count(Status.UNWANTED, now - 2 + index)
    assert statistics.snapshot().input_span == 0
    statistics.count(Status.RECEIVED, now)
    assert statistics.snapshot().input_span == pytest.approx(2)


def test_the_greatest_age_is_that_of_the_last_seconds(now):
    statistics = Statistics()
    for ago, age in ((RECENT + 1, 9.0), (0.2, 0.5), (0.1, 0.3)):
        statistics.published(now - ago, {'age': age})
    assert statistics.snapshot().oldest == 0.5
