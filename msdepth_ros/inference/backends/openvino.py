# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""OpenVINO's CPU plugin: faster than ONNX Runtime, most of all on int8 networks."""

import sys
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

_ONNX_TYPES = {'u8': 'uint8', 'i8': 'int8', 'f16': 'float16', 'f32': 'float', 'f64': 'double'}


class OpenVinoBackend(Backend):
    """Runs a model on OpenVINO's CPU plugin, on tensors of its own (no copy a frame).

    With `precision` 'fp32' every product is computed in FP32. Otherwise the model's int8 file is
    used where it has one, and what is not int8 is computed in BF16 on a CPU with instructions for
    it (AMX, AVX512-BF16), else in FP32. OpenVINO's FP16 is slower than its FP32 on x86.
    """

    name = 'openvino'
    device = 'CPU'

    def __init__(self, model: Model, threads: int = 0, precision: str = 'fp32') -> None:
        openvino = _import()
        core = openvino.Core()
        floats = 'f32'
        if precision != 'fp32' and 'BF16' in core.get_property('CPU', 'OPTIMIZATION_CAPABILITIES'):
            floats = 'bf16'
        self.precision = 'fp32' if floats == 'f32' else floats
        if precision != 'fp32' and model.int8 is not None:
            self.precision, model = 'int8', model.int8
        super().__init__(model)
        settings = {
            'PERFORMANCE_HINT': 'LATENCY',
            'NUM_STREAMS': 1,
            'INFERENCE_NUM_THREADS': threads,
            'INFERENCE_PRECISION_HINT': floats,
            # The nodes of two cameras would pin their threads to the same cores.
            'ENABLE_CPU_PINNING': False,
        }
        data = model.read_onnx()
        try:
            network = core.read_model(data)
            _check(model, network)
            if network.is_dynamic():
                network.reshape(list(input_shape(model)))
                _check(model, network)
            self._request = core.compile_model(network, 'CPU', settings).create_infer_request()
        except RuntimeError as error:
            raise ModelError(
                f'model {model.name}: OpenVINO cannot load {model.onnx}: {_reason(error)}'
            ) from error
        tensor_in = np.zeros(input_shape(model), np.uint8)
        tensor_out = np.zeros(output_shape(model), np.float32)
        self.input, self.output = tensor_in[0], tensor_out[0, 0]
        self._request.set_input_tensor(openvino.Tensor(tensor_in, shared_memory=True))
        self._request.set_output_tensor(openvino.Tensor(tensor_out, shared_memory=True))

    def run(self) -> None:
        """Compute `output` from `input`; raises BackendError if OpenVINO fails."""
        try:
            self._request.infer()
        except RuntimeError as error:
            reason = _reason(error)
            raise BackendError(f'OpenVINO failed on {self.model.name}: {reason}') from error

    def close(self) -> None:
        """Free the compiled network."""
        del self._request


def _check(model: Model, network: Any) -> None:
    """Raise ModelError unless the network's tensors are those of the model's YAML."""
    check_tensors(
        model,
        _tensors(network.inputs, model.input_name),
        _tensors(network.outputs, model.output_name),
    )


def _tensors(ports: list[Any], wanted: str) -> dict[str, Tensor]:
    """Return the tensors by name; a tensor may have several, of which `wanted` is preferred."""
    found = {}
    for port in ports:
        name = wanted if wanted in port.names else port.any_name
        kind = port.element_type.get_type_name()
        sizes = [None if size.is_dynamic else size.get_length() for size in port.partial_shape]
        found[name] = Tensor(_ONNX_TYPES.get(kind, kind), sizes)
    return found


def _reason(error: RuntimeError) -> str:
    """Return the last line of what OpenVINO says: before it stand places in its source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else 'it gave no reason'


def _import() -> Any:
    # Importing openvino tells its makers so over the network, unless this module is missing.
    if 'openvino' not in sys.modules:
        sys.modules.setdefault('openvino_telemetry', None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError as error:
        raise RuntimeMissingError(
            'OpenVINO is not installed: run `pip install openvino`'
        ) from error
    return openvino
