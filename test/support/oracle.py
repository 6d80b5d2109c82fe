# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Models whose depth is known. They are loaded and run as a user's own model is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper, numpy_helper

# Depth that the model of `write_color_model` predicts, in metres per unit of R, G and B.
COLOR_WEIGHTS = np.array([0.001, 0.003, 0.01], np.float32)
COLOR_OFFSET = 0.5

EIGEN_GRID: dict[str, Any] = {
    'input_size': (304, 228),
    'output_size': (74, 55),
    'origin': (5.0, 5.0),
    'step': (4.0, 4.0),
}


def write_depth_model(
    folder: Path, depth: Callable[[np.ndarray, np.ndarray], np.ndarray], **options: Any
) -> Path:
    """Write a model that predicts depth(x, y) for the network pixel (x, y) of each cell.

    Returns the path of its YAML. `options`: see `_description`; and EIGEN_GRID's keys.
    """
    grid = {**EIGEN_GRID, **{key: options.pop(key) for key in EIGEN_GRID if key in options}}
    width, height = grid['output_size']
    x = grid['origin'][0] + grid['step'][0] * np.arange(width)
    y = grid['origin'][1] + grid['step'][1] * np.arange(height)
    table = np.broadcast_to(depth(*np.meshgrid(x, y)), (height, width)).astype(np.float32)
    nodes = [
        helper.make_node('Cast', ['image'], ['colors'], to=TensorProto.FLOAT),
        helper.make_node('ReduceMax', ['colors'], ['brightest'], keepdims=1),
        helper.make_node('Mul', ['brightest', 'zero'], ['nothing']),
        helper.make_node('Reshape', ['nothing', 'one'], ['still_nothing']),
        helper.make_node('Add', ['table', 'still_nothing'], ['depth']),
    ]
    constants = {
        'zero': np.zeros(1, np.float32),
        'one': np.ones(1, np.int64),
        'table': table[None, None],
    }
    return _write(folder, nodes, constants, grid, options)


def write_color_model(folder: Path, **options: Any) -> Path:
    """Write a model whose depth is COLOR_OFFSET + COLOR_WEIGHTS . RGB of each cell's own pixel."""
    grid = {**EIGEN_GRID, **{key: options.pop(key) for key in EIGEN_GRID if key in options}}
    (width, height), (x, y), (dx, dy) = grid['output_size'], grid['origin'], grid['step']
    nodes = [
        helper.make_node('Slice', ['image', 'starts', 'ends', 'axes', 'steps'], ['cells']),
        helper.make_node('Cast', ['cells'], ['colors'], to=TensorProto.FLOAT),
        helper.make_node('MatMul', ['colors', 'weights'], ['weighted']),
        helper.make_node('Add', ['weighted', 'offset'], ['metres']),
        helper.make_node('Transpose', ['metres'], ['depth'], perm=[0, 3, 1, 2]),
    ]
    start = np.array([y, x]).astype(np.int64)
    step = np.array([dy, dx]).astype(np.int64)
    constants = {
        'starts': start,
        'ends': start + step * (np.array([height, width]) - 1) + 1,
        'axes': np.array([1, 2], np.int64),
        'steps': step,
        'weights': COLOR_WEIGHTS[:, None],
        'offset': np.array([COLOR_OFFSET], np.float32),
    }
    return _write(folder, nodes, constants, grid, options)


def write_slow_model(folder: Path, layers: int, depth: float = 2.0, **options: Any) -> Path:
    """Write a model that predicts one depth after `layers` convolutions of 0.9 G multiply-adds."""
    random = np.random.default_rng(1)
    widen = random.normal(size=(32, 3, 3, 3)).astype(np.float32)
    convolve = random.normal(size=(32, 32, 5, 5)).astype(np.float32) / 32
    pads = {'pads': [2, 2, 2, 2]}
    nodes = [
        helper.make_node('Cast', ['image'], ['colors'], to=TensorProto.FLOAT),
        helper.make_node('Transpose', ['colors'], ['planes'], perm=[0, 3, 1, 2]),
        helper.make_node('Conv', ['planes', 'widen'], ['map_0'], strides=[2, 1], pads=[1] * 4),
        *(
            helper.make_node('Conv', [f'map_{n}', 'convolve'], [f'map_{n + 1}'], **pads)
            for n in range(layers)
        ),
        helper.make_node('Sigmoid', [f'map_{layers}'], ['bounded']),
        helper.make_node('ReduceMean', ['bounded'], ['mean'], axes=[1, 2, 3]),
        helper.make_node('Mul', ['mean', 'zero'], ['nothing']),
        helper.make_node('Reshape', ['nothing', 'one'], ['still_nothing']),
        helper.make_node('Add', ['table', 'still_nothing'], ['depth']),
    ]
    width, height = EIGEN_GRID['output_size']
    constants = {
        'widen': widen,
        'convolve': convolve,
        'zero': np.zeros(1, np.float32),
        'one': np.ones(1, np.int64),
        'table': np.full((1, 1, height, width), depth, np.float32),
    }
    return _write(folder, nodes, constants, EIGEN_GRID, options)


def _write(
    folder: Path,
    nodes: list[onnx.NodeProto],
    constants: dict[str, np.ndarray],
    grid: dict[str, Any],
    options: dict[str, Any],
) -> Path:
    (width, height), (cells_x, cells_y) = grid['input_size'], grid['output_size']
    graph = helper.make_graph(
        nodes,
        'oracle',
        [helper.make_tensor_value_info('image', TensorProto.UINT8, [1, height, width, 3])],
        [helper.make_tensor_value_info('depth', TensorProto.FLOAT, [1, 1, cells_y, cells_x])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / 'oracle.onnx')
    path = folder / 'oracle.yaml'
    path.write_text(yaml.safe_dump(_description(grid, **options)))
    return path


def _description(
    grid: dict[str, Any],
    focal: float = 0.0,
    quantity: str = 'depth',
    depth_range: tuple[float, float] = (0.1, 100.0),
    channels: str = 'rgb',
) -> dict[str, Any]:
    (width, height), (cells_x, cells_y) = grid['input_size'], grid['output_size']
    return {
        'name': 'oracle',
        'onnx': 'oracle.onnx',
        'input': {'name': 'image', 'width': width, 'height': height, 'channels': channels},
        'output': {'name': 'depth', 'width': cells_x, 'height': cells_y, 'quantity': quantity},
        'grid': {'origin': list(grid['origin']), 'step': list(grid['step'])},
        'focal': focal,
        'depth_range': list(depth_range),
    }
