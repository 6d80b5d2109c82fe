# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The change to another model while the node runs."""

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
    """The loading of a model was cancelled."""


class ModelSwap(Generic[Item]):
    """Loads the next model while the present one runs, so that no frame waits.

    Both are in memory during that time. Only one model is loaded at a time.

    Attributes
    ----------
    status : name of the model that is being loaded and its progress; '' = none.
    """

    def __init__(
        self, process: Callable[[Item], None], progress: Progress, changed: Callable[[], None]
    ) -> None:
        """`process` and `progress` are passed to the ModelServer that `finish` returns.

        `changed` is called, on any thread, when loading began or ended: call `finish` then.
        """
        self._process = process
        self._progress = progress
        self._changed = changed
        self._server: ModelServer[Item] | None = None
        self._loaded: Future[Backend]
        self._freed: Future[Any] | None = None
        self.status = ''

    def begin(self, choice: ModelChoice) -> str | None:
        """Begin to load a model; return why that is impossible, None if it is possible.

        Errors in the model's YAML are found at once, others by `finish`.
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
        """Cancel the loading and free the model; with `wait`, return only after that.

        The build of an engine stops at its next step; ONNX Runtime first loads to the end.
        """
        server, self._server, self.status = self._server, None, ''
        if server is not None:
            self._freed = server.worker.submit(server.close)
        if wait and self._freed is not None:
            self._freed.result()
