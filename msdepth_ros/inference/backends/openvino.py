# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""OpenVINO's CPU plugin: faster than ONNX Runtime, most of all on int8 networks."""

import sys
from typing import Any

import numpy as np

from msdepth_ros.errors import BackendError, ModelError, RuntimeMissingError
from msdepth_ros.inference.backends.base import Backend, without_units
from msdepth_ros.inference.backends.precision import cpu_file
from msdepth_ros.inference.backends.tensor_check import FoundTensor, check_tensors
from msdepth_ros.inference.model import Model, Tensor

_ONNX_TYPES = {'u8': 'uint8', 'i8': 'int8', 'f16': 'float16', 'f32': 'float', 'f64': 'double'}


class OpenVinoBackend(Backend):
    """Runs a model on OpenVINO's CPU plugin, on tensors of its own (no copy a frame).

    With `precision` 'fp32' every product is computed in FP32. With 'auto' the model's int8 file is
    used where it has one ('int8' insists on it), and what is not int8 is computed in BF16 on a CPU
    with instructions for it (AMX, AVX512-BF16), else in FP32. OpenVINO's FP16 is slower than its
    FP32 on x86.
    """

    name = 'openvino'
    device = 'CPU'

    def __init__(self, model: Model, threads: int = 0, precision: str = 'fp32') -> None:
        model, quantised = cpu_file(model, precision, 'OpenVINO')
        openvino = _import()
        core = openvino.Core()
        floats = 'f32'
        if precision != 'fp32' and 'BF16' in core.get_property('CPU', 'OPTIMIZATION_CAPABILITIES'):
            floats = 'bf16'
        self.precision = 'int8' if quantised else {'f32': 'fp32'}.get(floats, floats)
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
                network.reshape({each.name: list(each.shape) for each in model.inputs.values()})
                _check(model, network)
            self._request = core.compile_model(network, 'CPU', settings).create_infer_request()
        except RuntimeError as error:
            raise ModelError(
                f'model {model.name}: OpenVINO cannot load {model.onnx}: {_reason(error)}'
            ) from error
        self.inputs = self._bound(model.inputs, openvino.Tensor)
        self.outputs = self._bound(model.outputs, openvino.Tensor)

    def run(self) -> None:
        """Compute `outputs` from `inputs`; raises BackendError if OpenVINO fails."""
        try:
            self._request.infer()
        except RuntimeError as error:
            reason = _reason(error)
            raise BackendError(f'OpenVINO failed on {self.model.name}: {reason}') from error

    def close(self) -> None:
        """Free the compiled network."""
        del self._request

    def _bound(self, tensors: dict[str, Tensor], shared: Any) -> dict[str, np.ndarray]:
        """Give each tensor a buffer; return the buffers by role."""
        buffers = {}
        for role, tensor in tensors.items():
            buffer = np.zeros(tensor.shape, tensor.dtype)
            self._request.set_tensor(tensor.name, shared(buffer, shared_memory=True))
            buffers[role] = without_units(buffer)
        return buffers


def _check(model: Model, network: Any) -> None:
    """Raise ModelError unless the network's tensors are those of the model's YAML."""
    check_tensors(
        model,
        _tensors(network.inputs, model.inputs),
        _tensors(network.outputs, model.outputs),
    )


def _tensors(ports: list[Any], wanted: dict[str, Tensor]) -> dict[str, FoundTensor]:
    """Return the tensors by name; a tensor may have several, of which a wanted one is preferred."""
    names = {tensor.name for tensor in wanted.values()}
    found = {}
    for port in ports:
        name = min(names & port.names, default=port.any_name)
        kind = port.element_type.get_type_name()
        sizes = [None if size.is_dynamic else size.get_length() for size in port.partial_shape]
        found[name] = FoundTensor(_ONNX_TYPES.get(kind, kind), sizes)
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
