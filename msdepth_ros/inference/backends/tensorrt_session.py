# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One TensorRT engine at work: its context, its buffers, and the graph that runs a frame."""

import json
import re
from typing import Any

import numpy as np

from msdepth_ros.errors import BackendError
from msdepth_ros.inference.backends.cuda import CudaDevice, CudaGraph
from msdepth_ros.inference.backends.tensorrt_api import TensorRt
from msdepth_ros.inference.model import Model

# What the inspector calls layers that multiply: 'CaskConvolution', 'gemm', 'correlation' and so on.
PRODUCT = re.compile(
    'conv|gemm|matrix_?multiply|matmul|fully_?connected|correlation', re.IGNORECASE
)
HALF = re.compile(r'\b(?:half|fp16)\b', re.IGNORECASE)


class BadPlanError(BackendError):
    """The plan is not one that this TensorRT runs, or not of this model: build it anew."""


class TensorRtSession:
    """A deserialised engine, ready to run. Nothing is allocated per frame.

    Attributes
    ----------
    input : uint8 [height, width, 3], page-locked.
    output : float32 [height, width], page-locked.
    uses_graph : whether a frame is one launch of a CUDA graph.

    Raises
    ------
    BadPlanError
        If TensorRT refuses the plan, or it is not of this model.
    BackendError
        If memory runs out or the GPU fails, which no other plan would mend.
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
            if not context.set_tensor_address(model.input_name, int(self._image)):
                raise api.error(f'{model.name} takes no input')
            if not context.set_tensor_address(model.output_name, int(self._depth)):
                raise api.error(f'{model.name} gives no output')
            self._enqueue()  # what is initialised at the first run must not be captured
            cuda.wait()
            if cuda_graph and api.can_capture(context, cuda.stream):
                self._graph = cuda.capture(self._enqueue)
        self.uses_graph = self._graph is not None

    def run(self) -> None:
        """Compute `output` from `input`, both in host memory; sleeps while the GPU works."""
        with self._cuda.current(self._what):
            if self._graph is not None:
                self._graph.launch()
            else:
                self._enqueue()
            self._cuda.wait()

    def layers(self) -> list[Any]:
        """Return what the engine's inspector tells of each layer (dicts, or names alone)."""
        trt = self._api.module
        with self._cuda.current():
            inspector = self._engine.create_engine_inspector()
            text = inspector.get_engine_information(trt.LayerInformationFormat.JSON)
        try:
            return list(json.loads(text)['Layers'])
        except (ValueError, KeyError, TypeError):
            return []

    def close(self) -> None:
        """Free the engine and all memory; `input` and `output` go with their last user."""
        with self._cuda.current():
            if self._graph is not None:
                self._graph.close()
                self._graph = None
            del self._context, self._engine, self._runtime
            del self._image, self._depth, self.input, self.output

    def _allocate(self) -> None:
        width, height = self._model.input_size
        self.input = self._cuda.host_array((height, width, 3), np.uint8)
        width, height = self._model.output_size
        self.output = self._cuda.host_array((height, width), np.float32)
        self._image = self._cuda.device_memory(self.input.nbytes)
        self._depth = self._cuda.device_memory(self.output.nbytes)

    def _enqueue(self) -> None:
        self._cuda.upload(self._image, self.input)
        if not self._context.execute_async_v3(self._cuda.stream):
            raise self._api.error(self._what)
        self._cuda.download(self.output, self._depth)

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
        (in_width, in_height), (out_width, out_height) = model.input_size, model.output_size
        wanted = {
            model.input_name: (True, trt.DataType.UINT8, (1, in_height, in_width, 3)),
            model.output_name: (False, trt.DataType.FLOAT, (1, 1, out_height, out_width)),
        }
        if found != wanted:
            raise BadPlanError(f'the engine is not of the model {model.name}: it has {found}')


def count_half_products(layers: list[Any]) -> tuple[int, int]:
    """Return how many layers convolve or multiply matrices, and how many of those do it in FP16.

    Only the types count that the inspector gives the operands, for a name says nothing. It writes
    them 'Half', 'Row major linear FP16 format' and the like.
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
