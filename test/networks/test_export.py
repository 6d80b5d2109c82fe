# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The exported file: it computes what torch computes, in the form that the YAML promises."""

import hashlib

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='training needs torch')
onnx = pytest.importorskip('onnx', reason='export needs onnx')
onnxruntime = pytest.importorskip('onnxruntime')

from msdepth_ros.errors import MsdepthError  # noqa: E402
from msdepth_ros.inference.model import load_model  # noqa: E402
from msdepth_ros.networks.correction import NONE, Correction  # noqa: E402
from msdepth_ros.networks.eigen2014 import Eigen2014  # noqa: E402
from msdepth_ros.networks.export import to_onnx, write_model  # noqa: E402


@pytest.fixture(scope='module')
def network():
    torch.manual_seed(0)
    network = Eigen2014(hidden=16).eval()
    torch.nn.init.uniform_(network.coarse.map.bias, 0.0, 1.5)
    torch.nn.init.normal_(network.coarse.map.weight, std=0.02)
    torch.nn.init.normal_(network.fine.map.weight[0, :63], std=0.002)
    return network


@pytest.fixture(scope='module')
def exported(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp('engines')
    path = write_model(network, 'tiny', folder, (0.3, 10.0), {'note': 'a test'})
    return path, onnx.load(path.with_suffix('.onnx'))


def test_the_exported_file_computes_the_same_as_torch(network, exported):
    path, _ = exported
    session = onnxruntime.InferenceSession(path.with_suffix('.onnx').read_bytes())
    half = Eigen2014(hidden=16).eval()
    half.load_state_dict(
        {
            name: value.half().float() if value.numel() >= 256 else value
            for name, value in network.state_dict().items()
        }
    )
    rng = np.random.default_rng(0)
    for _ in range(3):
        image = rng.integers(0, 256, (1, 228, 304, 3), dtype=np.uint8)
        planes = (image.astype(np.float32) / 255 - 0.45) / 0.25
        planes = torch.from_numpy(planes.transpose(0, 3, 1, 2))
        (depth,) = session.run(['depth'], {'image': image})
        with torch.no_grad():
            exact, full = np.exp(half(planes).numpy()), np.exp(network(planes).numpy())
        assert depth.shape == (1, 1, 55, 74)
        assert depth.dtype == np.float32
        assert depth.std() > 0.1
        assert np.abs(depth / exact - 1).max() < 1e-4  # arithmetic is FP32
        assert np.abs(depth / full - 1).max() < 5e-3  # storage is FP16


def test_log_depths_are_corrected_inside_the_file(network):
    image = np.random.default_rng(1).integers(0, 256, (1, 228, 304, 3), dtype=np.uint8)
    line = Correction(slope=1.1, offset=-0.25, spread=0.3)
    files = [to_onnx(network).SerializeToString()]
    network.correction = line
    files.append(to_onnx(network).SerializeToString())
    network.correction = NONE
    plain, corrected = (
        onnxruntime.InferenceSession(file).run(['depth'], {'image': image})[0] for file in files
    )
    log_depth = np.log(plain.astype(np.float64))
    assert log_depth.std() > 0.1
    expected = np.exp(1.1 * log_depth - 0.25 + 0.3 * log_depth.std())
    np.testing.assert_allclose(corrected, expected, rtol=1e-5)


def test_yaml_is_a_model_description(exported):
    path, _ = exported
    model = load_model(path)
    data = model.read_onnx()
    assert model.sha256 == hashlib.sha256(data).hexdigest()
    assert (model.input_name, model.input_size, model.channels) == ('image', (304, 228), 'rgb')
    assert (model.output_name, model.output_size) == ('depth', (74, 55))
    assert (model.quantity, model.focal) == ('depth', 259.4)
    assert (model.grid_origin, model.grid_step) == ((5.0, 5.0), (4.0, 4.0))
    assert model.depth_range == (0.3, 10.0)
    assert model.document['note'] == 'a test'


def test_old_runtimes_can_read_it(exported):
    _, model = exported
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [('', 17)]
    assert model.ir_version <= 8


def test_weights_are_stored_in_half_the_bytes(network, exported):
    path, model = exported
    parameters = sum(value.numel() for value in network.parameters())
    assert path.with_suffix('.onnx').stat().st_size < 2.05 * parameters + 20_000
    big = [w for w in model.graph.initializer if np.prod(w.dims) >= 256]
    assert {w.data_type for w in big} == {onnx.TensorProto.FLOAT16}
    used_by = {name: node.op_type for node in model.graph.node for name in node.input}
    assert {used_by[w.name] for w in big} == {'Cast'}


def test_dropout_and_training_nodes_are_gone(exported):
    operators = {node.op_type for node in exported[1].graph.node}
    assert operators <= {
        'Cast', 'Transpose', 'Sub', 'Mul', 'Conv', 'Relu', 'MaxPool', 'Flatten', 'Gemm',
        'Reshape', 'Constant', 'Concat', 'Exp', 'Identity', 'Shape', 'Gather', 'Unsqueeze',
    }  # fmt: skip
    assert 'Dropout' not in operators


def test_export_is_reproducible(network, exported):
    again = to_onnx(network).SerializeToString(deterministic=True)
    assert again == exported[0].with_suffix('.onnx').read_bytes()


@pytest.mark.parametrize('value', [1e5, float('nan')])
def test_weights_beyond_half_precision_are_refused(value):
    network = Eigen2014(hidden=8)
    with torch.no_grad():
        network.fine.mix.weight[0, 0, 0, 0] = value
    with pytest.raises(MsdepthError, match='does not fit FP16'):
        to_onnx(network)
