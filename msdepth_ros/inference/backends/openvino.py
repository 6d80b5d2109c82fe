# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""OpenVINO: on a CPU (faster than ONNX Runtime, above all in int8), Intel's GPU or NPU."""

import sys
from typing import Any

import numpy as np

from msdepth_ros.errors import BackendError, ModelError, RuntimeMissingError
from msdepth_ros.host.signal_stack import kept_signal_stack
from msdepth_ros.inference.backends.base import Backend, without_units
from msdepth_ros.inference.backends.openvino_device import (
    DevicePlan,
    choose_devices,
    plans_for,
)
from msdepth_ros.inference.backends.self_check import check_engine
from msdepth_ros.inference.backends.tensor_check import FoundTensor, check_tensors
from msdepth_ros.inference.model import Model, Tensor

_ONNX_TYPES = {'u8': 'uint8', 'i8': 'int8', 'f16': 'float16', 'f32': 'float', 'f64': 'double'}


class OpenVinoBackend(Backend):
    """Runs a model on one of OpenVINO's devices; on a CPU nothing is copied.

    A model on a GPU or an NPU is compared with ONNX Runtime in FP32 when it is loaded. If it
    differs too much, the next slower plan is tried (`openvino_device.plans_for`).
    """

    name = 'openvino'

    def __init__(
        self, model: Model, threads: int = 0, precision: str = 'fp32', device: str = 'CPU'
    ) -> None:
        """Compile a model.

        Parameters
        ----------
        model : the model to load.
        threads : of the CPU; 0: one per core.
        precision : 'auto', or one that the device supports, see `openvino_device.plans_for`.
        device : 'CPU', 'GPU', 'NPU'; or 'AUTO', the fastest that is present and works.

        Raises
        ------
        RuntimeMissingError
            If OpenVINO is not installed.
        BackendError
            If the device is not present, or computes too inexactly.
        ModelError
            If the model's files cannot be used.
        """
        with kept_signal_stack():
            openvino = _import()
            core = openvino.Core()
            devices = choose_devices(core, device)
            rejection: BackendError | ModelError | None = None
            for each in devices:
                try:
                    for plan in plans_for(core, each, model, threads, precision):
                        try:
                            self._load(openvino, core, plan)
                            return
                        except BackendError as error:
                            rejection = error
                except (BackendError, ModelError) as error:
                    rejection = error
                    if len(devices) == 1:
                        raise
            raise rejection or BackendError('OpenVINO finds no device on this machine')

    def _load(self, openvino: Any, core: Any, plan: DevicePlan) -> None:
        """Compile a model as planned; raises BackendError or ModelError."""
        model = plan.model
        self.device, self.precision = plan.title, plan.precision
        super().__init__(model)
        data = model.read_onnx()
        try:
            network = core.read_model(data if model.weights is None else str(model.onnx))
            _check(model, network)
            if network.is_dynamic():
                network.reshape({each.name: list(each.shape) for each in model.inputs.values()})
                _check(model, network)
            compiled = core.compile_model(network, plan.device, plan.settings)
            self._request = compiled.create_infer_request()
        except RuntimeError as error:
            raise ModelError(
                f'model {model.name}: OpenVINO cannot load {model.onnx}'
                f'{"" if plan.device == "CPU" else f" on {plan.title}"}: {_reason(error)}'
            ) from error
        self.inputs = self._bound(model.inputs, openvino.Tensor)
        self.outputs = self._bound(model.outputs, openvino.Tensor)
        if plan.device != 'CPU':
            check = check_engine(model, self.inputs, self.outputs, self.run)
            if not check.passed:
                self.close()
                raise BackendError(
                    f'{plan.title} computes {model.name} too inexactly in {plan.precision}: '
                    f'{check}; set openvino_device to CPU'
                )

    def run(self) -> None:
        """Compute `outputs` from `inputs`; raises BackendError if OpenVINO fails."""
        try:
            self._request.infer()
        except RuntimeError as error:
            reason = _reason(error)
            raise BackendError(f'OpenVINO failed on {self.model.name}: {reason}') from error

    def close(self) -> None:
        """Free the compiled network."""
        with kept_signal_stack():
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
    """Return the tensors by name; if a tensor has several names, the wanted one."""
    names = {tensor.name for tensor in wanted.values()}
    found = {}
    for port in ports:
        name = min(names & port.names, default=port.any_name)
        kind = port.element_type.get_type_name()
        sizes = [None if size.is_dynamic else size.get_length() for size in port.partial_shape]
        found[name] = FoundTensor(_ONNX_TYPES.get(kind, kind), sizes)
    return found


def _reason(error: RuntimeError) -> str:
    """Return the last line of OpenVINO's message: the lines before are places in its source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else 'it gave no reason'


def _import() -> Any:
    # Without this module, openvino sends no usage data over the network when it is imported.
    if 'openvino' not in sys.modules:
        sys.modules.setdefault('openvino_telemetry', None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError as error:
        raise RuntimeMissingError(
            'OpenVINO is not installed: run `pip install openvino`'
        ) from error
    return openvino
