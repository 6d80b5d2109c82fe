# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime: known answers, and models that are not what their YAML says."""

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper
from oracle import COLOR_OFFSET, COLOR_WEIGHTS, write_color_model, write_depth_model

from msdepth_ros.backends import create_backend
from msdepth_ros.backends.onnxruntime import OnnxRuntimeBackend
from msdepth_ros.errors import BackendError, ModelError
from msdepth_ros.model import load_model


def edit(path, **changes):
    """Change keys of a model YAML, given as section_key=value."""
    document = yaml.safe_load(path.read_text())
    for key, value in changes.items():
        section, _, name = key.partition('_')
        document[section][name] = value
    path.write_text(yaml.safe_dump(document))
    return load_model(path)


@pytest.fixture
def path(tmp_path):
    return write_color_model(tmp_path)


@pytest.mark.parametrize('threads', [0, 1, 2])
def test_answers_come_in_the_same_buffer_every_time(path, threads):
    backend = OnnxRuntimeBackend(load_model(path), threads)
    assert (backend.name, backend.device, backend.precision) == ('onnxruntime', 'CPU', 'fp32')
    assert (backend.input.shape, backend.input.dtype) == ((228, 304, 3), np.uint8)
    assert (backend.output.shape, backend.output.dtype) == ((55, 74), np.float32)
    image, answer = backend.input, backend.output
    rng = np.random.default_rng(0)
    for _ in range(3):
        image[:] = rng.integers(0, 256, image.shape, np.uint8)
        backend.run()
        assert backend.input is image
        assert backend.output is answer
        cells = image[5:222:4, 5:298:4]
        np.testing.assert_allclose(answer, COLOR_OFFSET + cells @ COLOR_WEIGHTS, rtol=1e-6)
    backend.close()


def test_every_cell_of_the_grid_has_its_place(tmp_path):
    model = load_model(write_depth_model(tmp_path, lambda x, y: x + 1000 * y))
    backend = OnnxRuntimeBackend(model)
    backend.run()
    j, i = np.indices((55, 74))
    np.testing.assert_array_equal(backend.output, (4 * i + 5) + 1000.0 * (4 * j + 5))


def test_two_models_at_once(tmp_path):
    one, two = (
        OnnxRuntimeBackend(
            load_model(write_depth_model(tmp_path / str(n), lambda x, y, n=n: n + 0 * x))
        )
        for n in (1, 2)
    )
    two.run()
    one.run()
    assert (one.output == 1).all()
    assert (two.output == 2).all()
    one.close()
    two.run()
    assert (two.output == 2).all()


def test_a_file_that_is_not_onnx(path):
    model = load_model(path)
    for content in (b'', b'no network', bytes(1000), model.onnx.read_bytes()[:-100]):
        model.onnx.write_bytes(content)
        with pytest.raises(ModelError, match=r'cannot load .*oracle\.onnx') as caught:
            OnnxRuntimeBackend(model)
        assert '\n' not in str(caught.value)


@pytest.mark.parametrize(('key', 'found'), [('input_name', 'image'), ('output_name', 'depth')])
def test_a_wrong_tensor_name_is_told_with_the_right_one(path, key, found):
    model = edit(path, **{key: 'wrong'})
    with pytest.raises(ModelError, match=f"no tensor named 'wrong', only {found}"):
        OnnxRuntimeBackend(model)


@pytest.mark.parametrize('key', ['input_width', 'input_height', 'output_width', 'output_height'])
def test_a_wrong_size_is_told_with_the_right_one(path, key):
    tensor = {'input': r'\[1, 228, 304, 3\]', 'output': r'\[1, 1, 55, 74\]'}[key.partition('_')[0]]
    model = edit(path, **{key: 33})
    with pytest.raises(ModelError, match=rf'{tensor}, the YAML needs .*33'):
        OnnxRuntimeBackend(model)


def write_cast_model(folder, in_type, out_type, in_shape, out_shape, inputs=('image',)):
    """Write a network of a 4x4 image with given tensor types and shapes."""
    path = write_color_model(
        folder, input_size=(4, 4), output_size=(4, 4), origin=(0.0, 0.0), step=(1.0, 1.0)
    )
    nodes = [
        helper.make_node('Cast', ['image'], ['cast'], to=out_type),
        helper.make_node('Slice', ['cast', 'zero', 'one', 'last'], ['grey']),
        helper.make_node('Transpose', ['grey'], ['depth'], perm=[0, 3, 1, 2]),
    ]
    constants = [
        helper.make_tensor(name, TensorProto.INT64, [1], [value])
        for name, value in (('zero', 0), ('one', 1), ('last', 3))
    ]
    graph = helper.make_graph(
        nodes,
        'cast',
        [helper.make_tensor_value_info(name, in_type, in_shape) for name in inputs],
        [helper.make_tensor_value_info('depth', out_type, out_shape)],
        constants,
    )
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)])
    network.ir_version = 8
    onnx.save(network, path.with_suffix('.onnx'))
    return load_model(path)


IMAGE, DEPTH = [1, 4, 4, 3], [1, 1, 4, 4]


@pytest.mark.parametrize(
    ('in_shape', 'out_shape'),
    [(IMAGE, DEPTH), (['batch', 4, 4, 3], ['batch', 1, 4, 4]), (['n', 'h', 'w', 3], None)],
)
def test_symbolic_sizes_are_taken(tmp_path, in_shape, out_shape):
    out_shape = out_shape or ['n', 1, 'h', 'w']
    model = write_cast_model(tmp_path, TensorProto.UINT8, TensorProto.FLOAT, in_shape, out_shape)
    backend = OnnxRuntimeBackend(model)
    backend.input[:] = np.arange(48).reshape(4, 4, 3)
    backend.run()
    np.testing.assert_array_equal(backend.output, np.arange(0, 48, 3).reshape(4, 4))


@pytest.mark.parametrize(
    ('in_type', 'out_type', 'words'),
    [
        (TensorProto.FLOAT, TensorProto.FLOAT, r"'image' is tensor\(float\)"),
        (TensorProto.INT8, TensorProto.FLOAT, r"'image' is tensor\(int8\)"),
        (TensorProto.UINT8, TensorProto.FLOAT16, r"'depth' is tensor\(float16\)"),
        (TensorProto.UINT8, TensorProto.DOUBLE, r"'depth' is tensor\(double\)"),
    ],
)
def test_wrong_types_are_told(tmp_path, in_type, out_type, words):
    model = write_cast_model(tmp_path, in_type, out_type, IMAGE, DEPTH)
    with pytest.raises(ModelError, match=words):
        OnnxRuntimeBackend(model)


def test_an_input_that_the_yaml_does_not_know_is_named(tmp_path):
    model = write_cast_model(
        tmp_path, TensorProto.UINT8, TensorProto.FLOAT, IMAGE, DEPTH, ('image', 'other')
    )
    with pytest.raises(ModelError, match='has the inputs image, other'):
        OnnxRuntimeBackend(model)


def test_create_backend(path):
    model = load_model(path)
    for name in ('auto', 'onnxruntime'):
        backend = create_backend(model, name)
        backend.run()
        backend.close()
    with pytest.raises(BackendError, match="no backend named 'torch': choose one of auto"):
        create_backend(model, 'torch')


def test_without_onnx_runtime_the_remedy_is_told(path, monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'onnxruntime', None)
    with pytest.raises(BackendError, match='pip install onnxruntime'):
        OnnxRuntimeBackend(load_model(path))
