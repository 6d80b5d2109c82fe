# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Stamps that are too old or go backwards, and images lost on the way."""

import sys

import pytest
from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo, Image

from msdepth_ros.node.publishers import message_type_name
from msdepth_ros.node.stream_monitor import GapMonitor, StampMonitor

SECOND = 1_000_000_000


# --- stamps ----------------------------------------------------------------------------------


def test_images_in_order_are_wanted():
    monitor = StampMonitor()
    for stamp in (1, 2, 2, 3):
        assert monitor.refusal(stamp, 10, 0.0, False) is None


def test_one_image_is_dropped_when_stamps_go_backwards_and_later_ones_are_taken():
    monitor = StampMonitor()
    assert monitor.refusal(100, 200, 0.0, False) is None
    assert monitor.refusal(50, 200, 0.0, False) == 'stamp went backwards'
    assert monitor.refusal(51, 200, 0.0, False) is None


def test_simulated_time_may_start_again():
    monitor = StampMonitor()
    assert monitor.refusal(100, 100, 0.0, True) is None
    assert monitor.refusal(1, 1, 0.0, True) is None


@pytest.mark.parametrize('simulated', [False, True])
def test_images_older_than_max_age_are_stale(simulated):
    for age, fate in ((0.0, None), (0.49, None), (0.51, 'stale'), (1e6, 'stale')):
        stamp = 10**9 * SECOND
        now = stamp + int(age * SECOND)
        assert StampMonitor().refusal(stamp, now, 0.5, simulated) == fate
        assert StampMonitor().refusal(stamp, now, 0.0, simulated) is None


def test_stamps_from_the_future_are_taken():
    assert StampMonitor().refusal(100 * SECOND, 1, 0.5, False) is None


def test_a_stamp_of_0_has_no_effect():
    monitor = StampMonitor()
    for stamp in (100, 0, 100, 0, 101):
        assert monitor.refusal(stamp, 10**9 * SECOND, 0.0, False) is None
    assert monitor.refusal(0, 10**9 * SECOND, 0.5, False) is None


# --- gaps ------------------------------------------------------------------------------------


def play(monitor, count, lost, start=0, image_first=False):
    """Send `count` pairs of messages without the images that `lost` says; return what is told."""
    told = []
    for number in range(start, start + count):
        stamp = Time(sec=number // 30, nanosec=number % 30 * 33_000_000)
        if not image_first:
            monitor.camera_info(stamp)
        if not lost(number):
            told.append(monitor.image(stamp))
        if image_first:
            monitor.camera_info(stamp)
    return [share for share in told if share]


@pytest.mark.parametrize('image_first', [False, True])
def test_nothing_is_reported_while_nothing_is_lost(image_first):
    assert play(GapMonitor(), 1000, lambda _: False, image_first=image_first) == []


@pytest.mark.parametrize('image_first', [False, True])
@pytest.mark.parametrize('every', [2, 3, 5, 10])
def test_a_loss_is_reported_once_with_its_size(every, image_first):
    told = play(GapMonitor(), 2000, lambda number: number % every == 1, image_first=image_first)
    assert len(told) == 1
    assert told[0] == pytest.approx(1 / every, abs=0.03)


def test_a_few_lost_images_are_not_reported():
    assert play(GapMonitor(), 2000, lambda number: number % 50 == 7) == []


def test_stamps_that_never_agree_are_not_reported_as_loss():
    monitor = GapMonitor()
    for number in range(1000):
        monitor.camera_info(Time(sec=number, nanosec=1))
        assert monitor.image(Time(sec=number, nanosec=2)) == 0


def test_a_loss_that_begins_late_is_reported():
    monitor = GapMonitor()
    assert play(monitor, 500, lambda _: False) == []
    assert len(play(monitor, 500, lambda number: number % 2, start=500)) == 1


@pytest.mark.parametrize('kind', ['image', 'camera_info'])
def test_a_camera_that_sends_one_of_the_two_costs_no_memory(kind):
    monitor = GapMonitor()
    monitor.image(Time())
    for number in range(5000):
        getattr(monitor, kind)(Time(sec=number))
    assert all(len(value) <= 200 for value in vars(monitor).values() if hasattr(value, '__len__'))
    assert sys.getsizeof(monitor._images) < 20_000


def test_type_names():
    assert message_type_name(Image) == 'sensor_msgs/msg/Image'
    assert message_type_name(CameraInfo) == 'sensor_msgs/msg/CameraInfo'
