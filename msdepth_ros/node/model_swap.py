# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The change to another model while frames come."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic

from msdepth_ros.errors import ModelError
from msdepth_ros.inference.backends import Backend, Progress
from msdepth_ros.inference.model import load_model
from msdepth_ros.inference.model_host import ModelChoice
from msdepth_ros.node.model_server import ModelServer
from msdepth_ros.node.threads import Item


class SwapCancelledError(Exception):
    """The model that was being loaded is not wanted any more."""


class ModelSwap(Generic[Item]):
    """Loads the next model beside the one that serves, so that no frame waits for it.

    Both are in memory for that time, and no third: one is loaded at a time.

    Attributes
    ----------
    status : what is being loaded and how far its engine is, for people; '' when nothing is.
    """

    def __init__(
        self, process: Callable[[Item], None], progress: Progress, changed: Callable[[], None]
    ) -> None:
        """`process` and `progress` are those of the server that `finish` gives.

        `changed` is called, on any thread, when something was begun or ended: call `finish` then.
        """
        self._process = process
        self._progress = progress
        self._changed = changed
        self._server: ModelServer[Item] | None = None
        self._loaded: Future[Backend]
        self._freed: Future[Any] | None = None
        self.status = ''

    def begin(self, choice: ModelChoice) -> str | None:
        """Begin to load a model; return why that cannot be, None if it can.

        What is wrong with the model's YAML is found at once, what else is by `finish`.
        """
        if self._server is not None or not (self._freed is None or self._freed.done()):
            return f'{self.status or "another model"} is being loaded: set it again after that'
        try:
            name = load_model(choice.model).name
        except ModelError as error:
            return str(error)

        def progress(stage: str, fraction: float) -> None:
            if self._server is not server:
                raise SwapCancelledError()
            self.status = f'{name}: {stage}, {fraction:.0%}'

        server = ModelServer(self._process, progress)
        self._server, self.status = server, name
        self._loaded = server.load(choice)
        self._loaded.add_done_callback(lambda _: self._changed())
        self._changed()
        return None

    def finish(self) -> tuple[ModelServer[Item], Backend] | None:
        """Return the next model's server and backend once it is loaded; None before that.

        Raises
        ------
        BackendError, ModelError
            If it cannot be loaded.
        """
        server = self._server
        if server is None or not self._loaded.done():
            return None
        try:
            backend = self._loaded.result()
        except Exception:
            self.cancel()
            raise
        server.host.progress = self._progress
        self._server, self.status = None, ''
        return server, backend

    def cancel(self, wait: bool = False) -> None:
        """Forget what is being loaded, and free it.

        A build stops at its next step; ONNX Runtime loads to the end first. `wait` for that.
        """
        server, self._server, self.status = self._server, None, ''
        if server is not None:
            self._freed = server.worker.submit(server.close)
        if wait and self._freed is not None:
            self._freed.result()
