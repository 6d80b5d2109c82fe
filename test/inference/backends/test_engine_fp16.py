# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The FP16 graph: what becomes FP16, what stays FP32, and that it computes the same."""

import numpy as np
import pytest

onnx = pytest.importorskip('onnx')

from onnx.reference import ReferenceEvaluator  # noqa: E402
from small_onnx import HEIGHT, WIDTH, small_onnx  # noqa: E402

from msdepth_ros.errors import ModelError  # noqa: E402
from msdepth_ros.inference.backends.tensorrt.onnx_graph import prepare_graph  # noqa: E402

FLOAT, HALF = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16


def image(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (1, HEIGHT, WIDTH, 3)).astype(np.uint8)


def types_of(data: bytes) -> dict[str, int]:
    """Return the element type of every tensor, as ONNX itself infers them, strictly."""
    model = onnx.shape_inference.infer_shapes(onnx.load_model_from_string(data), strict_mode=True)
    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    for info in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        types[info.name] = info.type.tensor_type.elem_type
    return types


def run(data: bytes) -> np.ndarray:
    return ReferenceEvaluator(onnx.load_model_from_string(data)).run(None, {'image': image()})[0]


def test_products_are_fp16_and_what_surrounds_them_is_fp32():
    types = types_of(prepare_graph(small_onnx(), 'fp16').onnx)
    for name in ('conv', 'relu', 'pool', 'flat', 'hidden', 'active', 'line'):
        assert types[name] == HALF, name
    for name in ('floats', 'centred', 'normal', 'log_depth', 'unscaled', 'depth'):
        assert types[name] == FLOAT, name
    assert types['image'] == onnx.TensorProto.UINT8


def test_every_operation_has_inputs_of_one_float_type():
    data = prepare_graph(small_onnx(), 'fp16').onnx
    types = types_of(data)
    for node in onnx.load_model_from_string(data).graph.node:
        floats = {types[name] for name in node.input} & {FLOAT, HALF}
        assert len(floats) <= 1, node.name


def test_a_model_that_is_too_new_for_the_package_onnx(monkeypatch):
    def refuse(model):
        raise onnx.checker.ValidationError('Your model ir_version 99 is higher')

    model = small_onnx()
    monkeypatch.setattr(onnx.checker, 'check_model', refuse)
    with pytest.raises(ModelError, match=r'package onnx .* rejects the model, .* ir_version 99'):
        prepare_graph(model, 'fp16')


def test_counts_and_weight_sizes():
    graph = prepare_graph(small_onnx(), 'fp16')
    weights = 16 * 27 + 16 + 768 * 256 + 256 + 256 * 48 + 48 + 3 + 3 + 1
    assert graph.fp32_weight_bytes == 4 * weights
    assert len(graph.onnx) < 0.6 * graph.fp32_weight_bytes
    assert graph.counts is not None
    assert (graph.counts.products, graph.counts.fp32_products) == (3, 0)
    assert graph.counts.fp16_nodes == 7  # conv, relu, pool, flatten, gemm, relu, gemm


def test_fp32_keeps_the_arithmetic_and_stores_plain_weights():
    graph = prepare_graph(small_onnx(), 'fp32')
    assert graph.counts is None
    assert HALF not in types_of(graph.onnx).values()
    np.testing.assert_allclose(run(graph.onnx), run(small_onnx()), rtol=1e-6)


def test_fp16_computes_what_fp32_does():
    exact, half = run(small_onnx()), run(prepare_graph(small_onnx(), 'fp16').onnx)
    error = np.abs(half / exact - 1)
    assert half.dtype == np.float32
    assert 0 < error.mean() < 0.003
    assert error.max() < 0.02


def test_uint8_is_cast_before_anything_else():
    model = onnx.load_model_from_string(prepare_graph(small_onnx(), 'fp32').onnx)
    users = [node.op_type for node in model.graph.node if 'image' in node.input]
    assert users == ['Cast']


def test_a_weight_beyond_fp16_keeps_its_operation_fp32():
    graph = prepare_graph(small_onnx(large_weight=-70000.0), 'fp16')
    assert graph.counts is not None
    assert graph.counts.fp32_products == 1
    types = types_of(graph.onnx)
    assert (types['hidden'], types['line']) == (HALF, FLOAT)


def test_skip_connections_sensitive_operations_and_resize_scales():
    helper = onnx.helper

    def constant(name: str, array: np.ndarray) -> onnx.TensorProto:
        return onnx.numpy_helper.from_array(array, name)

    random = np.random.default_rng(0)
    nodes = [
        helper.make_node('Cast', ['image'], ['x'], to=FLOAT),
        helper.make_node('Transpose', ['x'], ['t'], perm=[0, 3, 1, 2]),
        helper.make_node('Conv', ['t', 'w1'], ['a'], pads=[1, 1, 1, 1]),
        helper.make_node('Softmax', ['a'], ['s'], axis=1),
        helper.make_node('Add', ['a', 's'], ['b']),
        helper.make_node('Resize', ['b', '', 'scales'], ['r'], mode='nearest'),
        helper.make_node('Conv', ['r', 'w2'], ['c'], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node('Add', ['c', 'a'], ['sum']),
        helper.make_node('ReduceMean', ['sum'], ['depth'], axes=[1], keepdims=1),
    ]
    graph = helper.make_graph(
        nodes,
        'skips',
        [helper.make_tensor_value_info('image', onnx.TensorProto.UINT8, [1, 8, 8, 3])],
        [helper.make_tensor_value_info('depth', FLOAT, [1, 1, 8, 8])],
        [
            constant('w1', (random.normal(0, 1e-3, (4, 3, 3, 3))).astype(np.float32)),
            constant('w2', (random.normal(0, 0.2, (4, 4, 3, 3))).astype(np.float32)),
            constant('scales', np.array([1, 1, 2, 2], np.float32)),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    data = model.SerializeToString()
    types = types_of(prepare_graph(data, 'fp16').onnx)
    assert {n: types[n] for n in ('a', 'b', 'r', 'c')} == dict.fromkeys(('a', 'b', 'r', 'c'), HALF)
    assert {types[n] for n in ('s', 'sum', 'depth', 'scales')} == {FLOAT}
    feed = {'image': np.random.default_rng(1).integers(0, 256, (1, 8, 8, 3)).astype(np.uint8)}
    exact, half = (
        ReferenceEvaluator(onnx.load_model_from_string(d)).run(None, feed)[0]
        for d in (data, prepare_graph(data, 'fp16').onnx)
    )
    np.testing.assert_allclose(half, exact, atol=2e-3)


def test_an_fp16_tensor_that_is_the_output_is_cast_to_fp32():
    model = onnx.load_model_from_string(small_onnx())
    graph = model.graph
    kept = [node for node in graph.node if node.output[0] not in ('log_depth', 'unscaled', 'depth')]
    del graph.node[:], graph.output[:]
    graph.node.extend(kept)
    graph.output.append(onnx.helper.make_tensor_value_info('line', FLOAT, [1, 48]))
    data = prepare_graph(model.SerializeToString(), 'fp16').onnx
    assert types_of(data)['line'] == FLOAT
    np.testing.assert_allclose(run(data), run(model.SerializeToString()), atol=5e-3)


@pytest.mark.parametrize('data', [b'', b'not onnx at all', small_onnx()[:1000]])
def test_what_is_not_onnx_is_refused(data: bytes):
    with pytest.raises(ModelError):
        prepare_graph(data, 'fp16')
