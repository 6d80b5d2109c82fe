# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A small depth network as ONNX file and YAML; its weights are stored as in shipped models."""

from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip('onnx')

WIDTH, HEIGHT, CHANNELS, HIDDEN = 32, 24, 16, 256

YAML = """
name: {name}
onnx: {name}.onnx
input: {{name: image, width: 32, height: 24, channels: rgb}}
output: {{name: depth, width: 8, height: 6, quantity: depth}}
grid: {{origin: [1.5, 1.5], step: [4.0, 4.0]}}
focal: 0
depth_range: [0.01, 100.0]
"""


def small_onnx(seed: int = 0, large_weight: float = 0.0) -> bytes:
    """Return uint8 -> cast, normalise -> conv, pool, two full layers -> exp, scale -> metres.

    The weights are FP16 initialisers that are cast to FP32; the arithmetic is FP32.
    """
    helper, kinds = onnx.helper, onnx.TensorProto
    random = np.random.default_rng(seed)
    nodes, initializers = [], []

    def add(op: str, inputs: list[str], output: str, **attributes: object) -> None:
        nodes.append(helper.make_node(op, inputs, [output], name=f'{op}_{output}', **attributes))

    def store(name: str, array: np.ndarray) -> None:
        initializers.append(onnx.numpy_helper.from_array(array, name))

    def weight(name: str, shape: tuple[int, ...], scale: float) -> None:
        store(f'{name}_half', random.normal(0, scale, shape).astype(np.float16))
        add('Cast', [f'{name}_half'], name, to=kinds.FLOAT)

    store('mean', np.array([123.7, 116.3, 103.5], np.float32).reshape(1, 3, 1, 1))
    store('deviation', np.array([58.4, 57.1, 57.4], np.float32).reshape(1, 3, 1, 1))
    store('scale', np.array(1.25, np.float32))
    store('shape', np.array([1, 1, 6, 8], np.int64))
    weight('w1', (CHANNELS, 3, 3, 3), 0.2)
    weight('b1', (CHANNELS,), 0.1)
    weight('w2', (CHANNELS * 48, HIDDEN), 0.03)
    weight('b2', (HIDDEN,), 0.1)
    weight('w3', (HIDDEN, 48), 0.03)
    weight('b3', (48,), 0.1)
    if large_weight:
        first = initializers.index(next(i for i in initializers if i.name == 'b3_half'))
        initializers.pop(first)
        nodes[:] = [node for node in nodes if node.output[0] != 'b3']
        store('b3', np.array([large_weight] + [0.0] * 47, np.float32))
    add('Transpose', ['image'], 'planes', perm=[0, 3, 1, 2])
    add('Cast', ['planes'], 'floats', to=kinds.FLOAT)
    add('Sub', ['floats', 'mean'], 'centred')
    add('Div', ['centred', 'deviation'], 'normal')
    add('Conv', ['normal', 'w1', 'b1'], 'conv', strides=[2, 2], pads=[1, 1, 1, 1])
    add('Relu', ['conv'], 'relu')
    add('MaxPool', ['relu'], 'pool', kernel_shape=[2, 2], strides=[2, 2])
    add('Flatten', ['pool'], 'flat', axis=1)
    add('Gemm', ['flat', 'w2', 'b2'], 'hidden')
    add('Relu', ['hidden'], 'active')
    add('Gemm', ['active', 'w3', 'b3'], 'line')
    add('Reshape', ['line', 'shape'], 'log_depth')
    add('Exp', ['log_depth'], 'unscaled')
    add('Mul', ['unscaled', 'scale'], 'depth')
    image = helper.make_tensor_value_info('image', kinds.UINT8, [1, HEIGHT, WIDTH, 3])
    depth = helper.make_tensor_value_info('depth', kinds.FLOAT, [1, 1, 6, 8])
    graph = helper.make_graph(nodes, 'small', [image], [depth], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def write_small_model(folder: Path, name: str = 'small', seed: int = 0) -> Path:
    """Write the ONNX file and its YAML; return the YAML's path."""
    (folder / f'{name}.onnx').write_bytes(small_onnx(seed))
    path = folder / f'{name}.yaml'
    path.write_text(YAML.format(name=name))
    return path
