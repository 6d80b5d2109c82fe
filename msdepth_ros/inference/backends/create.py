# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Chooses a runtime, loads a model on it and warms it up."""

import importlib.util
import logging

from msdepth_ros.errors import BackendError, ModelError, RuntimeMissingError
from msdepth_ros.inference.backends.base import Backend
from msdepth_ros.inference.backends.tensorrt.engine_options import EngineOptions, Progress
from msdepth_ros.inference.model import Model

RUNTIMES = ('tensorrt', 'openvino', 'onnxruntime')
BACKENDS = ('auto', *RUNTIMES)
WARM_UP_RUNS = 3
_CUDA = 'onnxruntime (CUDA)'

_logger = logging.getLogger(__name__)
_logged: set[str] = set()


def create_backend(
    model: Model,
    backend: str = 'auto',
    threads: int = 0,
    precision: str = 'auto',
    engine_options: EngineOptions | None = None,
    progress: Progress | None = None,
    openvino_device: str = 'CPU',
) -> Backend:
    """Load a model on a runtime and warm it up, so that the first frame is not slower.

    Parameters
    ----------
    model : the model to load.
    backend : 'tensorrt', 'openvino', 'onnxruntime' (on a GPU if its CUDA provider runs the model,
        else on the CPU); or 'auto', the first that runs the model of: TensorRT, ONNX Runtime's CUDA
        provider, OpenVINO, ONNX Runtime on the CPU. Why another one is not used is logged once.
    threads : CPU threads for the network; 0: one per core.
    precision : 'auto' = as the model says, else the fastest that is proven: on TensorRT FP16 (FP32
        if FP16 fails the self-check); on a CPU int8 if the model has an int8 file, else FP32
        (OpenVINO: BF16 if the CPU supports it). 'fp16', 'int8', 'fp32' = that, or an error.
    engine_options : where TensorRT engines are kept and how they are built.
    progress : called as progress(stage, fraction) while an engine is built, which can take
        minutes; an exception that it raises stops the build and is raised again here.
    openvino_device : 'CPU', 'GPU', 'NPU'; or 'AUTO', the fastest that is present and works.

    Raises
    ------
    BackendError
        If the runtime is not installed, has no device, rejects the model or fails to run it.
    ModelError
        If the model's files cannot be used.
    """
    if backend not in BACKENDS:
        raise BackendError(f"no backend named '{backend}': choose one of {', '.join(BACKENDS)}")
    precision = model.precision if precision == 'auto' else precision
    rejected: dict[str, Exception] = {}
    for name in _candidates(backend):
        try:
            loaded = _load(
                name, model, threads, precision, engine_options, progress, openvino_device
            )
            _warm_up(loaded)
        except (BackendError, ModelError) as error:
            rejected[name] = error
            continue
        for other, reason in rejected.items():
            _log_once(name, other, reason)
        return loaded
    raise rejected.popitem()[1]


def _candidates(backend: str) -> list[str]:
    """Return the runtimes to try, in order; _CUDA stands for ONNX Runtime on a GPU."""
    names = list(RUNTIMES) if backend == 'auto' else [backend]
    if 'onnxruntime' in names:
        from msdepth_ros.inference.backends.onnxruntime import has_cuda_provider

        if has_cuda_provider():
            names.insert(1 if backend == 'auto' else 0, _CUDA)
    return names


def expected_runtime() -> str:
    """Return the runtime that 'auto' will most likely choose here, without loading a model."""
    from msdepth_ros.inference.backends.tensorrt.api import check_installed
    from msdepth_ros.inference.backends.tensorrt.cuda import CudaDevice

    try:
        check_installed()
        CudaDevice().close()
    except BackendError:
        cpu = 'openvino' if importlib.util.find_spec('openvino') else 'onnxruntime'
        return _CUDA if _CUDA in _candidates('auto') else cpu
    return 'tensorrt'


def _load(
    name: str,
    model: Model,
    threads: int,
    precision: str,
    engine_options: EngineOptions | None,
    progress: Progress | None,
    openvino_device: str,
) -> Backend:
    """Load a model on the runtime of this name, without importing another one."""
    if name == 'tensorrt':
        from msdepth_ros.inference.backends.tensorrt.backend import TensorRtBackend

        return TensorRtBackend(model, precision, engine_options, progress)
    if name == 'openvino':
        from msdepth_ros.inference.backends.openvino import OpenVinoBackend

        return OpenVinoBackend(model, threads, precision, openvino_device)
    if name in ('onnxruntime', _CUDA):
        from msdepth_ros.inference.backends.onnxruntime import OnnxRuntimeBackend

        return OnnxRuntimeBackend(model, threads, precision, cuda=name == _CUDA)
    raise AssertionError(f"'{name}' is one of RUNTIMES, but is not loaded here")


def _warm_up(backend: Backend) -> None:
    """Run a backend; close it if it fails."""
    try:
        for _ in range(WARM_UP_RUNS):
            backend.run()
    except BackendError:
        backend.close()
        raise


def _log_once(used: str, rejected: str, error: Exception) -> None:
    """Log why a runtime is not used; as a warning, unless it is only not installed."""
    text = f'running on {used}, not on {rejected}: {error}'
    if text not in _logged:
        _logged.add(text)
        missing = isinstance(error, RuntimeMissingError)
        _logger.log(logging.INFO if missing else logging.WARNING, '%s', text)
