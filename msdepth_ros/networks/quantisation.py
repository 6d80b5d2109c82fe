# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Quantises an exported network to int8, for CPUs."""

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

from msdepth_ros.networks.export import IR_VERSION

_KINDS = ['Add', 'Clip', 'Concat', 'Conv', 'Gemm', 'MaxPool', 'Relu', 'Reshape', 'Resize']


class _Calibration(CalibrationDataReader):  # type: ignore[misc]
    """Feeds images one at a time."""

    def __init__(self, images: Iterable[np.ndarray]) -> None:
        self._images = iter(images)

    def get_next(self) -> dict[str, Any] | None:
        """Return the next image as the network's input; None after the last one."""
        image = next(self._images, None)
        return None if image is None else {'image': image[None]}


def quantise(
    model: onnx.ModelProto, images: Iterable[np.ndarray], precise: Sequence[str]
) -> onnx.ModelProto:
    """Return a model that computes its features in int8 (static QDQ).

    Maps of one channel, which are depth, stay FP32. Weights have seven bits: with eight bits, the
    16-bit sums of x86 CPUs without VNNI would overflow.

    Parameters
    ----------
    model : as `export.to_onnx` returns it, with FP32 weights.
    images : uint8 [H, W, 3], network inputs on which the ranges of values are measured.
    precise : names of the network's submodules that stay FP32.
    """
    maps = _of_one_channel(model)
    excluded = [
        node.name
        for node in model.graph.node
        if maps.intersection(node.output) or any(_is_in(node, name) for name in precise)
    ]
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / 'fp32.onnx', Path(folder) / 'int8.onnx'
        onnx.save(model, source)
        quantize_static(
            source,
            target,
            _Calibration(images),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            reduce_range=True,
            op_types_to_quantize=_KINDS,
            nodes_to_exclude=excluded,
        )
        quantised = onnx.load(target)
    quantised.ir_version = IR_VERSION
    quantised.producer_name, quantised.producer_version = 'msdepth_ros', ''
    onnx.checker.check_model(quantised, full_check=True)
    return quantised


def _of_one_channel(model: onnx.ModelProto) -> set[str]:
    """Return the names of the values of shape [N, 1, h, w]."""
    shapes = onnx.shape_inference.infer_shapes(model).graph.value_info
    return {
        value.name
        for value in shapes
        if len(value.type.tensor_type.shape.dim) == 4
        and value.type.tensor_type.shape.dim[1].dim_value == 1
    }


def _is_in(node: onnx.NodeProto, submodule: str) -> bool:
    return f'/{submodule}/'.replace('.', '/') in node.name.replace('.', '/')
