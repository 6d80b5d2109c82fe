# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The shipped models as TensorRT gets them: accurate in FP16, and readable by its oldest parser."""

import numpy as np
import pytest

onnx = pytest.importorskip('onnx')

import onnxruntime  # noqa: E402

from msdepth_ros.inference.backends.self_check import CLIP, check_images  # noqa: E402
from msdepth_ros.inference.backends.tensorrt.onnx_graph import prepare_graph  # noqa: E402
from msdepth_ros.inference.model import load_model, model_names  # noqa: E402

HALF = onnx.TensorProto.FLOAT16

# What of it the parser of TensorRT 8.5 reads in FP32 and FP16: docs/operators.md of
# github.com/onnx/onnx-tensorrt, branch release/8.5-GA.
OPSET = 17
OPERATORS = frozenset(
    (
        *('Add', 'AveragePool', 'Cast', 'Clip', 'Concat', 'Constant', 'Conv', 'ConvTranspose'),
        *('DepthToSpace', 'Div', 'Exp', 'Flatten', 'Gather', 'Gemm', 'GlobalAveragePool'),
        *('HardSigmoid', 'HardSwish', 'Identity', 'LeakyRelu', 'Log', 'MatMul', 'Max', 'MaxPool'),
        *('Min', 'Mul', 'Neg', 'Pad', 'Pow', 'ReduceMax', 'ReduceMean', 'ReduceSum', 'Relu'),
        *('Reshape', 'Resize', 'Sigmoid', 'Slice', 'Softmax', 'Split', 'Sqrt', 'Squeeze', 'Sub'),
        *('Sum', 'Tanh', 'Transpose', 'Unsqueeze', 'Upsample'),
    )
)
RESIZES = {
    'coordinate_transformation_mode': frozenset(
        (
            *(b'half_pixel', b'pytorch_half_pixel', b'tf_half_pixel_for_nn', b'asymmetric'),
            b'align_corners',
        )
    ),
    'mode': frozenset((b'nearest', b'linear')),
    'nearest_mode': frozenset((b'floor', b'ceil', b'round_prefer_floor', b'round_prefer_ceil')),
}


def run(data: bytes, image: np.ndarray) -> list[np.ndarray]:
    """Return all outputs; every operation is computed as it stands, one after another."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options, providers=['CPUExecutionProvider'])
    return session.run(None, {session.get_inputs()[0].name: image[None]})


def with_all_half_tensors_as_outputs(data: bytes) -> bytes:
    """Return the graph such that what is FP16 in it must be there as FP16, hence rounded."""
    model = onnx.load_model_from_string(data)
    types = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph.value_info
    model.graph.output.extend(i for i in types if i.type.tensor_type.elem_type == HALF)
    return model.SerializeToString()


@pytest.mark.slow
@pytest.mark.parametrize('name', model_names())
def test_rounding_to_fp16_costs_far_less_than_one_per_cent(name: str):
    assert CLIP.is_file()
    model = load_model(name)
    half = with_all_half_tensors_as_outputs(prepare_graph(model.read_onnx(), 'fp16').onnx)
    for image in check_images(*model.input_size):
        exact, *further = run(model.read_onnx(), image)
        rounded, *others = run(half, image)
        inside = others[len(further) :]
        for probability, wanted in zip(others, further):
            assert np.abs(probability - wanted).max() < 0.02
        error = np.abs(rounded / exact - 1)
        assert 0 < error.mean() < 0.003
        assert error.max() < 0.02
        assert len(inside) > 20
        # FP16 ends at 65504; far from it, another image does not overflow either.
        assert max(np.abs(tensor).max() for tensor in inside) < 4096


@pytest.mark.parametrize('name', model_names())
@pytest.mark.parametrize('precision', ['fp16', 'fp32'])
def test_the_parser_of_tensorrt_8_5_supports_all_that_is_in_the_graph(name: str, precision: str):
    model = onnx.load_model_from_string(prepare_graph(load_model(name).read_onnx(), precision).onnx)
    assert [(o.domain, o.version <= OPSET) for o in model.opset_import] == [('', True)]
    constants = {tensor.name for tensor in model.graph.initializer}
    constants |= {n.output[0] for n in model.graph.node if n.op_type == 'Constant'}
    assert {node.op_type for node in model.graph.node} <= OPERATORS
    for node in model.graph.node:
        if node.op_type in ('Clip', 'Resize', 'Reshape'):
            assert {name for name in node.input[1:] if name} <= constants, node.name
        if node.op_type == 'Resize':
            for attribute in node.attribute:
                assert attribute.s in RESIZES.get(attribute.name, {attribute.s}), node.name


@pytest.mark.parametrize('name', model_names())
def test_normalisation_and_exp_are_computed_in_fp32(name: str):
    data = prepare_graph(load_model(name).read_onnx(), 'fp16').onnx
    model = onnx.shape_inference.infer_shapes(onnx.load_model_from_string(data), strict_mode=True)
    half = {i.name for i in model.graph.value_info if i.type.tensor_type.elem_type == HALF}
    users: dict[str, list] = {}
    for node in model.graph.node:
        for tensor in node.input:
            users.setdefault(tensor, []).append(node)
    (cast,) = users[model.graph.input[0].name]
    assert cast.op_type == 'Cast'
    node = cast
    while node.op_type not in ('Conv', 'Gemm', 'MatMul'):  # the way into the network
        assert node is cast or node.op_type == 'Cast' or not half & {*node.input, *node.output}
        node = users[node.output[0]][0]
    # The depth's; further outputs are probabilities, which FP16 holds.
    (exp,) = (node for node in model.graph.node if 'depth' in node.output)
    assert exp.op_type == 'Exp'
    assert not half & {*exp.input, *exp.output}
