# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The threads of a frame: one works on the newest item, one publishes beside it."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

Item = TypeVar('Item')
Result = TypeVar('Result')

_logger = logging.getLogger(__name__)


class NewestWorker(Generic[Item]):
    """Runs `process` on the newest item put, on a thread of its own.

    An item that is put while another waits replaces it: the thread never works on old items and
    nothing queues. Whatever must live on this thread (a CUDA context, say) is made and freed
    there by `call`.
    """

    def __init__(self, process: Callable[[Item], None]) -> None:
        self._process = process
        self._condition = threading.Condition()
        self._item: Item | None = None
        self._calls: list[tuple[Callable[[], Any], Future[Any]]] = []
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name='msdepth worker', daemon=True)
        self._thread.start()

    def put(self, item: Item) -> bool:
        """Hand over an item; return whether it replaced one that was still waiting.

        Raises
        ------
        RuntimeError
            If the thread was stopped.
        """
        with self._condition:
            self._refuse_if_stopping()
            replaced = self._item is not None
            self._item = item
            self._condition.notify()
        return replaced

    @property
    def waiting(self) -> bool:
        """Whether an item waits for the thread."""
        return self._item is not None

    def clear(self) -> Item | None:
        """Take the waiting item back, if there is one, and wait until the one at work is done."""
        with self._condition:
            item, self._item = self._item, None
        self.call(lambda: None)
        return item

    def call(self, function: Callable[[], Result]) -> Result:
        """Run a function on the thread, between items, and return or raise what it does."""
        if threading.current_thread() is self._thread:
            return function()
        return self.submit(function).result()

    def submit(self, function: Callable[[], Result]) -> 'Future[Result]':
        """Have a function run on the thread, between items; its outcome is the future's."""
        future: Future[Result] = Future()
        with self._condition:
            self._refuse_if_stopping()
            self._calls.append((function, future))
            self._condition.notify()
        return future

    def stop(self) -> None:
        """End the thread after the item at work, and wait for that unless called on the thread."""
        with self._condition:
            self._stopping = True
            self._condition.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _refuse_if_stopping(self) -> None:
        if self._stopping:
            raise RuntimeError('the worker was stopped')

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(
                    lambda: self._calls or self._item is not None or self._stopping
                )
                if self._stopping and not self._calls:
                    return
                calls, self._calls = self._calls, []
                item = None
                if not calls:
                    item, self._item = self._item, None
            for function, future in calls:
                try:
                    future.set_result(function())
                except BaseException as error:
                    future.set_exception(error)
            if item is not None:
                try:
                    self._process(item)
                except Exception as error:  # else the thread would end, and `call` wait for ever
                    _logger.exception('an item was dropped: %r', error)


class PublishThread:
    """Does the last work on each frame, in the frames' order and one at a time.

    Overlapped, it is done on a thread of its own while the caller begins the next frame; else by
    the caller, which saves waking a thread: overlap where a next frame waits. At most one frame is
    under way here, so nothing queues: a caller that is faster waits.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix='msdepth publish')
        self._before: Future[None] | None = None

    def run(self, work: Callable[[], None], overlapped: bool) -> None:
        """Do a frame's work after that of the frame before; it must not raise."""
        self.wait()
        if overlapped:
            self._before = self._thread.submit(work)
        else:
            work()

    def wait(self) -> None:
        """Wait until nothing is under way."""
        before, self._before = self._before, None
        if before is not None:
            before.result()

    def close(self) -> None:
        """Wait until nothing is under way and end the thread."""
        self._thread.shutdown()
