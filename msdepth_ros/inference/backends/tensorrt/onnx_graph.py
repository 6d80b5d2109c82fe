# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Prepares a model's ONNX graph for TensorRT."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msdepth_ros.errors import BackendError, ModelError
from msdepth_ros.inference.backends.tensorrt.fp16 import (
    Fp16Counts,
    convert_to_fp16,
    convert_to_fp32,
)

LARGEST_GRAPH = (1 << 31) - 1  # bytes of a protobuf message
LARGE = 4096  # bytes; larger tensors are weights, smaller ones may be needed to infer shapes


@dataclass(frozen=True)
class PreparedGraph:
    """An ONNX graph ready for TensorRT.

    Attributes
    ----------
    onnx : the serialised ONNX model; its inputs and outputs are unchanged.
    fp32_weight_bytes : size of its weights in FP32.
    counts : what computes in FP16; None: nothing does.
    """

    onnx: bytes
    fp32_weight_bytes: int
    counts: Fp16Counts | None


def prepare_graph(data: bytes, precision: str, folder: Path | None = None) -> PreparedGraph:
    """Prepare a serialised FP32 ONNX model for TensorRT.

    The uint8 image is first cast to float, as TensorRT has no other operation on uint8.

    Parameters
    ----------
    data : the ONNX model.
    precision : 'fp16' converts the network's arithmetic to FP16; 'fp32' keeps it.
    folder : with the weights of a model that is too large for one file; None: they are in `data`.

    Raises
    ------
    ModelError
        If the model is not valid ONNX, cannot be converted, or is too large.
    BackendError
        If the `onnx` package is not installed.
    """
    onnx = _import_onnx()
    try:
        model = onnx.load_model_from_string(data)
        if folder is not None:
            onnx.load_external_data_for_model(model, str(folder))
        _cast_uint8_first(onnx, model)
        types = _tensor_types(onnx, model)
    except Exception as error:  # protobuf's and onnx's own types
        raise ModelError(f'not a valid ONNX model: {" ".join(str(error).split())}') from error
    counts = None
    if precision == 'fp16':
        counts = convert_to_fp16(onnx, model, types)
    else:
        convert_to_fp32(onnx, model, types)
    floats = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
    sizes = [
        onnx.numpy_helper.to_array(tensor).size
        for tensor in model.graph.initializer
        if tensor.data_type in floats
    ]
    if model.ByteSize() > LARGEST_GRAPH:
        raise ModelError(
            f'the graph has {model.ByteSize() / 1e9:.1f} GB, and the limit of ONNX is 2 GB: set '
            'the parameter `precision` to fp16, or `backend` to onnxruntime'
        )
    try:
        onnx.checker.check_model(model)
    except Exception as error:  # of onnx's own type
        raise ModelError(
            f'the Python package onnx {onnx.__version__} rejects the model, which may need a newer '
            f'one: {" ".join(str(error).split())}'
        ) from error
    return PreparedGraph(model.SerializeToString(), 4 * sum(sizes), counts)


def _import_onnx() -> Any:
    try:
        import onnx
    except ImportError as error:
        raise BackendError(
            'building an engine needs the Python package onnx: run `pip install onnx`'
        ) from error
    return onnx


def _cast_uint8_first(onnx: Any, model: Any) -> None:
    """Insert a cast to float after each uint8 input; later casts then change nothing."""
    graph, casts = model.graph, []
    for tensor in graph.input:
        if tensor.type.tensor_type.elem_type != onnx.TensorProto.UINT8:
            continue
        users = [node for node in graph.node if tensor.name in node.input]
        if all(node.op_type == 'Cast' for node in users):
            continue
        cast = f'{tensor.name}_as_float'
        for node in users:
            node.input[:] = [cast if name == tensor.name else name for name in node.input]
        casts.append(
            onnx.helper.make_node(
                'Cast', [tensor.name], [cast], name=cast, to=onnx.TensorProto.FLOAT
            )
        )
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    if casts:
        del graph.value_info[:]  # types noted there may have been uint8


def _tensor_types(onnx: Any, model: Any) -> dict[str, int]:
    """Return the element type of every tensor of a graph."""
    light = onnx.ModelProto()
    light.CopyFrom(model)
    for tensor in light.graph.initializer:
        if len(tensor.raw_data) > LARGE:
            tensor.ClearField('raw_data')
    light = onnx.shape_inference.infer_shapes(light)
    types = {tensor.name: tensor.data_type for tensor in light.graph.initializer}
    for info in (*light.graph.input, *light.graph.output, *light.graph.value_info):
        types[info.name] = info.type.tensor_type.elem_type
    return types
