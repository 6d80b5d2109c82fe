# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Converts an FP32 ONNX graph to FP16 arithmetic, and keeps FP32 where it matters.

FP16 is used between the first and the last convolution or matrix product of every path, where the
weights and the computing time are. FP32 is kept before that (from uint8 to the normalised image),
after that (exp and the final scale), and in every operation that loses accuracy or overflows in
FP16. Every tensor of the result has a type, as strongly typed networks need.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from msdepth_ros.errors import ModelError

PRODUCTS = frozenset({'Conv', 'ConvTranspose', 'Gemm', 'MatMul'})
KEPT_FP32 = frozenset(
    (
        *('Exp', 'Log', 'Pow', 'Sqrt', 'Reciprocal', 'Div', 'Erf', 'Softplus', 'CumSum'),
        *('Softmax', 'LogSoftmax', 'ReduceMean', 'ReduceSum', 'ReduceProd', 'ReduceL1', 'ReduceL2'),
        *('ReduceLogSum', 'ReduceLogSumExp', 'ReduceSumSquare', 'BatchNormalization', 'LRN'),
        *('InstanceNormalization', 'LayerNormalization', 'GroupNormalization', 'LpNormalization'),
        *('QuantizeLinear', 'DequantizeLinear', 'Cast'),
    )
)
# Inputs that must be FP32 in ONNX, whatever the type of the data.
FP32_INPUTS = {'Resize': (1, 2), 'Upsample': (1,)}
LARGEST_FP16 = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class Fp16Counts:
    """The result of a conversion in numbers.

    Attributes
    ----------
    fp16_nodes, fp32_nodes : number of operations in each type.
    products : number of convolutions and matrix products.
    fp32_products : those of them that stay FP32 because a weight is too large for FP16.
    """

    fp16_nodes: int
    fp32_nodes: int
    products: int
    fp32_products: int


def convert_to_fp16(onnx: Any, model: Any, types: dict[str, int]) -> Fp16Counts:
    """Convert an FP32 ONNX model in place; its inputs and outputs keep their types.

    Parameters
    ----------
    onnx : the `onnx` package.
    model : onnx.ModelProto; weights may be stored as FP16 and cast.
    types : element type of every tensor by name (onnx.TensorProto.DataType).

    Raises
    ------
    ModelError
        If the model has no products, or has control flow.
    """
    return _Converter(onnx, model, types).convert(to_fp16=True)


def convert_to_fp32(onnx: Any, model: Any, types: dict[str, int]) -> None:
    """Store the weights of an FP32 ONNX model as FP32, in place; arguments as above."""
    _Converter(onnx, model, types).convert(to_fp16=False)


class _Converter:
    """One conversion; the module's docstring says what becomes FP16."""

    def __init__(self, onnx: Any, model: Any, types: dict[str, int]) -> None:
        self._onnx = onnx
        self._model = model
        self._types = types  # element type of every tensor
        self._float, self._half = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16
        self._constants = self._fold_constants()
        self._added: dict[str, Any] = {}

    def convert(self, to_fp16: bool) -> Fp16Counts:
        nodes = list(self._model.graph.node)
        for node in nodes:
            if any(a.type in (a.GRAPH, a.GRAPHS) for a in node.attribute):
                raise ModelError(
                    f"node '{node.name or node.op_type}' contains another graph ({node.op_type}), "
                    'which is not supported in an engine: export the model without it'
                )
        if not any(node.op_type in PRODUCTS for node in nodes):
            raise ModelError('the model has no convolution and no matrix product: not a network')
        if to_fp16:
            self._check_types(nodes)
        half = self._half_nodes(nodes) if to_fp16 else [False] * len(nodes)
        made: list[Any] = []
        is_half: set[str] = set()  # FP32 tensors of the old graph that are FP16 in the new one
        for node, fp16 in zip(nodes, half):
            keep = FP32_INPUTS.get(node.op_type, ())
            for index, name in enumerate(node.input):
                if self._types.get(name) != self._float:
                    continue
                if fp16 and index not in keep:
                    node.input[index] = self._as_half(name, is_half, made)
                elif name in is_half:
                    node.input[index] = self._cast(name, self._float, made)
            if fp16:
                is_half.update(n for n in node.output if self._types.get(n) == self._float)
            made.append(node)
        for output in self._model.graph.output:
            if output.name in is_half:
                self._rename_output(output.name, made)
        return self._finish(made, half, nodes)

    def _fold_constants(self) -> dict[str, Any]:
        """Return the float constants; casts of weights stored as FP16 are removed."""
        graph = self._model.graph
        stored = {tensor.name: tensor for tensor in graph.initializer}
        kept = []
        for node in graph.node:
            attributes = {a.name: a for a in node.attribute}
            if node.op_type == 'Constant' and 'value' in attributes:
                stored[node.output[0]] = attributes['value'].t
            elif (
                node.op_type == 'Cast'
                and node.input[0] in stored
                and stored[node.input[0]].data_type == self._half
                and attributes['to'].i == self._float
            ):
                stored[node.output[0]] = stored[node.input[0]]
                continue
            kept.append(node)
        del graph.node[:]
        graph.node.extend(kept)
        return {n: t for n, t in stored.items() if self._types.get(n) == self._float}

    def _half_nodes(self, nodes: list[Any]) -> list[bool]:
        """Return for each node (in topological order) whether it computes in FP16."""
        after: set[str] = set()  # tensors that depend on a product
        is_after = []
        for node in nodes:
            is_after.append(node.op_type in PRODUCTS or any(n in after for n in node.input))
            if is_after[-1]:
                after.update(node.output)
        before: set[str] = set()  # tensors that a product depends on
        is_before = [False] * len(nodes)
        for index in range(len(nodes) - 1, -1, -1):
            node = nodes[index]
            is_before[index] = node.op_type in PRODUCTS or any(n in before for n in node.output)
            if is_before[index]:
                before.update(node.input)
        return [
            a and b and n.op_type not in KEPT_FP32 and self._fits(n) and self._is_float(n)
            for n, a, b in zip(nodes, is_after, is_before)
        ]

    def _check_types(self, nodes: list[Any]) -> None:
        for node in nodes:
            unknown = [name for name in node.output if name and not self._types.get(name)]
            if unknown:
                raise ModelError(
                    f"ONNX cannot infer the type of the tensor '{unknown[0]}' ({node.op_type}), so "
                    'the model cannot be made FP16: set the parameter `precision` to fp32'
                )

    def _fits(self, node: Any) -> bool:
        tensors = [self._constants[n] for n in node.input if n in self._constants]
        for tensor in tensors:
            if tensor.data_type == self._float:
                array = np.abs(self._onnx.numpy_helper.to_array(tensor))
                if array.max(initial=0.0, where=np.isfinite(array)) > LARGEST_FP16:
                    return False
        return True

    def _is_float(self, node: Any) -> bool:
        return any(self._types.get(name) == self._float for name in node.output)

    def _as_half(self, name: str, is_half: set[str], made: list[Any]) -> str:
        if name in is_half:
            return name
        if name not in self._constants:
            return self._cast(name, self._half, made)
        half = f'{name}_fp16'
        if half not in self._added:
            self._added[half] = self._stored_as(name, half, np.float16)
        return half

    def _cast(self, name: str, kind: int, made: list[Any]) -> str:
        cast = f'{name}_to_{"fp16" if kind == self._half else "fp32"}'
        if cast not in self._types:
            made.append(self._onnx.helper.make_node('Cast', [name], [cast], name=cast, to=kind))
            self._types[cast] = kind
        return cast

    def _rename_output(self, name: str, made: list[Any]) -> None:
        """Rename an FP16 output, and add a cast of it to FP32 under the old name."""
        inner = f'{name}_fp16'
        for node in made:
            for names in (node.input, node.output):
                for index, used in enumerate(names):
                    if used == name:
                        names[index] = inner
        made.append(
            self._onnx.helper.make_node(
                'Cast', [inner], [name], name=f'{name}_cast', to=self._float
            )
        )

    def _stored_as(self, name: str, new_name: str, kind: Any) -> Any:
        """Return a constant as a tensor of another name and type."""
        array = self._onnx.numpy_helper.to_array(self._constants[name])
        return self._onnx.numpy_helper.from_array(array.astype(kind, copy=False), new_name)

    def _finish(self, made: list[Any], half: list[bool], nodes: list[Any]) -> Fp16Counts:
        graph = self._model.graph
        produced = {name for node in made for name in node.output}
        used = {name for node in made for name in node.input}
        used |= {output.name for output in graph.output}
        made = [n for n in made if n.op_type != 'Constant' or n.output[0] in used]
        used -= produced
        weights = [tensor for name, tensor in self._added.items() if name in used]
        weights += [self._stored_as(n, n, np.float32) for n in self._constants if n in used]
        known = used - self._constants.keys()
        weights += [tensor for tensor in graph.initializer if tensor.name in known]
        del graph.node[:], graph.initializer[:], graph.value_info[:]
        graph.node.extend(made)
        graph.initializer.extend(weights)
        work = [(n, fp16) for n, fp16 in zip(nodes, half) if n.op_type != 'Constant']
        products = [fp16 for node, fp16 in work if node.op_type in PRODUCTS]
        return Fp16Counts(
            fp16_nodes=sum(fp16 for _, fp16 in work),
            fp32_nodes=sum(not fp16 for _, fp16 in work),
            products=len(products),
            fp32_products=len(products) - sum(products),
        )
