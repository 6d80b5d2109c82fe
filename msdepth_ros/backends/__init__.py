# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Inference runtimes, one module each, behind one interface."""

import logging

from msdepth_ros.backends.base import Backend
from msdepth_ros.backends.cuda_errors import TensorRtMissingError
from msdepth_ros.backends.engine_options import PRECISIONS, EngineOptions, Progress
from msdepth_ros.errors import BackendError, ModelError
from msdepth_ros.model import Model

BACKENDS = ('auto', 'tensorrt', 'onnxruntime')

_logger = logging.getLogger(__name__)
_said: set[str] = set()


def create_backend(
    model: Model,
    backend: str = 'auto',
    threads: int = 0,
    precision: str = 'fp16',
    engine_options: EngineOptions | None = None,
    progress: Progress | None = None,
) -> Backend:
    """Load a model on a runtime.

    Parameters
    ----------
    model : the model to load.
    backend : 'tensorrt', 'onnxruntime', or 'auto': the first that works, in this order. Why
        'auto' took the second is logged once.
    threads : CPU threads that the network may use; 0 = one per core.
    precision : 'fp16' = TensorRT in FP16, the CPU in int8 if the model has an int8 file, else in
        FP32; 'fp32' = both in FP32.
    engine_options : where TensorRT engines are kept and how they are built.
    progress : called as progress(stage, fraction) while an engine is built, which can take
        minutes; an exception that it raises stops the build and comes out here.

    Raises
    ------
    BackendError
        If the runtime is not installed, has no device or refuses the model.
    ModelError
        If the model's files are not usable.
    """
    if backend not in BACKENDS:
        raise BackendError(f"no backend named '{backend}': choose one of {', '.join(BACKENDS)}")
    if backend != 'onnxruntime':
        try:
            from msdepth_ros.backends.tensorrt import TensorRtBackend

            return TensorRtBackend(model, precision, engine_options, progress)
        except (BackendError, ModelError) as error:
            if backend == 'tensorrt':
                raise
            _say_once(error)
    from msdepth_ros.backends.onnxruntime import OnnxRuntimeBackend

    return OnnxRuntimeBackend(model, threads, precision)


def _say_once(error: Exception) -> None:
    """Log why the CPU is used; a machine without TensorRT is nothing to warn of."""
    text = f'running on the CPU with ONNX Runtime, not with TensorRT: {error}'
    if text not in _said:
        _said.add(text)
        missing = isinstance(error, TensorRtMissingError)
        _logger.log(logging.INFO if missing else logging.WARNING, '%s', text)


__all__ = ['BACKENDS', 'PRECISIONS', 'Backend', 'EngineOptions', 'Progress', 'create_backend']
