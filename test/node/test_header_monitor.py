# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Headers that RViz, TF and Nav2 cannot use."""

import pytest
from builtin_interfaces.msg import Time
from std_msgs.msg import Header

from msdepth_ros.node.header_monitor import HeaderMonitor, age

NOW = 1_700_000_000 * 10**9


def header(sec=1_700_000_000, frame_id='camera_optical_frame'):
    return Header(stamp=Time(sec=sec), frame_id=frame_id)


@pytest.mark.parametrize(
    ('given', 'words'),
    [
        (header(0), 'a stamp of 0.*the newest transform.*let the driver stamp'),
        (header(5000), '19676 days behind.*set use_sim_time'),
        (header(2_000_000_000), '3472 days ahead of'),
        (header(frame_id=''), 'empty frame_id.*RViz and Nav2 drop them'),
        (header(frame_id='/camera'), "'/camera' of the images begins with a slash"),
    ],
)
def test_a_faulty_header_is_reported_once_with_what_is_used_instead(given, words):
    import re

    monitor = HeaderMonitor()
    (remark,) = monitor.remarks(given, NOW)
    assert re.search(words, remark)
    assert '\n' not in remark
    assert monitor.remarks(given, NOW) == []


def test_a_good_header_is_not_reported():
    monitor = HeaderMonitor()
    for second in range(5):
        assert monitor.remarks(header(1_700_000_000 - second), NOW) == []


def test_a_changing_frame_is_reported_once():
    monitor = HeaderMonitor()
    told = [monitor.remarks(header(frame_id=name), NOW) for name in 'ababab']
    assert [len(remarks) for remarks in told] == [0, 1, 0, 0, 0, 0]
    assert "from 'a' to 'b'" in told[1][0]


def test_each_of_several_faults_is_reported():
    assert len(HeaderMonitor().remarks(header(0, ''), NOW)) == 2


def test_a_simulation_starts_at_0():
    assert HeaderMonitor().remarks(header(0), 10**8) == []
    assert HeaderMonitor().remarks(header(3), 5 * 10**9) == []


def test_there_is_no_age_for_a_stamp_of_another_clock():
    assert age(header(1_700_000_000 - 2), NOW) == pytest.approx(2.0)
    assert age(header(1_700_000_000 + 2), NOW) == pytest.approx(-2.0)
    for sec in (0, 1000, -5, 1_600_000_000):
        assert age(header(sec), NOW) is None
