# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A model and the thread that runs it."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic

from msdepth_ros.inference.backends import Backend, Progress
from msdepth_ros.inference.model_host import ModelChoice, ModelHost
from msdepth_ros.node.threads import Item, NewestWorker


class ModelServer(Generic[Item]):
    """A model, and the one thread on which it is loaded, runs on the newest item, and is freed.

    So objects that a runtime ties to a thread (a CUDA context) stay on that thread.

    Attributes
    ----------
    host : the model; use it only on the worker's thread.
    worker : the thread.
    """

    def __init__(self, process: Callable[[Item], None], progress: Progress) -> None:
        """`process` works on an item; `progress` is called while an engine is built."""
        self.host = ModelHost(progress)
        self.worker: NewestWorker[Item] = NewestWorker(process)

    def load(self, choice: ModelChoice) -> 'Future[Backend]':
        """Begin to load a model; the future's result is its backend.

        The future raises BackendError or ModelError if the model cannot be loaded.
        """
        return self.worker.submit(lambda: self.host.load(choice))

    def unload(self) -> None:
        """Free the model after the present item."""
        self.worker.call(self.host.unload)

    def close(self) -> Item | None:
        """Free the model after the present item and end the thread; return the waiting item."""
        waiting = self.worker.clear()
        self.unload()
        self.worker.stop()
        return waiting
