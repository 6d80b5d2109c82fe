# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Values are set one at a time, the newest of each name, once they have stopped changing."""

import threading
import time

import pytest

pytest.importorskip('viser', reason='the viewer needs viser')
pytest.importorskip('rclpy', reason='the viewer needs rclpy')

from msdepth_ros.node.parameter_table import ALWAYS, PARAMETERS
from msdepth_ros.viewer.controls import _SLIDERS, Setter
from msdepth_ros.viewer.node_parameters import TUNABLE


def test_the_newest_value_is_set_once_and_others_are_not_lost():
    done = []
    setter = Setter(lambda *pair: done.append(pair), quiet=0.05)
    first = threading.Thread(target=setter.put, args=('a', 0))  # which sets what the others ask for
    first.start()
    while not setter.busy('a') and not done:
        time.sleep(0.001)
    for value in range(20):
        for name in ('a', 'b'):
            setter.put(name, value)
    first.join()
    assert dict(done) == {'a': 19, 'b': 19}
    assert not setter.busy('a')


def test_one_value_is_set_at_a_time():
    at_work, most = [], []

    def set_value(name, value):
        at_work.append(name)
        most.append(len(at_work))
        time.sleep(0.02)
        at_work.remove(name)

    setter = Setter(set_value, quiet=0.0)
    threads = [threading.Thread(target=setter.put, args=(str(n), n)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1
    assert len(most) == 8


def test_what_can_change_while_running_is_tunable_and_nothing_else():
    assert set(TUNABLE) == {p.name for p in PARAMETERS if p.changes == ALWAYS}
    assert 'scale_file' not in TUNABLE
    assert 'backend' not in TUNABLE


@pytest.mark.parametrize('name', _SLIDERS)
def test_sliders_stay_within_what_the_parameter_takes(name):
    parameter, (low, high, step) = TUNABLE[name], _SLIDERS[name]
    for value in (low, high):
        assert parameter.refusal(type(parameter.default)(value)) is None
    assert type(step) is type(parameter.default)
    assert low <= parameter.default <= high
