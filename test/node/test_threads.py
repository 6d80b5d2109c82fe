# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The worker always works on the newest item, on one thread, whatever happens there."""

import queue
import threading

import pytest
from patience import PATIENCE

from msdepth_ros.node.threads import NewestWorker


class _Gate:
    """A process that reports what it got and then waits to be let go on."""

    def __init__(self):
        self.got = queue.Queue()
        self.open = threading.Semaphore(0)
        self.went_on = False

    def __call__(self, item):
        self.got.put((item, threading.current_thread()))
        assert self.open.acquire(timeout=PATIENCE)

    def let_go(self):
        self.went_on = True
        self.open.release()

    def next(self):
        return self.got.get(timeout=PATIENCE)[0]


@pytest.fixture
def gate():
    return _Gate()


@pytest.fixture
def worker(gate):
    worker = NewestWorker(gate)
    yield worker
    gate.open.release(100)
    worker.stop()


def test_items_that_wait_are_replaced_by_newer_ones(worker, gate):
    assert worker.put('first') is False
    assert gate.next() == 'first'  # at work
    assert worker.put('second') is False
    assert worker.put('third') is True
    assert worker.put('fourth') is True
    gate.open.release()
    assert gate.next() == 'fourth'
    assert worker.put('fifth') is False
    gate.open.release()
    assert gate.next() == 'fifth'
    assert gate.got.empty()


def test_put_does_not_wait_for_the_work(worker, gate):
    worker.put(0)
    gate.next()
    for item in range(1000):  # the first one is at work until the gate opens: this would hang
        worker.put(item)


def test_items_and_calls_run_on_the_same_thread(worker, gate):
    worker.put(1)
    _, thread = gate.got.get(timeout=PATIENCE)
    gate.open.release()
    assert worker.call(threading.current_thread) is thread
    assert thread is not threading.current_thread()
    assert thread.daemon


def test_a_call_returns_what_the_function_returns(worker):
    assert worker.call(lambda: 42) == 42
    assert worker.call(lambda: None) is None


def test_a_call_raises_what_the_function_raises_and_the_thread_goes_on(worker):
    def fail():
        raise ValueError('on purpose')

    with pytest.raises(ValueError, match='on purpose'):
        worker.call(fail)
    assert worker.call(lambda: 'alive') == 'alive'


def test_a_call_waits_for_the_item_at_work_and_goes_before_the_waiting_one(worker, gate):
    worker.put('first')
    gate.next()
    worker.put('second')
    done = worker.submit(gate.got.qsize)
    assert not done.done()  # 'first' is still at work
    gate.open.release()
    assert done.result(PATIENCE) == 0  # 'second' was not begun
    assert gate.next() == 'second'


def test_a_call_from_the_thread_itself_runs_at_once(worker):
    assert worker.call(lambda: worker.call(lambda: 'inner')) == 'inner'


def test_clear_forgets_the_waiting_item_and_waits_for_the_one_at_work(worker, gate):
    worker.put('first')
    gate.next()
    worker.put('second')
    threading.Timer(0.05, gate.let_go).start()
    worker.clear()
    assert gate.went_on
    assert worker.put('third') is False
    assert gate.next() == 'third'


def test_an_item_whose_processing_fails_does_not_end_the_thread(caplog):
    got = queue.Queue()

    def process(item):
        got.put(item)
        raise RuntimeError('on purpose')

    worker = NewestWorker(process)
    for item in (1, 2):
        worker.put(item)
        assert got.get(timeout=PATIENCE) == item
    answer = queue.Queue()
    threading.Thread(target=lambda: answer.put(worker.call(lambda: 'alive')), daemon=True).start()
    assert answer.get(timeout=PATIENCE) == 'alive'
    worker.stop()
    assert 'on purpose' in caplog.text


def test_stop_ends_the_thread_after_the_item_at_work(gate):
    worker = NewestWorker(gate)
    thread = worker.call(threading.current_thread)
    worker.put('first')
    gate.next()
    worker.put('never')
    threading.Timer(0.05, gate.open.release).start()
    worker.stop()
    assert not thread.is_alive()
    assert gate.got.empty()
    with pytest.raises(RuntimeError, match='stopped'):
        worker.put('too late')
    with pytest.raises(RuntimeError, match='stopped'):
        worker.call(lambda: None)


def test_many_threads_may_call_at_once(worker):
    results = queue.Queue()
    threads = [
        threading.Thread(target=lambda n=n: results.put((n, worker.call(lambda: n * n))))
        for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(results.queue) == [(n, n * n) for n in range(20)]


def test_waiting_is_true_for_an_item_that_was_not_begun(worker, gate):
    assert not worker.waiting
    worker.put('first')
    gate.next()
    assert not worker.waiting
    worker.put('second')
    assert worker.waiting
    gate.open.release()
    gate.next()
    assert not worker.waiting
