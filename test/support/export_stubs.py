# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for public exports: the tensors of each export route, and a known prediction.

A stub has a route's names, ranks, types, free axes and opset. Its depth d at column x and row y
of its input is NEAR + PER_COLUMN * x + PER_ROW * y + PER_RED * r, where r is the image's red of 0
to 1, which it gets back by undoing the route's own normalisation; the answer is what the route
makes of d.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

NEAR, PER_COLUMN, PER_ROW, PER_RED = 1.5, 0.001, -0.0005, 0.5
SKY_ROWS = 8  # of the input; there the outputs `sky` are above the threshold
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_UNIT = ((0.0,) * 3, (1.0,) * 3)
_BYTES = ((0.0,) * 3, (1 / 255,) * 3)  # the network is given 0 to 255
_HALF = ((0.5,) * 3, (0.5,) * 3)


def depth_at(x: Any, y: Any, red: Any) -> Any:
    """Return d at an input's column and row, for a red of 0 to 1."""
    return NEAR + PER_COLUMN * x + PER_ROW * y + PER_RED * red


@dataclass(frozen=True)
class Output:
    """One output: what it holds and its axes.

    Attributes
    ----------
    what : 'depth', 'inverse', 'sky', 'zeros' or 'points'.
    shape : its axes, 'H' and 'W' for the map's; names are free axes.
    factor, offset : it holds (what - offset) / factor.
    """

    name: str
    what: str
    shape: tuple[Any, ...]
    factor: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True)
class Stub:
    """One export route as its files are.

    Attributes
    ----------
    size : (width, height) of the file; None = free.
    normalisation : (mean, std) of what the network takes, for images of 0 to 1.
    kind : element type of image and answer.
    metres : how metres follow from d for a focal length f in network pixels.
    """

    image: str
    outputs: tuple[Output, ...]
    size: tuple[int, int] | None = None
    normalisation: tuple[Any, Any] = _IMAGENET
    leading: tuple[Any, ...] = ('batch',)
    opset: int = 17
    kind: int = TensorProto.FLOAT
    further: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    metres: Callable[[Any, float], Any] = lambda d, f: d


def _map(name: str, what: str = 'depth', rank: int = 3, **change: Any) -> Output:
    shape: tuple[Any, ...] = ('batch', 'H', 'W') if rank == 3 else (1, 1, 'H', 'W')
    return Output(name, what, shape, **change)


def _focal(canonical: float) -> Callable[[Any, float], Any]:
    return lambda d, f: d * f / canonical


_HUB = ('pixel_values', (_map('predicted_depth'),))
_HUB_INVERSE = ('pixel_values', (_map('predicted_depth', 'inverse'),))
_DA3 = (_map('depth', rank=4), _map('sky', 'sky', rank=4))
_POINTS = (
    Output('pts_3d', 'points', ('batch', 3, 'H', 'W')),
    Output('confidence', 'zeros', ('batch', 1, 'H', 'W')),
    Output('intrinsics', 'matrix', ('batch', 3, 3)),
)
_SQUARE = (518, 518)
STUBS = {
    'da-fabio': Stub('image', (_map('depth', 'inverse'),)),
    'da-metric-fabio-indoor': Stub('image', (_map('depth'),), _SQUARE),
    'da-metric-fabio-outdoor': Stub('image', (_map('depth'),)),
    'da-spacewalk': Stub('input', (_map('output', 'inverse', 4),), _SQUARE, leading=(1,), opset=11),
    'da-hub': Stub(*_HUB_INVERSE),
    'da-metric-hub': Stub(*_HUB),
    'da-lightly': Stub('images', (_map('depth', 'inverse', 4),), _SQUARE),
    'da-metric-lightly-indoor': Stub('images', (_map('depth', rank=4, factor=20.0),), _SQUARE),
    'da-metric-lightly-outdoor': Stub('images', (_map('depth', rank=4, factor=80.0),), _SQUARE),
    'da3-ika': Stub('image', _DA3, (504, 280), leading=(1,), opset=20, metres=_focal(300)),
    'da3-lightly-metric': Stub(
        'images', _DA3, (504, 504), kind=TensorProto.FLOAT16, metres=_focal(300)
    ),
    'da3-lightly-relative': Stub('images', _DA3, (504, 504)),
    'da3-hub': Stub(
        'pixel_values',
        (
            Output('predicted_depth', 'depth', (1, 1, 'H', 'W')),
            Output('confidence', 'sure', (1, 1, 'H', 'W')),
        ),
        leading=('batch', 'views'),
    ),
    'metric3d': Stub(
        'image',
        (_map('pred_depth', rank=4),),
        (1064, 616),
        _BYTES,
        (1,),
        opset=11,
        metres=_focal(1000),
    ),
    'metric3d-hub': Stub(
        'pixel_values',
        (
            _map('predicted_depth'),
            Output('predicted_normal', 'points', ('batch', 3, 'H', 'W')),
            _map('normal_confidence', 'zeros'),
        ),
        normalisation=_BYTES,
        metres=_focal(1000),
    ),
    'unidepth': Stub('rgbs', _POINTS, (630, 462), opset=14),
    'unidepth-rays': Stub(
        'rgbs', _POINTS, (630, 462), opset=14, further={'rays': ('batch', 3, 462, 630)}
    ),
    'unidepth-intrinsics': Stub(
        'rgb',
        (_POINTS[0], _map('depth', rank=4), *_POINTS[1:2]),
        (630, 462),
        further={'intrinsics': ('batch', 4)},
    ),
    'depthpro': Stub(
        'input',
        (_map('depth', 'inverse', 4), Output('focallength_px', 'one', (1,))),
        (1536, 1536),
        _HALF,
        (1,),
        opset=19,
        metres=_focal(1536),
    ),
    'depthpro-transformers': Stub(
        'pixel_values',
        (_map('predicted_depth', 'inverse'), Output('field_of_view', 'one', (1,))),
        (1536, 1536),
        _HALF,
        metres=_focal(1536),
    ),
    'depthpro-hub': Stub(
        'pixel_values',
        (_map('predicted_depth'), Output('focallength_px', 'one', (1,))),
        (1536, 1536),
        _HALF,
    ),
    'midas21': Stub(
        '0', (Output('797', 'inverse', (1, 'H', 'W')),), (384, 384), _UNIT, (1,), opset=9
    ),
    'dpt-hub': Stub(*_HUB_INVERSE, normalisation=_HALF),
    'dpt-dinov2': Stub(*_HUB),
    'glpn': Stub(*_HUB, normalisation=_UNIT),
    'zoe': Stub(
        'input', (_map('output'),), normalisation=_UNIT, metadata={'PredictionFactor': '1'}
    ),
    'zoe-hub': Stub(*_HUB, normalisation=_HALF),
    'yolo-depth': Stub(
        'images', (_map('output0', rank=4),), (768, 768), _UNIT, (1,), metadata={'task': 'depth'}
    ),
    'fastdepth': Stub('input_0', (_map('output_0', rank=4),), (224, 224), _UNIT, (1,), opset=11),
    'lite-mono': Stub(
        'input_0',
        (_map('disp', 'inverse', 4, factor=9.99, offset=0.01),),
        (640, 192),
        _UNIT,
        (1,),
        opset=11,
    ),
    'fsnet': Stub(
        'image', (_map('depth', rank=4),), (1280, 384), leading=(1,), further={'P2': (1, 3, 4)}
    ),
    'zipdepth': Stub('image', (_map('depth', 'inverse', 4),), (512, 384), _UNIT),
}


def write_stub(path: Path, stub: Stub, **changes: Any) -> Path:
    """Write a stub as an ONNX file; return its path."""
    stub = replace(stub, **changes)
    make = _Maker(stub)
    model = helper.make_model(
        make.graph(), opset_imports=[helper.make_opsetid('', stub.opset)], ir_version=8
    )
    helper.set_model_props(model, stub.metadata)
    onnx.save(model, path)
    return path


class _Maker:
    """Makes the graph of a stub."""

    def __init__(self, stub: Stub) -> None:
        self.stub = stub
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def graph(self) -> Any:
        stub = self.stub
        width, height = stub.size or ('width', 'height')
        shape = [*stub.leading, 3, height, width]
        info = helper.make_tensor_value_info
        inputs = [info(stub.image, stub.kind, shape)]
        inputs += [info(name, TensorProto.FLOAT, axes) for name, axes in stub.further.items()]
        planes = stub.image
        for _ in stub.leading[1:]:  # the axis of views
            planes = self.add('Gather', [planes, self.scalar(0)], axis=1)
        red = self.add('Gather', [planes, self.ints([0])], axis=1)
        if stub.kind != TensorProto.FLOAT:
            red = self.add('Cast', [red], to=TensorProto.FLOAT)
        mean, std = stub.normalisation
        red = self.add('Mul', [red, self.floats(std[0])])
        red = self.add('Add', [red, self.floats(mean[0])])
        # An odd mean of what else comes in, so that the graph needs all of its inputs.
        for name in stub.further:
            nothing = self.add('Mul', [self.mean(name), self.floats(0.0)])
            red = self.add('Add', [red, nothing])
        column, row = self._positions(red)
        depth = self.add('Mul', [red, self.floats(PER_RED)])
        for position, slope in ((column, PER_COLUMN), (row, PER_ROW)):
            depth = self.add('Add', [depth, self.add('Mul', [position, self.floats(slope)])])
        depth = self.add('Add', [depth, self.floats(NEAR)])
        values = {
            'depth': lambda: depth,
            'inverse': lambda: self.add('Div', [self.floats(1.0), depth]),
            'sky': lambda: self.add('Sub', [self.floats(1.0), self._share(row)]),
            'sure': lambda: self.add('Add', [depth, self.floats(1.0)]),
            'zeros': lambda: self.add('Mul', [depth, self.floats(0.0)]),
            'points': lambda: self.add('Concat', [depth, depth, depth], axis=1),
            'one': lambda: self.add('Reshape', [self.mean(depth), self.ints([1])]),
            'matrix': lambda: self.add('Mul', [self.mean(depth), self.floats(np.ones((1, 3, 3)))]),
        }
        outputs = [self._output(each, values) for each in stub.outputs]
        return helper.make_graph(self.nodes, 'stub', inputs, outputs, self.weights)

    def _output(self, output: Output, values: dict[str, Callable[[], str]]) -> Any:
        sides = dict(zip('WH', self.stub.size or ('width', 'height')))
        name = values[output.what]()
        if output.what == 'points':  # z is the last channel, x and y are not depth
            name = self.add('Mul', [name, self.floats(np.array([9, 9, 1]).reshape(1, 3, 1, 1))])
        if output.offset:
            name = self.add('Sub', [name, self.floats(output.offset)])
        if output.factor != 1.0:
            name = self.add('Div', [name, self.floats(output.factor)])
        if len(output.shape) == 3 and 'H' in output.shape:
            name = self.add('Gather', [name, self.scalar(0)], axis=1)
        kind = self.stub.kind
        self.nodes.append(
            helper.make_node('Cast', [name], [output.name], to=kind)
            if kind != TensorProto.FLOAT
            else helper.make_node('Identity', [name], [output.name])
        )
        shape = [sides.get(each, each) if isinstance(each, str) else each for each in output.shape]
        return helper.make_tensor_value_info(output.name, kind, shape)

    def _positions(self, red: str) -> tuple[str, str]:
        """Return the names of maps of column and row."""
        if self.stub.size is not None:
            width, height = self.stub.size
            zero = self.add('Mul', [red, self.floats(0.0)])
            columns = self.floats(np.arange(width).reshape(1, 1, 1, -1))
            rows = self.floats(np.arange(height).reshape(1, 1, -1, 1))
            return self.add('Add', [zero, columns]), self.add('Add', [zero, rows])
        ones = self.add('Add', [self.add('Mul', [red, self.floats(0.0)]), self.floats(1.0)])
        counted = [self.add('CumSum', [ones, self.scalar(axis)], exclusive=1) for axis in (3, 2)]
        return counted[0], counted[1]

    def _share(self, row: str) -> str:
        """Return 0 in the first SKY_ROWS rows, 1 below."""
        below = self.add('Less', [row, self.floats(SKY_ROWS - 0.5)])
        as_float = self.add('Cast', [below], to=TensorProto.FLOAT)
        return self.add('Sub', [self.floats(1.0), as_float])

    def mean(self, name: str) -> str:
        return self.add('ReduceMean', [name], keepdims=0)

    def add(self, operation: str, inputs: list[str], **attributes: Any) -> str:
        output = f't{len(self.nodes)}'
        self.nodes.append(helper.make_node(operation, inputs, [output], **attributes))
        return output

    def floats(self, values: Any) -> str:
        return self._store(np.asarray(values, np.float32))

    def ints(self, values: list[int]) -> str:
        return self._store(np.array(values, np.int64))

    def scalar(self, value: int) -> str:
        return self._store(np.array(value, np.int64))

    def _store(self, values: np.ndarray) -> str:
        name = f'w{len(self.weights)}'
        self.weights.append(numpy_helper.from_array(values, name))
        return name
