# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Keeps a model running: loads it, and loads it again after its runtime failed."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from msdepth_ros.errors import BackendError, MsdepthError
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.inference.backends import Backend, EngineOptions, Progress, create_backend
from msdepth_ros.inference.estimator import Align, DepthEstimator, DepthFrame, Settings
from msdepth_ros.inference.model import Model, load_model

_FIRST_PAUSE = 1.0  # seconds between a failure and the next try, doubled at each failure
_LONGEST_PAUSE = 30.0
_ALL_THREADS = cv2.getNumThreads()  # OpenCV's own choice


@dataclass(frozen=True)
class ModelChoice:
    """Which model runs on which backend; see backends.create_backend."""

    model: str
    backend: str = 'auto'
    precision: str = 'auto'
    threads: int = 0
    engine_options: EngineOptions = field(default_factory=EngineOptions)
    openvino_device: str = 'CPU'


class ModelHost:
    """Owns the estimator. Like a backend, it belongs to one thread.

    Attributes
    ----------
    estimator : None while no model is loaded.
    choice : what is loaded, or will be loaded again after a failure; None after `unload`.
    progress : called while an engine is built, see `EngineOptions`.
    """

    def __init__(
        self, progress: Progress | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`progress` is called while an engine is built; `clock` returns seconds."""
        self.estimator: DepthEstimator | None = None
        self.progress = progress
        self._clock = clock
        self.choice: ModelChoice | None = None
        self._pause = _FIRST_PAUSE
        self._next_try = 0.0
        self._failure = ''

    def load(self, choice: ModelChoice) -> Backend:
        """Load a model and return its backend, warmed up.

        Raises
        ------
        BackendError
            If the backend fails.
        ModelError
            If the model cannot be used.
        """
        self.unload()
        backend = self._open(choice)
        # After a failure, the engine that was built now is loaded again, not built again.
        options = replace(choice.engine_options, force_update=False)
        self.choice, self._pause = replace(choice, engine_options=options), _FIRST_PAUSE
        return backend

    def unload(self) -> None:
        """Free the model, if one is loaded."""
        self.choice = None
        self._close()

    def estimate(
        self,
        image: np.ndarray,
        encoding: str,
        camera: Camera | None,
        settings: Settings,
        align_for: Callable[[Model], Align] | None = None,
    ) -> DepthFrame:
        """Estimate the depth of an image.

        After a failure of the runtime the model is freed. It is loaded again by a later call, after
        a pause that doubles with each failure; with the backend 'auto', perhaps on another runtime.

        Parameters
        ----------
        image, encoding, camera, settings : see `DepthEstimator.estimate`.
        align_for : returns the function that aligns a model's depth with measurements; None =
            nothing is measured.

        Raises
        ------
        BackendError
            If the runtime fails, or is paused after a failure.
        ModelError
            If the model cannot be loaded again.
        ImageError, CalibrationError
            See `DepthEstimator.estimate`.
        """
        estimator = self.estimator or self._load_again()
        try:
            align = align_for(estimator.model) if align_for else None
            frame = estimator.estimate(image, encoding, camera, settings, align)
        except BackendError as error:
            self._fail(error)
            raise
        self._pause = _FIRST_PAUSE
        return frame

    def _load_again(self) -> DepthEstimator:
        choice = self.choice
        if choice is None:
            raise BackendError('no model is loaded')
        left = self._next_try - self._clock()
        if left > 0:
            raise BackendError(f'{self._failure}; next try in {left:.0f} s')
        try:
            self._open(choice)
        except MsdepthError as error:
            self._fail(error)
            raise
        assert self.estimator is not None
        return self.estimator

    def _open(self, choice: ModelChoice) -> Backend:
        cv2.setNumThreads(choice.threads or _ALL_THREADS)
        model = load_model(choice.model)
        backend = create_backend(
            model,
            choice.backend,
            choice.threads,
            choice.precision,
            choice.engine_options,
            self.progress,
            choice.openvino_device,
        )
        self.estimator = DepthEstimator(model, backend)
        return backend

    def _fail(self, error: MsdepthError) -> None:
        self._failure = str(error)
        self._next_try = self._clock() + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        self._close()

    def _close(self) -> None:
        estimator, self.estimator = self.estimator, None
        if estimator is not None:
            estimator.backend.close()
