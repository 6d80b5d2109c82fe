# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime's CPU provider: the backend that runs everywhere."""

from typing import Any

import numpy as np

from msdepth_ros.errors import BackendError, ModelError, RuntimeMissingError
from msdepth_ros.inference.backends.base import Backend
from msdepth_ros.inference.backends.tensor_check import (
    Tensor,
    check_tensors,
    input_shape,
    output_shape,
)
from msdepth_ros.inference.model import Model


class OnnxRuntimeBackend(Backend):
    """Runs a model on ONNX Runtime's CPU provider, with bound buffers (no copy a frame).

    It computes in FP32, or in int8 where the model has such a file and `precision` is not 'fp32'.
    """

    name = 'onnxruntime'
    device = 'CPU'

    def __init__(self, model: Model, threads: int = 0, precision: str = 'fp32') -> None:
        self.precision = 'fp32'
        if precision != 'fp32' and model.int8 is not None:
            self.precision, model = 'int8', model.int8
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
        tensor_in = np.zeros(input_shape(model), np.uint8)
        tensor_out = np.zeros(output_shape(model), np.float32)
        self.input, self.output = tensor_in[0], tensor_out[0, 0]
        self._binding = self._session.io_binding()
        self._binding.bind_input(
            model.input_name, 'cpu', 0, np.uint8, tensor_in.shape, tensor_in.ctypes.data
        )
        self._binding.bind_output(
            model.output_name, 'cpu', 0, np.float32, tensor_out.shape, tensor_out.ctypes.data
        )

    def run(self) -> None:
        """Compute `output` from `input`; raises BackendError if ONNX Runtime fails."""
        try:
            self._session.run_with_iobinding(self._binding)
        except Exception as error:  # its exception types are private to its binding
            reason = ' '.join(str(error).split())
            raise BackendError(f'ONNX Runtime failed on {self.model.name}: {reason}') from error

    def close(self) -> None:
        """Free the session."""
        del self._binding, self._session


def _tensors(tensors: list[Any]) -> dict[str, Tensor]:
    return {
        tensor.name: Tensor(tensor.type.removeprefix('tensor(').removesuffix(')'), tensor.shape)
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
