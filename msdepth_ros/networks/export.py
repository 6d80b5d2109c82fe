# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Exports a trained network to the ONNX file that every backend runs.

The file has a uint8 image as input and metres as output, so that all backends compute the same.
Weights are stored as FP16, and cast to FP32 before they are used.
"""

import hashlib
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
import yaml
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnxscript import optimizer, rewriter
from onnxscript.rewriter.rules import common
from torch import Tensor, nn

from msdepth_ros.errors import MsdepthError
from msdepth_ros.networks.depth_network import DepthNetwork, normalise
from msdepth_ros.networks.heads import probability

OPSET = 17  # the newest that TensorRT 8.5 reads
IR_VERSION = 8  # the newest that ONNX Runtime 1.12 reads
_SMALLEST = 256  # elements; smaller tensors stay FP32
_HALF = '_half'  # suffix of the name of a weight that is stored as FP16
_OWN = 'network.'  # prefix of the names of the network's weights in Deployed


class Deployed(nn.Module):
    """A network as it is exported: uint8 [1, H, W, 3] RGB in, metres [1, 1, h, w] out."""

    def __init__(self, network: DepthNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return float32 [1, 1, h, w], depth along Z in metres at the network's focal length.

        If the network has heads, their probabilities follow, on the same grid, in their order.
        """
        predicted = self.network.complete(normalise(image))
        depth = torch.exp(predicted.maps[0])
        others = [probability(name, predicted.heads[name]) for name in self.network.heads]
        return (depth, *others) if others else depth


def to_onnx(network: DepthNetwork, half: bool = True) -> onnx.ModelProto:
    """Return a network as a checked ONNX model, by default with weights stored as FP16."""
    width, height = network.image_size
    deployed = Deployed(network.folded()).cpu().eval()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter('ignore')  # the exporter's own deprecation
        torch.onnx.export(
            deployed,
            (torch.zeros(1, height, width, 3, dtype=torch.uint8),),
            str(Path(folder) / 'model.onnx'),
            input_names=['image'],
            output_names=['depth', *network.heads],
            opset_version=OPSET,
            dynamo=False,
        )
        model = onnx.load(Path(folder) / 'model.onnx')
    model = simplify(model)
    if half:
        store_as_half(model)
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = 'msdepth_ros', ''
    onnx.checker.check_model(model, full_check=True)
    return model


def weights_of(path: Path) -> dict[str, Tensor]:
    """Return the weights in a file of `to_onnx`, by their names in `network.folded()`.

    Raises
    ------
    MsdepthError
        If the file cannot be read, or was not written by `msdepth export`.
    """
    try:
        model = onnx.load(path)
    except (OSError, DecodeError) as error:
        raise MsdepthError(f'cannot read the weights in {path}: {error}') from error
    stored = {weight.name.removesuffix(_HALF): weight for weight in model.graph.initializer}
    weights = {
        name.removeprefix(_OWN): torch.from_numpy(numpy_helper.to_array(weight).astype(np.float32))
        for name, weight in stored.items()
        if name.startswith(_OWN)
    }
    if not weights:
        raise MsdepthError(
            f'{path} was not written by `msdepth export`: give a file of it, or a checkpoint'
        )
    return weights


def simplify(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with its Pad nodes merged into the convolutions after them."""
    for node in model.graph.node:
        if node.op_type == 'Pad':
            amounts = numpy_helper.from_array(_constant(model, node.input[1]), f'{node.name}_pads')
            model.graph.initializer.append(amounts)
            node.input[1] = amounts.name
    pad_rules = [common.normalize_pad_format_conv_rule, common.fuse_pad_into_conv_rule]
    return rewriter.rewrite(optimizer.optimize(model), pattern_rewrite_rules=pad_rules)


def _constant(model: onnx.ModelProto, name: str) -> np.ndarray:
    """Return the value of a tensor that does not depend on the model's input."""
    graph, wanted = model.graph, {name}
    nodes: list[onnx.NodeProto] = []
    for node in reversed(graph.node):  # they are in topological order
        if wanted.intersection(node.output):
            nodes.insert(0, node)
            wanted.update(node.input)
    weights = [weight for weight in graph.initializer if weight.name in wanted]
    outputs = [helper.make_empty_tensor_value_info(name)]
    part = helper.make_graph(nodes, 'constant', [], outputs, weights)
    part_model = helper.make_model(part, opset_imports=model.opset_import)
    values: Any = ReferenceEvaluator(part_model).run(None, {})
    return np.asarray(values[0])


def store_as_half(model: onnx.ModelProto) -> None:
    """Store the model's FP32 weights as FP16, with a cast to FP32 before each is used.

    Raises
    ------
    MsdepthError
        If a weight is larger than FP16's maximum (65504).
    """
    casts = []
    for weight in model.graph.initializer:
        values = numpy_helper.to_array(weight)
        if weight.data_type != TensorProto.FLOAT or values.size < _SMALLEST:
            continue
        if not np.all(np.abs(values) <= np.finfo(np.float16).max):
            raise MsdepthError(f'weight {weight.name} does not fit FP16: train with weight decay')
        full = weight.name
        half = full + _HALF
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), half))
        casts.append(helper.make_node('Cast', [half], [full], f'{full}_cast', to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def write_model(
    network: DepthNetwork,
    name: str,
    folder: Path,
    depth_range: tuple[float, float],
    metadata: dict[str, Any],
) -> Path:
    """Write `<name>.onnx` and `<name>.yaml`; return the YAML's path.

    Parameters
    ----------
    network : to export.
    name : of the model.
    folder : to write to; created if it is missing.
    depth_range : nearest and farthest depth, metres.
    metadata : appended to the YAML.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data = to_onnx(network).SerializeToString(deterministic=True)
    (folder / f'{name}.onnx').write_bytes(data)
    grid = network.grid
    width, height = network.image_size
    document = {
        'name': name,
        'onnx': f'{name}.onnx',
        'sha256': hashlib.sha256(data).hexdigest(),
        'input': {'name': 'image', 'width': width, 'height': height, 'channels': 'rgb'},
        'output': {
            'name': 'depth',
            'width': grid.width,
            'height': grid.height,
            'quantity': 'depth',
        },
        **({'outputs': {name: {'name': name} for name in network.heads}} if network.heads else {}),
        'grid': {'origin': list(grid.origin), 'step': list(grid.step)},
        'focal': network.focal,
        'depth_range': list(depth_range),
        **metadata,
    }
    path = folder / f'{name}.yaml'
    _write_yaml(path, document)
    return path


def add_metadata(path: Path, metadata: dict[str, Any]) -> None:
    """Append metadata to a YAML of `write_model`."""
    _write_yaml(path, {**yaml.safe_load(path.read_text(encoding='utf-8')), **metadata})


def _write_yaml(path: Path, document: dict[str, Any]) -> None:
    text = yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=100)
    path.write_text(f'# Written by `msdepth export`.\n{text}', encoding='utf-8')
