# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Inference runtimes, one module each, behind one interface."""

import logging

from msdepth_ros.backends.base import Backend
from msdepth_ros.errors import BackendError
from msdepth_ros.model import Model

BACKENDS = ('auto', 'tensorrt', 'onnxruntime')

_logger = logging.getLogger(__name__)


def create_backend(model: Model, backend: str = 'auto', threads: int = 0) -> Backend:
    """Load a model on a runtime.

    Parameters
    ----------
    model : the model to load.
    backend : 'tensorrt', 'onnxruntime', or 'auto': the first that works, in this order.
    threads : CPU threads that the network may use; 0 = one per core.

    Raises
    ------
    BackendError
        If the runtime is not installed, has no device or refuses the model.
    ModelError
        If the model's files are not usable.
    """
    if backend not in BACKENDS:
        raise BackendError(f"no backend named '{backend}': choose one of {', '.join(BACKENDS)}")
    if backend == 'tensorrt':
        raise BackendError(
            'this version has no TensorRT backend yet: set the parameter `backend` to onnxruntime'
        )
    from msdepth_ros.backends.onnxruntime import OnnxRuntimeBackend

    return OnnxRuntimeBackend(model, threads)


__all__ = ['BACKENDS', 'Backend', 'create_backend']
