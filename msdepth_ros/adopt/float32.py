# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Converts every adopted network to FP32 arithmetic.

Few CPUs compute FP16, TensorRT does not compute double, and the engine builder converts FP32 to
FP16 except where it is not exact enough. Weights that are exact in FP16 are stored as FP16, so that
the file does not grow.
"""

from typing import Any

import numpy as np

_SMALLEST = 256  # elements; smaller weights stay FP32
_HALF = '_half'  # suffix of the name of a weight that is stored as FP16


def compute_in_float32(onnx: Any, model: Any) -> None:
    """Convert all FP16, BF16 and double tensors of a model to FP32, in place."""
    proto = onnx.TensorProto
    others = {proto.FLOAT16, proto.BFLOAT16, proto.DOUBLE}
    _convert_graph(onnx, model.graph, others)


def _convert_graph(onnx: Any, graph: Any, others: set[int]) -> None:
    full = onnx.TensorProto.FLOAT
    for tensor in graph.initializer:
        _convert_tensor(onnx, tensor, others)
    for info in (*graph.input, *graph.output):
        if info.type.tensor_type.elem_type in others:
            info.type.tensor_type.elem_type = full
    del graph.value_info[:]
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name in ('to', 'dtype') and attribute.i in others:
                attribute.i = full
            if attribute.HasField('t'):
                _convert_tensor(onnx, attribute.t, others)
            if attribute.HasField('g'):
                _convert_graph(onnx, attribute.g, others)


def _convert_tensor(onnx: Any, tensor: Any, others: set[int]) -> None:
    if tensor.data_type in others:
        values = onnx.numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))


def store_exact_halves(onnx: Any, model: Any) -> None:
    """Store each FP32 weight that is exact in FP16 as FP16; in place."""
    casts, full = [], onnx.TensorProto.FLOAT
    for weight in model.graph.initializer:
        if weight.data_type != full or np.prod(weight.dims) < _SMALLEST:
            continue
        values = onnx.numpy_helper.to_array(weight)
        with np.errstate(over='ignore'):
            halved = values.astype(np.float16)
        if not np.array_equal(halved.astype(np.float32), values):
            continue
        name = weight.name
        weight.CopyFrom(onnx.numpy_helper.from_array(halved, name + _HALF))
        casts.append(onnx.helper.make_node('Cast', [name + _HALF], [name], f'{name}_cast', to=full))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
