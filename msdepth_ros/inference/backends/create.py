# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Choose a runtime, load a model on it and warm it up."""

import importlib.util
import logging

from msdepth_ros.errors import BackendError, ModelError, RuntimeMissingError
from msdepth_ros.inference.backends.base import Backend
from msdepth_ros.inference.backends.engine_options import EngineOptions, Progress
from msdepth_ros.inference.model import Model

RUNTIMES = ('tensorrt', 'openvino', 'onnxruntime')
BACKENDS = ('auto', *RUNTIMES)
WARM_UP_RUNS = 3
_CUDA = 'onnxruntime (CUDA)'

_logger = logging.getLogger(__name__)
_said: set[str] = set()


def create_backend(
    model: Model,
    backend: str = 'auto',
    threads: int = 0,
    precision: str = 'auto',
    engine_options: EngineOptions | None = None,
    progress: Progress | None = None,
    openvino_device: str = 'CPU',
) -> Backend:
    """Load a model on a runtime and warm it up, so that the first frame takes no longer.

    Parameters
    ----------
    model : the model to load.
    backend : 'tensorrt', 'openvino', 'onnxruntime' (on a GPU where its CUDA provider runs the
        model, else on the CPU), or 'auto': TensorRT, the CUDA provider, OpenVINO or ONNX Runtime
        on the CPU, the first that runs the model. Why one was passed over is logged once.
    threads : CPU threads that the network may use; 0 = one per core.
    precision : 'auto' = the fastest that is proven: FP16 on TensorRT (FP32 where the self-check
        refuses FP16); on a CPU int8 if the model has an int8 file, else FP32 (OpenVINO: BF16 where
        the CPU has it); or what the model says of itself. 'fp16', 'int8', 'fp32': that or an error.
    engine_options : where TensorRT engines are kept and how they are built.
    progress : called as progress(stage, fraction) while an engine is built, which can take
        minutes; an exception that it raises stops the build and comes out here.
    openvino_device : 'CPU', 'GPU', 'NPU', or 'AUTO': the fastest that is there and works.

    Raises
    ------
    BackendError
        If the runtime is not installed, has no device, refuses the model or fails to run it.
    ModelError
        If the model's files are not usable.
    """
    if backend not in BACKENDS:
        raise BackendError(f"no backend named '{backend}': choose one of {', '.join(BACKENDS)}")
    precision = model.precision if precision == 'auto' else precision
    refusals: dict[str, Exception] = {}
    for name in _candidates(backend):
        try:
            loaded = _load(
                name, model, threads, precision, engine_options, progress, openvino_device
            )
            _warm_up(loaded)
        except (BackendError, ModelError) as error:
            refusals[name] = error
            continue
        for refused, reason in refusals.items():
            _say_once(name, refused, reason)
        return loaded
    raise refusals.popitem()[1]


def _candidates(backend: str) -> list[str]:
    """Return what to try, in order; _CUDA stands for ONNX Runtime on a GPU."""
    names = list(RUNTIMES) if backend == 'auto' else [backend]
    if 'onnxruntime' in names:
        from msdepth_ros.inference.backends.onnxruntime import has_cuda_provider

        if has_cuda_provider():
            names.insert(1 if backend == 'auto' else 0, _CUDA)
    return names


def expected_runtime() -> str:
    """Return the runtime that 'auto' will most likely take on this machine, loading no model."""
    from msdepth_ros.inference.backends.cuda import CudaDevice
    from msdepth_ros.inference.backends.tensorrt_api import check_installed

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
    """Load a model on the runtime of this name, importing no other."""
    if name == 'tensorrt':
        from msdepth_ros.inference.backends.tensorrt import TensorRtBackend

        return TensorRtBackend(model, precision, engine_options, progress)
    if name == 'openvino':
        from msdepth_ros.inference.backends.openvino import OpenVinoBackend

        return OpenVinoBackend(model, threads, precision, openvino_device)
    from msdepth_ros.inference.backends.onnxruntime import OnnxRuntimeBackend

    return OnnxRuntimeBackend(model, threads, precision, cuda=name == _CUDA)


def _warm_up(backend: Backend) -> None:
    """Run a backend; close it if it fails."""
    try:
        for _ in range(WARM_UP_RUNS):
            backend.run()
    except BackendError:
        backend.close()
        raise


def _say_once(used: str, refused: str, error: Exception) -> None:
    """Log why a runtime is not used; that it is not installed is nothing to warn of."""
    text = f'running on {used}, not on {refused}: {error}'
    if text not in _said:
        _said.add(text)
        missing = isinstance(error, RuntimeMissingError)
        _logger.log(logging.INFO if missing else logging.WARNING, '%s', text)
