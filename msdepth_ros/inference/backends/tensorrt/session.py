# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A running TensorRT engine: its context, its buffers, and the CUDA graph of a frame."""

import json
import re
from typing import Any

import numpy as np

from msdepth_ros.errors import BackendError
from msdepth_ros.inference.backends.base import without_units
from msdepth_ros.inference.backends.tensorrt.api import TensorRt, tensor_type
from msdepth_ros.inference.backends.tensorrt.cuda import CudaDevice, CudaGraph
from msdepth_ros.inference.model import Model, Tensor

# Names that the inspector gives to convolutions and matrix products: 'CaskConvolution', 'gemm', ...
PRODUCT = re.compile(
    'conv|gemm|matrix_?multiply|matmul|fully_?connected|correlation', re.IGNORECASE
)
HALF = re.compile(r'\b(?:half|fp16)\b', re.IGNORECASE)


class BadPlanError(BackendError):
    """TensorRT cannot run the plan, or it is of another model: build it again."""


class TensorRtSession:
    """A deserialised engine, ready to run. Nothing is allocated per frame.

    Attributes
    ----------
    inputs, outputs : page-locked arrays by role, see `Backend`.
    uses_graph : whether a frame is one launch of a CUDA graph.

    Raises
    ------
    BadPlanError
        If TensorRT rejects the plan, or it is of another model.
    BackendError
        If there is not enough memory or the GPU fails: another plan would not help.
    """

    def __init__(
        self, api: TensorRt, cuda: CudaDevice, model: Model, plan: bytes, cuda_graph: bool = True
    ) -> None:
        self._api, self._cuda, self._model = api, cuda, model
        self._graph: CudaGraph | None = None
        self._what = f'the GPU failed while running {model.name}'
        trt = api.module
        api.log.clear()
        with cuda.current(f'the engine of {model.name} cannot be loaded'):
            self._runtime = trt.Runtime(api.log.bridge)
            engine = self._runtime.deserialize_cuda_engine(plan)
            if engine is None:
                error = api.error(f'the engine of {model.name} cannot be loaded')
                raise error if api.gpu_failed() else BadPlanError(str(error))
            self._engine = engine
            self._check_tensors()
            context = engine.create_execution_context()
            if context is None:
                raise api.error(f'the engine of {model.name} cannot be started')
            self._context = context
            self._allocate()
            for role, tensor in (model.inputs | model.outputs).items():
                if not context.set_tensor_address(tensor.name, int(self._memory[role])):
                    raise api.error(f'{model.name} has no tensor {tensor.name}')
            self._enqueue()  # the first run initialises, which must not be captured
            cuda.wait()
            if cuda_graph and api.can_capture(context, cuda.stream):
                self._graph = cuda.capture(self._enqueue)
        self.uses_graph = self._graph is not None

    def run(self) -> None:
        """Compute `outputs` from `inputs`, both in host memory; sleeps while the GPU works."""
        with self._cuda.current(self._what):
            if self._graph is not None:
                self._graph.launch()
            else:
                self._enqueue()
            self._cuda.wait()

    def layers(self) -> list[Any]:
        """Return the engine inspector's description of each layer (dicts, or only names)."""
        trt = self._api.module
        with self._cuda.current():
            inspector = self._engine.create_engine_inspector()
            text = inspector.get_engine_information(trt.LayerInformationFormat.JSON)
        try:
            return list(json.loads(text)['Layers'])
        except (ValueError, KeyError, TypeError):
            return []

    def close(self) -> None:
        """Free the engine and all memory, that of `inputs` and `outputs` with their last user."""
        with self._cuda.current():
            if self._graph is not None:
                self._graph.close()
                self._graph = None
            del self._context, self._engine, self._runtime
            del self._memory, self.inputs, self.outputs

    def _allocate(self) -> None:
        self.inputs = self._host_arrays(self._model.inputs)
        self.outputs = self._host_arrays(self._model.outputs)
        self._memory = {
            role: self._cuda.device_memory(array.nbytes)
            for role, array in (self.inputs | self.outputs).items()
        }

    def _host_arrays(self, tensors: dict[str, Tensor]) -> dict[str, np.ndarray]:
        return {
            role: without_units(self._cuda.host_array(tensor.shape, np.dtype(tensor.dtype)))
            for role, tensor in tensors.items()
        }

    def _enqueue(self) -> None:
        for role, array in self.inputs.items():
            self._cuda.upload(self._memory[role], array)
        if not self._context.execute_async_v3(self._cuda.stream):
            raise self._api.error(self._what)
        for role, array in self.outputs.items():
            self._cuda.download(array, self._memory[role])

    def _check_tensors(self) -> None:
        trt, engine, model = self._api.module, self._engine, self._model
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        found = {
            name: (
                engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT,
                engine.get_tensor_dtype(name),
                tuple(engine.get_tensor_shape(name)),
            )
            for name in names
        }
        wanted = {
            tensor.name: (is_input, tensor_type(trt, tensor), tensor.shape)
            for is_input, tensors in ((True, model.inputs), (False, model.outputs))
            for tensor in tensors.values()
        }
        if found != wanted:
            raise BadPlanError(f'the engine is not of the model {model.name}: it has {found}')


def count_half_products(layers: list[Any]) -> tuple[int, int]:
    """Return the number of convolutions and matrix products, and how many of them are FP16.

    A layer is FP16 by the types of its operands, not by its name. The inspector writes them as
    'Half', 'Row major linear FP16 format' and the like.

    Parameters
    ----------
    layers : as `TensorRtSession.layers` returns them.
    """
    products = [
        info
        for info in layers
        if isinstance(info, dict) and PRODUCT.search(str(info.get('LayerType')))
    ]
    return len(products), sum(_is_half(info) for info in products)


def _is_half(info: dict[str, Any]) -> bool:
    try:
        types = [tensor['Format/Datatype'] for tensor in info['Inputs']]
        types += [info['Weights']['Type']] if 'Weights' in info else []
    except (KeyError, TypeError):
        return False
    return bool(types) and all(HALF.search(str(each)) for each in types)
