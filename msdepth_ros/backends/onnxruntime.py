# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime's CPU provider: the backend that runs everywhere."""

from typing import Any

import numpy as np

from msdepth_ros.backends.base import Backend
from msdepth_ros.errors import BackendError, ModelError
from msdepth_ros.model import Model


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
        self._check(model.input_name, self._session.get_inputs(), 'uint8', self._input_shape())
        self._check(model.output_name, self._session.get_outputs(), 'float', self._output_shape())
        tensor_in = np.zeros(self._input_shape(), np.uint8)
        tensor_out = np.zeros(self._output_shape(), np.float32)
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

    def _input_shape(self) -> tuple[int, ...]:
        width, height = self.model.input_size
        return 1, height, width, 3

    def _output_shape(self) -> tuple[int, ...]:
        width, height = self.model.output_size
        return 1, 1, height, width

    def _check(self, name: str, tensors: list[Any], kind: str, shape: tuple[int, ...]) -> None:
        """Raise ModelError unless the session has a tensor of this name, type and shape."""
        found = {tensor.name: tensor for tensor in tensors}
        if name not in found:
            raise ModelError(
                f"model {self.model.name}: the ONNX file has no tensor named '{name}', only "
                f'{", ".join(found)}: correct its name in the YAML'
            )
        if kind == 'uint8' and len(tensors) > 1:
            raise ModelError(
                f'model {self.model.name}: the ONNX file has the inputs {", ".join(found)}, but a '
                'depth model has one, the image: make the others constants'
            )
        tensor = found[name]
        fits = len(tensor.shape) == len(shape) and all(
            isinstance(have, str) or have is None or have == want
            for have, want in zip(tensor.shape, shape, strict=True)
        )
        if not fits or tensor.type != f'tensor({kind})':
            raise ModelError(
                f"model {self.model.name}: tensor '{name}' is {tensor.type} {tensor.shape}, the "
                f'YAML needs tensor({kind}) {list(shape)}'
            )


def _import() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise BackendError(
            'ONNX Runtime is not installed: run `pip install onnxruntime`'
        ) from error
    return onnxruntime
