# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Wraps an exported network: input uint8 [1, H, W, 3], output float32 [1, 1, h, w], fixed sizes.

The operations that are added mean the same in every opset since 9.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from msdepth_ros.adopt.camera_input import add_camera
from msdepth_ros.adopt.exported import TensorInfo, import_onnx
from msdepth_ros.adopt.float32 import compute_in_float32
from msdepth_ros.adopt.plan import Plan
from msdepth_ros.adopt.recipe import Recipe
from msdepth_ros.errors import ModelError
from msdepth_ros.inference.model import DEPTH, IMAGE, INTRINSICS

CONFIDENCE = 'confidence'
_OWN = (IMAGE, INTRINSICS, DEPTH, CONFIDENCE)  # names of the wrapped graph's tensors
_PREFIX = 'adopted/'  # prefix of the names of everything that is added


@dataclass(frozen=True)
class Predicted:
    """The shapes of a network's outputs at its fixed input size.

    Attributes
    ----------
    depth : name of the depth's tensor.
    shapes : of all outputs, by name.
    """

    depth: str
    shapes: Mapping[str, tuple[int, ...]]

    def channel_axis(self, name: str) -> int | None:
        """Return the axis of an output's channels: the shortest of three axes longer than 1."""
        return _channel_axis(self.shapes[name])

    def size(self, name: str, channel: int | None) -> tuple[int, int]:
        """Return the (width, height) of an output's map.

        Raises
        ------
        ModelError
            If it is not a map, or has several channels and none is chosen.
        """
        shape = list(self.shapes[name])
        axis = _channel_axis(shape)
        if axis is not None:
            if channel is None:
                raise ModelError(
                    f"the output '{name}' {shape} has {shape[axis]} channels: choose the one with "
                    f'the depth, --output {name}:CHANNEL'
                )
            if not 0 <= channel < shape[axis]:
                raise ModelError(f"the output '{name}' {shape} has no channel {channel}")
            shape.pop(axis)
        sides = [side for side in shape if side != 1]
        if len(sides) != 2:
            raise ModelError(
                f"the output '{name}' {list(self.shapes[name])} is not a map of depth: name the "
                'right one with --output'
            )
        return sides[1], sides[0]


def _channel_axis(shape: 'list[int] | tuple[int, ...]') -> int | None:
    """Return the axis of an output's channels, None if there is none."""
    large = [axis for axis, side in enumerate(shape) if side > 1]
    if len(large) != 3:
        return None
    return min(large, key=lambda axis: shape[axis])


def image_shape(info: TensorInfo, size: tuple[int, int]) -> tuple[tuple[int, ...], bool]:
    """Return the image's shape for a (width, height), and whether its channels are last."""
    width, height = size
    last = info.shape[-1] == 3 and info.shape[-3] != 3
    shape = (height, width, 3) if last else (3, height, width)
    return (1,) * (len(info.shape) - 3) + shape, last


def wrap(exported: Any, image: TensorInfo, plan: Plan, predicted: Predicted) -> Any:
    """Return the wrapped network as onnx.ModelProto.

    Parameters
    ----------
    exported : onnx.ModelProto, the network.
    image : its input.
    plan : how it is used.
    predicted : its outputs at the plan's size.
    """
    recipe, size = plan.recipe, plan.size
    onnx = import_onnx()
    model = onnx.ModelProto()
    model.CopyFrom(exported)
    wanted = [predicted.depth]
    wanted += [recipe.invalid.name] if recipe.invalid else []
    wanted += [recipe.confidence] if recipe.confidence else []
    compute_in_float32(onnx, model)
    _keep_outputs(onnx, model, wanted)
    _store_constants(onnx, model, plan.constants)
    for name in _OWN:
        _rename(model.graph, name, f'{_PREFIX}network_{name}')

    def inner(name: str) -> str:
        return f'{_PREFIX}network_{name}' if name in _OWN else name

    graph = _Additions(onnx)
    graph.prepare(recipe, image, size, inner(image.name))
    if recipe.camera_input is not None:
        camera = next(info for info in exported.graph.input if info.name == recipe.camera_input[0])
        rank = len(camera.type.tensor_type.shape.dim)
        graph.camera(recipe.camera_input[1], size, rank, inner(camera.name))
    network_nodes = list(model.graph.node)
    del model.graph.node[:], model.graph.input[:], model.graph.output[:]
    model.graph.node.extend([*graph.nodes, *network_nodes])
    graph.nodes.clear()
    outputs = [graph.depth(recipe, predicted, inner)]
    if recipe.confidence:
        outputs.append(graph.confidence(recipe, predicted, inner))
    model.graph.node.extend(graph.nodes)
    model.graph.initializer.extend(graph.initializers)
    width, height = size
    info = onnx.helper.make_tensor_value_info
    model.graph.input.append(info(IMAGE, onnx.TensorProto.UINT8, [1, height, width, 3]))
    if recipe.camera_input is not None:
        model.graph.input.append(info(INTRINSICS, onnx.TensorProto.FLOAT, [1, 3, 3]))
    out_width, out_height = predicted.size(predicted.depth, recipe.channel)
    shape = [1, 1, out_height, out_width]
    model.graph.output.extend(info(name, onnx.TensorProto.FLOAT, shape) for name in outputs)
    model.graph.name = 'adopted'
    return model


class _Additions:
    """Creates the nodes before and after a network."""

    def __init__(self, onnx: Any) -> None:
        self._onnx = onnx
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []

    def prepare(
        self, recipe: Recipe, image: TensorInfo, size: tuple[int, int], output: str
    ) -> None:
        """Add the operations from the uint8 image to the network's input."""
        shape, last = image_shape(image, size)
        name = self._add('Cast', [IMAGE], 'float', to=self._onnx.TensorProto.FLOAT)
        mean, std = recipe.normalisation.mean, recipe.normalisation.std
        if recipe.channels == 'bgr':
            name = self._add('Gather', [name, self._ints('order', [2, 1, 0])], 'bgr', axis=3)
            mean, std = mean[::-1], std[::-1]
        if any(mean):
            name = self._add('Sub', [name, self._floats('mean', mean, (1, 1, 1, 3))], 'centred')
        if std != (1.0, 1.0, 1.0):
            name = self._add('Div', [name, self._floats('std', std, (1, 1, 1, 3))], 'normal')
        if not last:
            name = self._add('Transpose', [name], 'planes', perm=[0, 3, 1, 2])
        if image.kind == 'UINT8':
            name = self._add('Cast', [name], 'bytes', to=self._onnx.TensorProto.UINT8)
        self._add('Reshape', [name, self._ints('input_shape', shape)], output, own=False)

    def camera(self, kind: str, size: tuple[int, int], rank: int, output: str) -> None:
        """Add the operations from the camera matrix to the network's camera input."""
        made = add_camera(kind, INTRINSICS, size, rank, self._add, self._store)
        self.nodes.append(self._onnx.helper.make_node('Identity', [made], [output]))

    def depth(self, recipe: Recipe, predicted: Predicted, inner: Any) -> str:
        """Add the operations from the network's prediction to the depth; return its name."""
        name = self._map(predicted, predicted.depth, recipe.channel, inner)
        if recipe.scale != 1.0:
            name = self._add('Mul', [name, self._floats('scale', [recipe.scale], ())], 'scaled')
        if recipe.shift != 0.0:
            name = self._add('Add', [name, self._floats('shift', [recipe.shift], ())], 'shifted')
        if recipe.invalid is not None:
            size = predicted.size(predicted.depth, recipe.channel)
            if predicted.size(recipe.invalid.name, None) != size:
                raise ModelError(
                    f"the outputs '{predicted.depth}' and '{recipe.invalid.name}' differ in size: "
                    'omit the latter with --invalid none'
                )
            marks = self._map(predicted, recipe.invalid.name, None, inner)
            value = self._floats('threshold', [recipe.invalid.value], ())
            below = self._add('Less', [marks, value], 'below')
            nothing = self._floats('nothing', [np.nan], ())
            order = [nothing, name] if recipe.invalid.operator == '<' else [name, nothing]
            name = self._add('Where', [below, *order], 'valid')
        self.nodes.append(self._onnx.helper.make_node('Identity', [name], [DEPTH]))
        return DEPTH

    def confidence(self, recipe: Recipe, predicted: Predicted, inner: Any) -> str:
        """Add the operations from a confidence of at least 1 to 1 - 1 / confidence."""
        size = predicted.size(predicted.depth, recipe.channel)
        if predicted.size(recipe.confidence, None) != size:
            raise ModelError(
                f"the outputs '{predicted.depth}' and '{recipe.confidence}' differ in size"
            )
        name = self._map(predicted, recipe.confidence, None, inner)
        one = self._floats('one', [1.0], ())
        name = self._add('Div', [one, name], 'doubt')
        self.nodes.append(self._onnx.helper.make_node('Sub', [one, name], [CONFIDENCE]))
        return CONFIDENCE

    def _map(self, predicted: Predicted, name: str, channel: int | None, inner: Any) -> str:
        """Return the name of an output's map as [1, 1, h, w]."""
        shape = predicted.shapes[name]
        width, height = predicted.size(name, channel)
        tensor, axis = inner(name), _channel_axis(shape)
        if axis is not None:
            index = self._ints('channel', [channel or 0])
            tensor = self._add('Gather', [tensor, index], f'channel_of_{name}', axis=axis)
        sides = self._ints(f'{name}_shape', (1, 1, height, width))
        return self._add('Reshape', [tensor, sides], f'map_of_{name}')

    def _add(
        self, operation: str, inputs: list[str], output: str, own: bool = True, **attributes: Any
    ) -> str:
        name = f'{_PREFIX}{output}' if own else output
        node = self._onnx.helper.make_node(
            operation, inputs, [name], f'{_PREFIX}{operation}_{len(self.nodes)}', **attributes
        )
        self.nodes.append(node)
        return name

    def _floats(self, name: str, values: Any, shape: tuple[int, ...]) -> str:
        return self._store(name, np.array(values, np.float32).reshape(shape))

    def _ints(self, name: str, values: Any) -> str:
        return self._store(name, np.array(values, np.int64))

    def _store(self, name: str, values: np.ndarray) -> str:
        name = f'{_PREFIX}{name}'
        if all(stored.name != name for stored in self.initializers):
            self.initializers.append(self._onnx.numpy_helper.from_array(values, name))
        return name


def _store_constants(onnx: Any, model: Any, constants: Mapping[str, np.ndarray]) -> None:
    """Replace further inputs by constants."""
    for info in model.graph.input:
        value = constants.get(info.name)
        if value is not None:
            floats = info.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
            stored = value.astype(np.float32) if floats else value
            model.graph.initializer.append(onnx.numpy_helper.from_array(stored, info.name))


def _keep_outputs(onnx: Any, model: Any, wanted: list[str]) -> None:
    """Remove all other outputs, and the nodes that only they need."""
    needed, kept = set(wanted), []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(_used_names(node))
    kept.reverse()
    weights = [tensor for tensor in model.graph.initializer if tensor.name in needed]
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(kept)
    model.graph.initializer.extend(weights)


def _used_names(node: Any) -> set[str]:
    """Return the names that a node reads, also in the graphs inside it."""
    names = set(node.input)
    for attribute in node.attribute:
        if attribute.HasField('g'):
            for inner in attribute.g.node:
                names |= _used_names(inner)
            names.update(output.name for output in attribute.g.output)
    return names


def _rename(graph: Any, old: str, new: str) -> None:
    """Rename a tensor, also in the graphs inside nodes."""
    for tensor in graph.initializer:
        if tensor.name == old:
            tensor.name = new
    for info in (*graph.input, *graph.output, *graph.value_info):
        if info.name == old:
            info.name = new
    for node in graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name == old:
                    names[index] = new
        for attribute in node.attribute:
            if attribute.HasField('g'):
                _rename(attribute.g, old, new)
