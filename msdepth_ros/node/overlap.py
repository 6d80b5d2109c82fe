# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The last stage of a frame, beside the first stages of the next one."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor


class LastStage:
    """Does the last work on each frame, in the frames' order and one at a time.

    Overlapped, it is done on a thread of its own while the caller begins the next frame; else by
    the caller, which saves waking a thread: overlap where a next frame waits. At most one frame is
    under way here, so nothing queues: a caller that is faster waits.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix='msdepth last stage')
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
