# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An exported network, as in its file: tensors, metadata, first and last operations."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from msdepth_ros.errors import ModelError, MsdepthError

_PRODUCTS = frozenset(('Conv', 'MatMul', 'Gemm'))
_SHAPING = frozenset(
    (
        *('Cast', 'Identity', 'Reshape', 'Squeeze', 'Unsqueeze', 'Transpose', 'Flatten'),
        *('Resize', 'Upsample', 'Slice', 'Gather', 'Clip', 'Pad', 'Concat', 'Expand'),
    )
)
_FLOATS = ('FLOAT', 'FLOAT16', 'DOUBLE', 'BFLOAT16')


@dataclass(frozen=True)
class TensorInfo:
    """An input or output as the file declares it.

    Attributes
    ----------
    name : of the tensor.
    kind : ONNX's name of the element type, for example 'FLOAT16'.
    shape : its sizes; None: left open by the file.
    """

    name: str
    kind: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class Beginning:
    """The first operations of the graph on the image.

    Attributes
    ----------
    mean, std : float64 [3]; the graph computes (image - mean) / std.
    product : whether the next operation is a convolution or a matrix product.
    patch : kernel size of that convolution, if it divides the image into patches; otherwise 0.
    """

    mean: np.ndarray
    std: np.ndarray
    product: bool
    patch: int

    @property
    def normalises(self) -> bool:
        """Whether it subtracts a typical mean of images, with values of 0 to 1 or of 0 to 255."""
        return _is_like_colors(self.mean, self.std) or _is_like_colors(
            self.mean / 255, self.std / 255
        )


class ExportedNetwork:
    """A network's ONNX file, with weights in other files.

    Attributes
    ----------
    path : of the file.
    model : onnx.ModelProto, with all weights.
    inputs, outputs : TensorInfo by name; without inputs that are weights.
    metadata : of the file.
    opset : version of ONNX's own operations.
    """

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises
        ------
        ModelError
            If it cannot be read, or weights are missing.
        """
        self._onnx = onnx = import_onnx()
        self.path = path
        self.model = _load(onnx, path)
        graph = self.model.graph
        weights = {tensor.name for tensor in graph.initializer}
        self.inputs = {
            info.name: _tensor_info(onnx, info) for info in graph.input if info.name not in weights
        }
        self.outputs = {info.name: _tensor_info(onnx, info) for info in graph.output}
        self.metadata = {item.key: item.value for item in self.model.metadata_props}
        opsets = [
            entry.version for entry in self.model.opset_import if entry.domain in ('', 'ai.onnx')
        ]
        self.opset = opsets[0] if opsets else 1
        if not self.inputs or not self.outputs:
            raise ModelError(f'{path} has no inputs or no outputs: give the ONNX file of a network')

    def image_input(self, name: str = '', but: str = 'rays') -> TensorInfo:
        """Return the input for the image.

        Parameters
        ----------
        name : of the input; '' = the only one of rank 4 or 5.
        but : an input that is not the image: rays have the same shape.

        Raises
        ------
        ModelError
            If there is none, or several are possible.
        """
        if name:
            if name not in self.inputs:
                raise ModelError(
                    f"{self.path.name} has no input '{name}', only {', '.join(self.inputs)}"
                )
            return self.inputs[name]
        found = [info for info in self.inputs.values() if _is_image(info) and info.name != but]
        if len(found) != 1:
            has = ', '.join(f'{info.name} {list(info.shape)}' for info in self.inputs.values())
            raise ModelError(
                f'{self.path.name} has {"several" if found else "no"} inputs that could be the '
                f'image ({has}): name it with --input'
            )
        return found[0]

    def operations(self) -> set[str]:
        """Return the types of all operations, with their domain where it is not ONNX's own."""
        return {
            f'{node.domain}.{node.op_type}' if node.domain not in ('', 'ai.onnx') else node.op_type
            for node in _all_nodes(self.model.graph)
        }

    def beginning(self, image: str) -> Beginning:
        """Return what is done to the image input of this name before the first product."""
        scale, shift = np.ones(3), np.zeros(3)
        name = image
        while True:
            users = [node for node in self.model.graph.node if name in node.input]
            # Operations that only read the image's size do not change it.
            users = [node for node in users if node.op_type not in ('Shape', 'Size')]
            if len(users) != 1:
                break
            (node,) = users
            if node.op_type in _PRODUCTS:
                return Beginning(-shift / scale, 1 / scale, True, _patch(self._onnx, node))
            if node.op_type in ('Sub', 'Add', 'Mul', 'Div') and node.input[0] == name:
                value = self.constant(node.input[1])
                if value is None or value.size not in (1, 3) or not np.all(np.isfinite(value)):
                    break
                value = np.broadcast_to(value.astype(np.float64).ravel(), 3)
                if node.op_type == 'Sub':
                    shift = shift - value
                elif node.op_type == 'Add':
                    shift = shift + value
                elif np.all(value != 0):
                    factor = value if node.op_type == 'Mul' else 1 / value
                    scale, shift = scale * factor, shift * factor
                else:
                    break
            elif node.op_type not in _SHAPING or node.input[0] != name:
                break
            name = node.output[0]
        return Beginning(-shift / scale, 1 / scale, False, 0)

    def ending(self, output: str) -> str:
        """Return the last operation of an output: 'relu', 'sigmoid', 'sigmoid*20', or ''."""
        makers = {name: node for node in self.model.graph.node for name in node.output}
        name, factor = output, 1.0
        while name in makers:
            node = makers[name]
            if node.op_type in ('Relu', 'Sigmoid'):
                kind = node.op_type.lower()
                return kind if np.isclose(factor, 1) else f'{kind}*{factor:g}'
            name = node.input[0]
            if node.op_type == 'Mul':
                constants = [self.constant(each) for each in node.input]
                if constants[0] is not None:
                    constants.reverse()
                    name = node.input[1]
                if constants[1] is None or constants[1].size != 1:
                    return ''
                factor *= float(constants[1].ravel()[0])
            elif node.op_type not in _SHAPING:
                return ''
        return ''

    def constant(self, name: str) -> np.ndarray | None:
        """Return the value of a tensor, if it is a weight or a Constant; otherwise None."""
        numpy_helper = self._onnx.numpy_helper
        for tensor in self.model.graph.initializer:
            if tensor.name == name:
                return np.asarray(numpy_helper.to_array(tensor))
        for node in self.model.graph.node:
            if name in node.output:
                if node.op_type == 'Constant':
                    return next(
                        (
                            np.asarray(self._onnx.helper.get_attribute_value(a))
                            if a.name != 'value'
                            else np.asarray(numpy_helper.to_array(a.t))
                            for a in node.attribute
                        ),
                        None,
                    )
                return (
                    self.constant(node.input[0]) if node.op_type in ('Identity', 'Cast') else None
                )
        return None


def import_onnx() -> Any:
    """Return the package onnx.

    Raises
    ------
    MsdepthError
        If it is not installed.
    """
    try:
        import onnx
        import onnx.external_data_helper
        import onnx.version_converter
    except ImportError as error:
        raise MsdepthError(
            'adopting a network needs the Python package onnx: '
            "pip install 'msdepth_ros[adopt]', from a checkout `pip install .[adopt]`"
        ) from error
    return onnx


def _load(onnx: Any, path: Path) -> Any:
    try:
        model = onnx.load(path, load_external_data=False)
    except OSError as error:
        raise ModelError(f'cannot read {path}: {error.strerror}') from error
    except Exception as error:  # protobuf's own types
        raise ModelError(
            f'{path} is not an ONNX file, or it is damaged: {" ".join(str(error).split())}'
        ) from error
    if not model.graph.node:
        raise ModelError(f'{path} is not an ONNX file, or it is damaged: it has no operations')
    try:
        onnx.external_data_helper.load_external_data_for_model(model, str(path.parent))
    except Exception as error:  # of several types, by the version of onnx
        raise ModelError(
            f'{path.name}: its weights are in another file, which cannot be read '
            f'({" ".join(str(error).split())}): put the .onnx_data or .data file of the same '
            'export beside it'
        ) from error
    for tensor in model.graph.initializer:
        size = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
        wanted = size * int(np.prod(tensor.dims, dtype=np.int64))
        if tensor.HasField('raw_data') and tensor.data_type < 17 and len(tensor.raw_data) < wanted:
            raise ModelError(
                f'{path.name}: the weight {tensor.name} has {len(tensor.raw_data)} bytes of '
                f'{wanted}: the file with the weights is incomplete, download it again'
            )
    return model


def _tensor_info(onnx: Any, info: Any) -> TensorInfo:
    kind = info.type.tensor_type
    shape = tuple(
        size.dim_value if size.HasField('dim_value') and size.dim_value > 0 else None
        for size in kind.shape.dim
    )
    return TensorInfo(info.name, onnx.TensorProto.DataType.Name(kind.elem_type), shape)


def _is_image(info: TensorInfo) -> bool:
    rank = len(info.shape)
    if rank not in (4, 5) or info.kind not in (*_FLOATS, 'UINT8'):
        return False
    return any(info.shape[axis] in (3, None) for axis in (rank - 3, rank - 1))


def _all_nodes(graph: Any) -> Iterator[Any]:
    """Yield the nodes of a graph and of the graphs inside them."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField('g'):
                yield from _all_nodes(attribute.g)
            for inner in attribute.graphs:
                yield from _all_nodes(inner)


def _patch(onnx: Any, node: Any) -> int:
    values = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    kernel, strides = values.get('kernel_shape'), values.get('strides')
    return int(kernel[0]) if kernel and kernel == strides and kernel[0] > 4 else 0


def _is_like_colors(mean: np.ndarray, std: np.ndarray) -> bool:
    return bool(np.all((mean > 0.35) & (mean < 0.55)) and np.all((std > 0.15) & (std < 0.6)))
