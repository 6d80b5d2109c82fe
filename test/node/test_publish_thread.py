# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The last stage keeps the frames' order, one at a time, on whatever thread it is done."""

import threading
import time

import pytest
from patience import PATIENCE

from msdepth_ros.node.threads import PublishThread


@pytest.fixture
def stage():
    stage = PublishThread()
    yield stage
    stage.close()


class _Gate:
    """Work that waits to be let go on."""

    def __init__(self):
        self.begun, self.open, self.ended = (threading.Event() for _ in range(3))

    def __call__(self):
        self.begun.set()
        assert self.open.wait(PATIENCE)
        self.ended.set()


def test_overlapped_work_leaves_the_caller_free_and_is_waited_for(stage):
    gate = _Gate()
    stage.run(gate, overlapped=True)
    assert gate.begun.wait(PATIENCE)
    assert not gate.ended.is_set()
    threading.Timer(0.05, gate.open.set).start()
    stage.wait()
    assert gate.ended.is_set()
    stage.wait()  # nothing is left to wait for


def test_other_work_is_done_by_the_caller(stage):
    threads = []
    stage.run(lambda: threads.append(threading.current_thread()), overlapped=False)
    assert threads == [threading.current_thread()]


@pytest.mark.parametrize('overlapped', [True, False])
def test_the_next_frame_waits_for_the_one_before(stage, overlapped):
    gate = _Gate()
    stage.run(gate, overlapped=True)
    threading.Timer(0.05, gate.open.set).start()
    seen = []
    stage.run(lambda: seen.append(gate.ended.is_set()), overlapped)
    stage.wait()
    assert seen == [True]


def test_frames_are_published_one_at_a_time_and_in_order(stage):
    done, busy = [], threading.Lock()

    def work(number):
        assert busy.acquire(blocking=False), 'two frames at once'
        time.sleep(0.001)
        done.append(number)
        busy.release()

    for number in range(50):
        stage.run(lambda number=number: work(number), overlapped=number % 3 != 0)
    stage.wait()
    assert done == list(range(50))


def test_close_waits_for_the_work_under_way():
    stage, gate = PublishThread(), _Gate()
    stage.run(gate, overlapped=True)
    threading.Timer(0.05, gate.open.set).start()
    stage.close()
    assert gate.ended.is_set()
