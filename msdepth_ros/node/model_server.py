# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A model on a thread of its own."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic

from msdepth_ros.inference.backends import Backend, Progress
from msdepth_ros.inference.model_host import ModelChoice, ModelHost
from msdepth_ros.node.threads import Item, NewestWorker


class ModelServer(Generic[Item]):
    """A model, and the thread on which it is loaded, runs on the newest item, and is freed.

    What a runtime ties to a thread (a CUDA context) thus never changes threads.

    Attributes
    ----------
    host : ModelHost, for `process` and other calls on that thread.
    worker : NewestWorker, that thread.
    """

    def __init__(self, process: Callable[[Item], None], progress: Progress) -> None:
        """`process` works on an item; `progress` hears of engines being built."""
        self.host = ModelHost(progress)
        self.worker: NewestWorker[Item] = NewestWorker(process)

    def load(self, choice: ModelChoice) -> 'Future[Backend]':
        """Begin to load a model; the future tells its backend, or BackendError or ModelError."""
        return self.worker.submit(lambda: self.host.load(choice))

    def unload(self) -> None:
        """Free the model after the item at work."""
        self.worker.call(self.host.unload)

    def close(self) -> Item | None:
        """Free the model after the item at work and end the thread; return the waiting item."""
        waiting = self.worker.clear()
        self.unload()
        self.worker.stop()
        return waiting
