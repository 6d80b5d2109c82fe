# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The runtimes of the CPU: known depth, and models that differ from their YAML."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper
from oracle import COLOR_OFFSET, COLOR_WEIGHTS, write_color_model, write_depth_model
from patience import PATIENCE

from msdepth_ros.errors import BackendError, ModelError, RuntimeMissingError
from msdepth_ros.images.sources import DEFAULT_CLIP, ImageSource
from msdepth_ros.inference.backends import BACKENDS, create_backend
from msdepth_ros.inference.backends.onnxruntime import OnnxRuntimeBackend
from msdepth_ros.inference.backends.openvino import OpenVinoBackend
from msdepth_ros.inference.model import load_model, model_names

needs_openvino = pytest.mark.skipif(
    importlib.util.find_spec('openvino') is None, reason='OpenVINO is not installed'
)
ROOT = Path(__file__).resolve().parents[2]
TITLES = {OnnxRuntimeBackend: 'ONNX Runtime', OpenVinoBackend: 'OpenVINO'}


@pytest.fixture(params=[OnnxRuntimeBackend, pytest.param(OpenVinoBackend, marks=needs_openvino)])
def runtime(request):
    return request.param


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
def test_answers_come_in_the_same_buffer_every_time(runtime, path, threads):
    backend = runtime(load_model(path), threads)
    assert (backend.name, backend.device, backend.precision) == (runtime.name, 'CPU', 'fp32')
    assert (backend.inputs['image'].shape, backend.inputs['image'].dtype) == (
        (228, 304, 3),
        np.uint8,
    )
    assert (backend.outputs['depth'].shape, backend.outputs['depth'].dtype) == (
        (55, 74),
        np.float32,
    )
    image, answer = backend.inputs['image'], backend.outputs['depth']
    rng = np.random.default_rng(0)
    for _ in range(3):
        image[:] = rng.integers(0, 256, image.shape, np.uint8)
        backend.run()
        assert backend.inputs['image'] is image
        assert backend.outputs['depth'] is answer
        cells = image[5:222:4, 5:298:4]
        np.testing.assert_allclose(answer, COLOR_OFFSET + cells @ COLOR_WEIGHTS, rtol=1e-6)
    backend.close()


def test_every_cell_of_the_grid_has_its_place(runtime, tmp_path):
    model = load_model(write_depth_model(tmp_path, lambda x, y: x + 1000 * y))
    backend = runtime(model)
    backend.run()
    j, i = np.indices((55, 74))
    np.testing.assert_array_equal(backend.outputs['depth'], (4 * i + 5) + 1000.0 * (4 * j + 5))


def test_two_models_at_once(runtime, tmp_path):
    one, two = (
        OnnxRuntimeBackend(
            load_model(write_depth_model(tmp_path / str(n), lambda x, y, n=n: n + 0 * x))
        )
        for n in (1, 2)
    )
    two.run()
    one.run()
    assert (one.outputs['depth'] == 1).all()
    assert (two.outputs['depth'] == 2).all()
    one.close()
    two.run()
    assert (two.outputs['depth'] == 2).all()


def test_a_file_that_is_not_onnx(runtime, path):
    model = load_model(path)
    for content in (b'', b'no network', bytes(1000), model.onnx.read_bytes()[:-100]):
        model.onnx.write_bytes(content)
        with pytest.raises(
            ModelError, match=rf'{TITLES[runtime]} cannot load .*oracle\.onnx'
        ) as caught:
            runtime(model)
        assert '\n' not in str(caught.value)


@pytest.mark.parametrize(('key', 'found'), [('input_name', 'image'), ('output_name', 'depth')])
def test_a_wrong_tensor_name_is_reported_with_the_right_one(runtime, path, key, found):
    model = edit(path, **{key: 'wrong'})
    with pytest.raises(ModelError, match=f"no tensor named 'wrong', only {found}"):
        runtime(model)


@pytest.mark.parametrize('key', ['input_width', 'input_height', 'output_width', 'output_height'])
def test_a_wrong_size_is_reported_with_the_right_one(runtime, path, key):
    tensor = {'input': r'\[1, 228, 304, 3\]', 'output': r'\[1, 1, 55, 74\]'}[key.partition('_')[0]]
    model = edit(path, **{key: 33})
    with pytest.raises(ModelError, match=rf'{tensor}, the YAML needs .*33'):
        runtime(model)


def write_cast_model(folder, in_type, out_type, in_shape, out_shape, inputs=('image',)):
    """Write a network of a 4x4 image with given tensor types and shapes."""
    path = write_color_model(
        folder, input_size=(4, 4), output_size=(4, 4), origin=(0.0, 0.0), step=(1.0, 1.0)
    )
    nodes = [
        *(helper.make_node('Cast', [name], [f'{name}_cast'], to=out_type) for name in inputs),
        helper.make_node('Sum', [f'{name}_cast' for name in inputs], ['sum']),
        helper.make_node('Slice', ['sum', 'zero', 'one', 'last'], ['grey']),
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
def test_symbolic_sizes_are_taken(runtime, tmp_path, in_shape, out_shape):
    out_shape = out_shape or ['n', 1, 'h', 'w']
    model = write_cast_model(tmp_path, TensorProto.UINT8, TensorProto.FLOAT, in_shape, out_shape)
    backend = runtime(model)
    backend.inputs['image'][:] = np.arange(48).reshape(4, 4, 3)
    backend.run()
    np.testing.assert_array_equal(backend.outputs['depth'], np.arange(0, 48, 3).reshape(4, 4))


@pytest.mark.parametrize(
    ('in_type', 'out_type', 'words'),
    [
        (TensorProto.FLOAT, TensorProto.FLOAT, r"'image' is tensor\(float\)"),
        (TensorProto.INT8, TensorProto.FLOAT, r"'image' is tensor\(int8\)"),
        (TensorProto.UINT8, TensorProto.FLOAT16, r"'depth' is tensor\(float16\)"),
        (TensorProto.UINT8, TensorProto.DOUBLE, r"'depth' is tensor\(double\)"),
    ],
)
def test_wrong_types_are_reported(runtime, tmp_path, in_type, out_type, words):
    model = write_cast_model(tmp_path, in_type, out_type, IMAGE, DEPTH)
    with pytest.raises(ModelError, match=words):
        runtime(model)


def test_an_input_that_the_yaml_does_not_know_is_named(runtime, tmp_path):
    model = write_cast_model(
        tmp_path, TensorProto.UINT8, TensorProto.FLOAT, IMAGE, DEPTH, ('image', 'other')
    )
    with pytest.raises(ModelError, match='has the inputs image, other'):
        runtime(model)


def test_create_backend(path):
    model = load_model(path)
    for name in ('auto', 'onnxruntime'):
        backend = create_backend(model, name)
        backend.run()
        backend.close()
    with pytest.raises(BackendError, match="no backend named 'torch': choose one of auto"):
        create_backend(model, 'torch')


@needs_openvino
def test_auto_prefers_openvino_on_the_cpu(path):
    assert BACKENDS == ('auto', 'tensorrt', 'openvino', 'onnxruntime')
    assert create_backend(load_model(path)).name == 'openvino'


def test_what_no_runtime_can_load_is_one_error_and_no_warning(path, caplog):
    model = load_model(path)
    model.onnx.write_bytes(b'no network')
    with pytest.raises(ModelError, match='cannot load'):
        create_backend(model)
    assert not caplog.records


@pytest.mark.parametrize('name', ['onnxruntime', 'openvino'])
def test_without_a_runtime_the_remedy_is_reported(path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(RuntimeMissingError, match=f'pip install {name}'):
        create_backend(load_model(path), name)


@needs_openvino
def test_without_openvino_auto_takes_onnx_runtime(path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'openvino', None)
    assert create_backend(load_model(path)).name == 'onnxruntime'


def test_onnx_runtime_sends_no_usage_reports(tmp_path, path):
    """1.32 keeps a device id in the user's cache, and sends usage, unless it is told not to."""
    code = (
        'from msdepth_ros.inference.backends.onnxruntime import OnnxRuntimeBackend\n'
        'from msdepth_ros.inference.model import load_model\n'
        f'OnnxRuntimeBackend(load_model({str(path)!r})).run()\n'
    )
    home = tmp_path / 'home'
    home.mkdir()
    environment = {**os.environ, 'HOME': str(home), 'PYTHONPATH': str(ROOT)}
    for name in ('XDG_CACHE_HOME', 'ORT_DISABLE_TELEMETRY'):
        environment.pop(name, None)
    subprocess.run([sys.executable, '-c', code], env=environment, check=True, timeout=PATIENCE)
    assert not [path for path in home.rglob('*') if path.is_file()]


@needs_openvino
def test_openvino_reports_nobody_to_its_makers(path):
    """`import openvino` sends an event over the network where it finds openvino_telemetry."""
    code = (
        'import sys; from msdepth_ros.inference.backends import create_backend; '
        'from msdepth_ros.inference.model import load_model; '
        f'create_backend(load_model({str(path)!r}), "openvino").run(); '
        'assert sys.modules["openvino_telemetry"] is None'
    )
    subprocess.run([sys.executable, '-c', code], check=True)


def answers(model, backend, precision):
    """Return a runtime's depth of six frames of the shipped clip, and its arithmetic."""
    loaded = create_backend(model, backend, 1, precision)
    found = []
    for index, picture in enumerate(ImageSource(DEFAULT_CLIP)):
        if index % 60 == 0:
            loaded.inputs['image'][:] = cv2.resize(picture.image, model.input_size)
            loaded.run()
            found.append(loaded.outputs['depth'].astype(np.float64))
    loaded.close()
    depths = np.array(found)
    return np.exp(depths) if model.quantity == 'log_depth' else depths, loaded.precision


@needs_openvino
@pytest.mark.parametrize('name', model_names())
def test_openvino_predicts_the_same_as_onnx_runtime_on_shipped_models(name):
    model = load_model(name)
    exact, _ = answers(model, 'onnxruntime', 'fp32')
    found, precision = answers(model, 'openvino', 'fp32')
    assert precision == 'fp32'
    np.testing.assert_allclose(found, exact, rtol=1e-4)
    quick, precision = answers(model, 'openvino', 'auto')
    # without an int8 file in BF16 where the CPU has it
    assert precision in (('bf16', 'fp32') if model.int8 is None else ('int8',))
    assert precision == 'fp32' or not np.array_equal(quick, exact)
    assert np.mean(np.abs(quick / exact - 1)) < 0.02


INTERRUPTED = """
import gc, os, signal, sys, time
from msdepth_ros.inference.backends.openvino import OpenVinoBackend
from msdepth_ros.inference.model import load_model

one, two = (OpenVinoBackend(load_model(sys.argv[1]), 1) for _ in range(2))
for backend in (one, two):  # in the order in which they were made
    backend.close()
del one, two, backend
gc.collect()
heard = []
signal.signal(signal.SIGINT, lambda *_: heard.append('heard'))
for _ in range(20):
    os.kill(os.getpid(), signal.SIGINT)
print(*heard[:1])
"""


@needs_openvino
def test_a_signal_does_not_end_a_process_that_has_closed_openvino(path):
    """It leaves a signal stack behind that it has freed."""
    command = [sys.executable, '-c', INTERRUPTED, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (0, 'heard\n'), done.stderr
