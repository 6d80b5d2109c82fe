# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Models whose depth is known, as files."""

from pathlib import Path

YAML = """\
name: known
onnx: known.onnx
input: {name: image, width: 160, height: 120, channels: rgb}
output: {name: depth, width: 16, height: 12, quantity: depth}
grid: {origin: [4.5, 4.5], step: [10, 10]}
focal: 130
depth_range: [0.3, 10]
"""


def write_model(folder: Path, offset: float, per_level: float = 0.0) -> Path:
    """Write a model that predicts `offset + per_level * mean grey level` metres everywhere.

    Its input is 160x120 at a focal length of 130 pixels, its grid 16x12. Returns the YAML.
    """
    import onnx

    helper, proto = onnx.helper, onnx.TensorProto
    nodes = [
        helper.make_node('Cast', ['image'], ['real'], to=proto.FLOAT),
        helper.make_node('ReduceMean', ['real'], ['mean'], axes=[0, 1, 2, 3], keepdims=1),
        helper.make_node('Mul', ['mean', 'per_level'], ['change']),
        helper.make_node('Add', ['change', 'offset'], ['depth']),
    ]
    graph = helper.make_graph(
        nodes,
        'known',
        [helper.make_tensor_value_info('image', proto.UINT8, [1, 120, 160, 3])],
        [helper.make_tensor_value_info('depth', proto.FLOAT, [1, 1, 12, 16])],
        [
            helper.make_tensor('per_level', proto.FLOAT, [1], [per_level]),
            helper.make_tensor('offset', proto.FLOAT, [1, 1, 12, 16], [offset] * 192),
        ],
    )
    opset = [helper.make_opsetid('', 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    onnx.save(model, folder / 'known.onnx')
    (folder / 'known.yaml').write_text(YAML)
    return folder / 'known.yaml'
