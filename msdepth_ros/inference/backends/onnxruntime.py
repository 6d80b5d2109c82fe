# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime's CPU provider: the backend that runs everywhere."""

from collections.abc import Callable
from typing import Any

import numpy as np

from msdepth_ros.errors import BackendError, ModelError, RuntimeMissingError
from msdepth_ros.inference.backends.base import Backend, without_units
from msdepth_ros.inference.backends.precision import cpu_file
from msdepth_ros.inference.backends.tensor_check import FoundTensor, check_tensors
from msdepth_ros.inference.model import Model, Tensor


class OnnxRuntimeBackend(Backend):
    """Runs a model on ONNX Runtime's CPU provider, with bound buffers (no copy a frame).

    `precision` is 'int8', 'fp32', or 'auto': int8 where the model has such a file.
    """

    name = 'onnxruntime'
    device = 'CPU'

    def __init__(self, model: Model, threads: int = 0, precision: str = 'fp32') -> None:
        model, quantised = cpu_file(model, precision, 'ONNX Runtime')
        self.precision = 'int8' if quantised else 'fp32'
        super().__init__(model)
        ort = _import()
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Idle threads that spin would take the cores from the camera driver and from DDS.
        options.add_session_config_entry('session.intra_op.allow_spinning', '0')
        options.log_severity_level = 3
        data = model.read_onnx()
        try:
            self._session = ort.InferenceSession(data, options, providers=['CPUExecutionProvider'])
        except Exception as error:  # its exception types are private to its binding
            reason = ' '.join(str(error).split())
            raise ModelError(
                f'model {model.name}: ONNX Runtime cannot load {model.onnx}: {reason}'
            ) from error
        check_tensors(
            model, _tensors(self._session.get_inputs()), _tensors(self._session.get_outputs())
        )
        self._binding = self._session.io_binding()
        self.inputs = _bound(model.inputs, self._binding.bind_input)
        self.outputs = _bound(model.outputs, self._binding.bind_output)

    def run(self) -> None:
        """Compute `outputs` from `inputs`; raises BackendError if ONNX Runtime fails."""
        try:
            self._session.run_with_iobinding(self._binding)
        except Exception as error:  # its exception types are private to its binding
            reason = ' '.join(str(error).split())
            raise BackendError(f'ONNX Runtime failed on {self.model.name}: {reason}') from error

    def close(self) -> None:
        """Free the session."""
        del self._binding, self._session


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
