# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Threads for frames: one processes the newest item, one publishes."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

Item = TypeVar('Item')
Result = TypeVar('Result')

_logger = logging.getLogger(__name__)


class NewestWorker(Generic[Item]):
    """Runs `process` on the newest item, on its own thread.

    An item that is put while another waits replaces it, so items never queue. Objects that must
    stay on this thread (a CUDA context) are made and freed by `call`.
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
        """Give the thread an item; return whether it replaced a waiting one.

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
        """Remove and return the waiting item, if any, and wait until the present one is done."""
        with self._condition:
            item, self._item = self._item, None
        self.call(lambda: None)
        return item

    def call(self, function: Callable[[], Result]) -> Result:
        """Run a function on the thread, between items; return its result, or raise its error."""
        if threading.current_thread() is self._thread:
            return function()
        return self.submit(function).result()

    def submit(self, function: Callable[[], Result]) -> 'Future[Result]':
        """Run a function on the thread, between items; the future gives its result.

        Raises
        ------
        RuntimeError
            If the thread was stopped.
        """
        future: Future[Result] = Future()
        with self._condition:
            self._refuse_if_stopping()
            self._calls.append((function, future))
            self._condition.notify()
        return future

    def stop(self) -> None:
        """End the thread after the present item; wait for that, unless called on the thread."""
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
                except Exception as error:  # otherwise the thread would end and `call` would hang
                    _logger.exception('an item was dropped: %r', error)


class PublishThread:
    """Publishes the frames in order, one at a time, on its own thread or the caller's.

    Overlapped work runs on the thread while the caller begins the next frame; use it if a next
    frame waits. Otherwise the caller does the work, which avoids waking a thread. Frames do not
    queue: a caller that is faster waits.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix='msdepth publish')
        self._before: Future[None] | None = None

    def run(self, work: Callable[[], None], overlapped: bool) -> None:
        """Do a frame's work after that of the previous frame; `work` must not raise."""
        self.wait()
        if overlapped:
            self._before = self._thread.submit(work)
        else:
            work()

    def wait(self) -> None:
        """Wait until all work is done."""
        before, self._before = self._before, None
        if before is not None:
            before.result()

    def close(self) -> None:
        """Wait until all work is done, and end the thread."""
        self._thread.shutdown()
