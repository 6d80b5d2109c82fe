# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime: its CPU provider, and its CUDA provider where it is installed."""

from collections.abc import Callable
from typing import Any

import numpy as np

from msdepth_ros.errors import BackendError, ModelError, RuntimeMissingError
from msdepth_ros.inference.backends.base import Backend, without_units
from msdepth_ros.inference.backends.precision import check_precision, cpu_file
from msdepth_ros.inference.backends.tensor_check import FoundTensor, check_tensors
from msdepth_ros.inference.model import Model, Tensor

CUDA, CPU = 'CUDAExecutionProvider', 'CPUExecutionProvider'
_DATA_FOLDER = 'session.model_external_initializers_file_folder_path'


def has_cuda_provider() -> bool:
    """Return whether the installed ONNX Runtime is the one for NVIDIA GPUs (onnxruntime-gpu)."""
    try:
        return CUDA in _import().get_available_providers()
    except RuntimeMissingError:
        return False


class OnnxRuntimeBackend(Backend):
    """Runs a model on ONNX Runtime, with bound buffers.

    On the CPU nothing is copied, and `precision` is 'int8', 'fp32', or 'auto': int8 if the model
    has an int8 file. On a GPU inputs and outputs are copied once a frame, and `precision` is
    'fp32', or 'auto': FP32 with products in TF32 if the GPU supports it.
    """

    name = 'onnxruntime'

    def __init__(
        self, model: Model, threads: int = 0, precision: str = 'fp32', cuda: bool = False
    ) -> None:
        """Load a model.

        Parameters
        ----------
        model : the model to load.
        threads : of the CPU; 0: one per core.
        precision : as above.
        cuda : run on the GPU, by the CUDA provider.

        Raises
        ------
        RuntimeMissingError
            If ONNX Runtime, or its CUDA provider, is not installed.
        BackendError
            If the precision is not available, or the CUDA provider does not start.
        ModelError
            If the model's files cannot be used.
        """
        ort = _import()
        if cuda:
            check_precision(precision, 'ONNX Runtime on a GPU', ('fp32',))
            self.precision = 'fp32'
        else:
            model, quantised = cpu_file(model, precision, 'ONNX Runtime')
            self.precision = 'int8' if quantised else 'fp32'
        super().__init__(model)
        self.device = 'GPU 0 (CUDA provider)' if cuda else 'CPU'
        providers = [(CUDA, _cuda_options(precision)), CPU] if cuda else [CPU]
        self._session = _session(ort, model, threads, providers)
        check_tensors(
            model, _tensors(self._session.get_inputs()), _tensors(self._session.get_outputs())
        )
        self._binding = self._session.io_binding()
        self._uploads: list[tuple[Any, np.ndarray]] = []
        self.inputs = self._bind_uploads(ort) if cuda else _bound(model.inputs, self._bind_input)
        self.outputs = _bound(model.outputs, self._binding.bind_output)

    def run(self) -> None:
        """Compute `outputs` from `inputs`; raises BackendError if ONNX Runtime fails."""
        try:
            for on_device, buffer in self._uploads:
                on_device.update_inplace(buffer)
            self._session.run_with_iobinding(self._binding)
        except Exception as error:  # its exception types are private to its binding
            reason = ' '.join(str(error).split())
            raise BackendError(f'ONNX Runtime failed on {self.model.name}: {reason}') from error

    def close(self) -> None:
        """Free the session."""
        self._uploads.clear()
        del self._binding, self._session

    def _bind_input(self, *tensor: Any) -> None:
        self._binding.bind_input(*tensor)

    def _bind_uploads(self, ort: Any) -> dict[str, np.ndarray]:
        """Create a buffer in CPU and in GPU memory for each input; return the CPU's by role.

        (An input that is bound in CPU memory would be copied to the GPU only once, now.)
        """
        buffers = {}
        for role, tensor in self.model.inputs.items():
            buffer = np.zeros(tensor.shape, tensor.dtype)
            on_device = ort.OrtValue.ortvalue_from_numpy(buffer, 'cuda', 0)
            self._binding.bind_ortvalue_input(tensor.name, on_device)
            self._uploads.append((on_device, buffer))
            buffers[role] = without_units(buffer)
        return buffers


def _session(ort: Any, model: Model, threads: int, providers: list[Any]) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Idle threads must not spin: the camera driver and DDS need the cores.
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    options.add_session_config_entry(_DATA_FOLDER, str(model.onnx.parent))
    options.log_severity_level = 3
    wanted = providers[0] if isinstance(providers[0], str) else providers[0][0]
    if wanted == CUDA and CUDA not in ort.get_available_providers():
        raise RuntimeMissingError(
            'ONNX Runtime has no CUDA provider: run `pip uninstall onnxruntime` and `pip install '
            'onnxruntime-gpu`'
        )
    data = model.read_onnx()
    try:
        session = ort.InferenceSession(data, options, providers=providers)
    except Exception as error:  # its exception types are private to its binding
        reason = ' '.join(str(error).split())
        raise ModelError(
            f'model {model.name}: ONNX Runtime cannot load {model.onnx}: {reason}'
        ) from error
    if wanted not in session.get_providers():  # it silently drops a provider that does not start
        raise BackendError(
            "ONNX Runtime's CUDA provider does not start: it needs a visible GPU, and the versions "
            'of CUDA and cuDNN that its release notes name'
        )
    return session


def _cuda_options(precision: str) -> dict[str, str]:
    return {'device_id': '0', 'use_tf32': '0' if precision == 'fp32' else '1'}


def _bound(tensors: dict[str, Tensor], bind: Callable[..., None]) -> dict[str, np.ndarray]:
    """Bind a buffer to each tensor; return the buffers by role."""
    buffers = {}
    for role, tensor in tensors.items():
        buffer = np.zeros(tensor.shape, tensor.dtype)
        bind(tensor.name, 'cpu', 0, buffer.dtype, buffer.shape, buffer.ctypes.data)
        buffers[role] = without_units(buffer)
    return buffers


def _tensors(tensors: list[Any]) -> dict[str, FoundTensor]:
    return {
        tensor.name: FoundTensor(
            tensor.type.removeprefix('tensor(').removesuffix(')'), tensor.shape
        )
        for tensor in tensors
    }


def _import() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise RuntimeMissingError(
            'ONNX Runtime is not installed: run `pip install onnxruntime`'
        ) from error
    return onnxruntime
