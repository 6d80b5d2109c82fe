# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What can be given by hand, what files may look like, and what is refused."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

onnx = pytest.importorskip('onnx')

import onnxruntime  # noqa: E402
from export_stubs import STUBS, Output, Stub, depth_at, write_stub  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402

from msdepth_ros.adopt import running  # noqa: E402
from msdepth_ros.adopt.camera_input import camera_value  # noqa: E402
from msdepth_ros.adopt.exported import TensorInfo  # noqa: E402
from msdepth_ros.adopt.size import nearest_size  # noqa: E402
from msdepth_ros.cli import main  # noqa: E402
from msdepth_ros.errors import ModelError  # noqa: E402
from msdepth_ros.geometry.camera import Camera  # noqa: E402
from msdepth_ros.geometry.pinhole import Intrinsics  # noqa: E402
from msdepth_ros.inference.backends import create_backend  # noqa: E402
from msdepth_ros.inference.backends.onnxruntime import OnnxRuntimeBackend  # noqa: E402
from msdepth_ros.inference.estimator import DepthEstimator  # noqa: E402
from msdepth_ros.inference.model import Model, load_model  # noqa: E402

CAMERA = Camera.pinhole(640, 480, 500.0, 500.0, 319.5, 239.5)
TINY = Camera.pinhole(56, 42, 60.0, 63.0, 27.0, 21.5)
SMALL = ('--size', '56x42')


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv('XDG_DATA_HOME', str(tmp_path / 'share'))
    return tmp_path / 'share' / 'msdepth_ros' / 'models'


def adopted(stub: Stub, folder: Path, *options: str, **changes: Any) -> Model:
    path = write_stub(folder / 'mine.onnx', stub, **changes)
    assert main(['adopt', str(path), *options]) == 0
    return load_model('mine')


def refusal(capsys: pytest.CaptureFixture[str], path: Path, *options: str) -> str:
    assert main(['adopt', str(path), *options]) == 2
    return capsys.readouterr().err


def answer(model: Model, red: int) -> np.ndarray:
    width, height = model.input_size
    image = np.zeros((1, height, width, 3), np.uint8)
    image[..., 0] = red
    session = onnxruntime.InferenceSession(model.onnx, providers=['CPUExecutionProvider'])
    return session.run(['depth'], {'image': image})[0][0, 0]


def known(shape: tuple[int, int], red: float) -> np.ndarray:
    y, x = np.indices(shape)
    return depth_at(x, y, red)


def test_an_adopted_model_is_found_and_listed_by_name(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
):
    model = adopted(STUBS['da-metric-hub'], tmp_path, '--preset', 'da-metric-hub', *SMALL)
    assert model.onnx == home / 'mine' / 'mine.onnx'
    assert model.read_onnx()  # its SHA-256 is the YAML's
    told = capsys.readouterr().out
    assert 'licence of the weights: unknown (V2 metric' in told
    assert 'use it as `model: mine`' in told
    assert main(['models']) == 0
    table = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in table[1:]] == [
        ['eigen2014', 'shipped'],
        ['msdepth', 'shipped'],
        ['mine', 'adopted'],
    ]
    assert main(['models', '--json']) == 0
    rows = {row['name']: row for row in json.loads(capsys.readouterr().out)}
    assert rows['mine']['metric'] == 'metres'
    assert rows['mine']['licence'] == 'unknown'
    assert rows['mine']['input'] == '56x42'
    assert rows['msdepth']['backend'] in ('tensorrt', 'openvino', 'onnxruntime')


def test_a_file_of_the_hub_is_named_as_its_repository(tmp_path: Path, home: Path):
    folder = tmp_path / 'depth-anything-v2-small' / 'onnx'
    folder.mkdir(parents=True)
    (folder.parent / 'config.json').write_text('{"model_type": "depth_anything"}')
    path = write_stub(folder / 'model.onnx', STUBS['da-hub'])
    assert main(['adopt', str(path), '--hub-config', str(folder.parent), *SMALL]) == 0
    assert load_model('depth-anything-v2-small').document['adopted']['preset'] == 'da-hub'


def test_a_damaged_model_does_not_hide_the_others(home: Path, capsys: pytest.CaptureFixture[str]):
    (home / 'broken').mkdir(parents=True)
    (home / 'broken' / 'broken.yaml').write_text('name: broken')
    assert main(['models']) == 0
    out = capsys.readouterr().out
    assert 'broken' in out
    assert 'not usable' in out
    assert 'msdepth' in out


def test_an_unknown_name_lists_what_there_is(tmp_path: Path):
    adopted(STUBS['da-metric-hub'], tmp_path, '--preset', 'da-metric-hub', *SMALL)
    with pytest.raises(ModelError, match=r"no model named 'other'.*adopted are mine"):
        load_model('other')


def test_everything_by_hand(tmp_path: Path):
    stub = Stub(
        'rgb',
        (
            Output('z', 'inverse', ('batch', 3, 'H', 'W')),
            Output('out', 'inverse', (1, 1, 'H', 'W')),
        ),
        (56, 42),
    )
    stub = Stub('rgb', (Output('z', 'points', (1, 3, 'H', 'W')), stub.outputs[1]), (56, 42))
    options = (
        *(
            '--input',
            'rgb',
            '--norm',
            'imagenet',
            '--quantity',
            'depth',
            '--metric',
            'focal:250:fx',
        ),
        *('--affine', '2,0.5', '--range', '0.2,30', '--resize', 'pad', '--precision', 'fp32'),
        *('--output', 'z:2', '--license', 'BSD-3-Clause', '--camera', '640x480'),
    )
    model = adopted(stub, tmp_path, *options)
    np.testing.assert_allclose(answer(model, 51), 2 * known((42, 56), 0.2) + 0.5, rtol=1e-5)
    assert (model.focal, model.focal_from, model.fit) == (250, 'fx', 'pad')
    assert (model.precision, model.depth_range) == ('fp32', (0.2, 30))
    assert model.document['license'] == 'BSD-3-Clause'
    assert model.document['adopted']['preset'] == 'none'


def test_by_hand_nothing_is_asked_of_a_file_that_looks_like_several(tmp_path: Path):
    options = ('--norm', 'imagenet', '--quantity', 'inverse_depth', '--metric', 'affine', *SMALL)
    model = adopted(STUBS['da-fabio'], tmp_path, *options)
    assert model.document['adopted']['preset'] == 'none'
    assert model.document['metric'] == 'affine'


def test_blue_green_red_and_numbers(tmp_path: Path):
    # The stub undoes the normalisation of the first channel, which is blue then.
    mean, std = (0.3, 0.2, 0.1), (0.5, 0.4, 0.3)
    stub = Stub('image', (Output('depth', 'depth', ('batch', 'H', 'W')),), (56, 42))
    options = ('--preset', 'da-metric-fabio-indoor', '--bgr')
    numbers = 'mean=0.1,0.2,0.3,std=0.3,0.4,0.5'
    model = adopted(stub, tmp_path, *options, '--norm', numbers, normalisation=(mean, std))
    image = np.zeros((1, 42, 56, 3), np.uint8)
    image[..., 2] = 102
    session = onnxruntime.InferenceSession(model.onnx, providers=['CPUExecutionProvider'])
    (depth,) = session.run(['depth'], {'image': image})
    np.testing.assert_allclose(depth[0, 0], known((42, 56), 0.4), rtol=1e-5)


def test_the_shape_follows_the_camera(tmp_path: Path):
    (tmp_path / 'camera.yaml').write_text(CAMERA.to_yaml())
    options = ('--preset', 'da-metric-hub', '--camera', str(tmp_path / 'camera.yaml'))
    assert adopted(STUBS['da-metric-hub'], tmp_path, *options).input_size == (602, 448)
    for camera, multiple in (
        ((1280, 720), 14),
        ((640, 480), 32),
        ((752, 480), 16),
        ((640, 400), 28),
    ):
        width, height = nearest_size(camera, (518, 518), multiple)
        assert width % multiple == height % multiple == 0
        assert width / height == pytest.approx(camera[0] / camera[1], rel=0.03)
        assert width * height == pytest.approx(518 * 518, rel=0.25)


def test_sizes_that_a_network_cannot_have(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    free = write_stub(tmp_path / 'free.onnx', STUBS['da-metric-hub'])
    preset = ('--preset', 'da-metric-hub')
    assert 'multiples of 14' in refusal(capsys, free, *preset, '--size', '640x480')
    assert 'try 644x476' in refusal(capsys, free, *preset, '--size', '640x480')
    assert 'WIDTHxHEIGHT' in refusal(capsys, free, *preset, '--size', 'large')
    fixed = write_stub(tmp_path / 'fixed.onnx', STUBS['da-metric-fabio-indoor'])
    preset = ('--preset', 'da-metric-fabio-indoor')
    assert '518x518 pixels only' in refusal(capsys, fixed, *preset, '--size', '56x42')


def test_a_small_output_is_aligned_to_half_pixels_or_corners(tmp_path: Path):
    path = write_stub(tmp_path / 'mine.onnx', STUBS['da-metric-fabio-indoor'], size=(56, 42))
    model = onnx.load(path)  # every other cell of it
    last = model.graph.node[-1]
    starts = [
        onnx.numpy_helper.from_array(np.array(values), name)
        for name, values in (('s', [0, 0]), ('e', [42, 56]), ('a', [1, 2]), ('t', [2, 2]))
    ]
    model.graph.initializer.extend(starts)
    last.op_type, last.input[1:] = 'Slice', ['s', 'e', 'a', 't']
    for axis, size in ((1, 21), (2, 28)):
        model.graph.output[0].type.tensor_type.shape.dim[axis].dim_value = size
    onnx.save(model, path)
    options = ['adopt', str(path), '--preset', 'da-metric-fabio-indoor']
    assert main(options) == 0
    model = load_model('mine')
    assert (model.output_size, model.grid_origin, model.grid_step) == ((28, 21), (0.5, 0.5), (2, 2))
    assert main([*options, '--corners']) == 0
    model = load_model('mine')
    assert model.grid_origin == (0, 0)
    assert model.grid_step == pytest.approx((55 / 27, 41 / 20))


def test_weights_in_another_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = write_stub(tmp_path / 'mine.onnx', STUBS['da-metric-fabio-indoor'], size=(560, 420))
    model = onnx.load(path)
    onnx.save(
        model, path, save_as_external_data=True, location='mine.onnx_data', size_threshold=1024
    )
    options = ('--preset', 'da-metric-fabio-indoor')
    assert main(['adopt', str(path), *options]) == 0
    np.testing.assert_allclose(answer(load_model('mine'), 0), known((420, 560), 0), rtol=1e-5)
    whole = (tmp_path / 'mine.onnx_data').read_bytes()
    (tmp_path / 'mine.onnx_data').write_bytes(whole[: len(whole) // 3])
    assert 'mine.onnx' in refusal(capsys, path, *options)
    (tmp_path / 'mine.onnx_data').unlink()
    assert 'put the .onnx_data' in refusal(capsys, path, *options)


@pytest.mark.parametrize('backend', ['onnxruntime', 'openvino'])
def test_a_network_too_large_for_one_file(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    if backend == 'openvino':
        pytest.importorskip('openvino')
    monkeypatch.setattr(running, 'LARGEST_FILE', 1000)
    options = ('--preset', 'da-metric-fabio-indoor')
    model = adopted(STUBS['da-metric-fabio-indoor'], tmp_path, *options, size=(560, 420))
    assert model.weights == model.onnx.with_name('mine.onnx.data')
    loaded = create_backend(model, backend, precision='fp32')
    loaded.run()
    np.testing.assert_allclose(loaded.outputs['depth'], known((420, 560), 0), rtol=1e-5)
    loaded.close()
    # Other weights make another file, so that no engine of before is taken for it.
    first = model.read_onnx()
    model = adopted(STUBS['da-metric-fabio-outdoor'], tmp_path, *options, size=(574, 420))
    assert model.read_onnx() != first


@pytest.mark.parametrize('kind', [TensorProto.FLOAT16, TensorProto.DOUBLE])
def test_other_floats_become_fp32(kind: int, tmp_path: Path):
    model = adopted(
        STUBS['da-metric-hub'], tmp_path, '--preset', 'da-metric-hub', *SMALL, kind=kind
    )
    np.testing.assert_allclose(answer(model, 255), known((42, 56), 1), rtol=1e-5)
    types = {tensor.data_type for tensor in onnx.load(model.onnx).graph.initializer}
    assert kind not in types


def test_old_files_are_upgraded(tmp_path: Path):
    model = adopted(STUBS['midas21'], tmp_path, '--preset', 'midas21')
    graph = onnx.load(model.onnx)
    assert graph.opset_import[0].version == 17
    assert [o.name for o in graph.graph.output] == ['depth']
    np.testing.assert_allclose(1 / answer(model, 0), known((384, 384), 0), rtol=1e-4)


def test_confidence_comes_out_in_0_to_1(tmp_path: Path):
    model = adopted(STUBS['da3-hub'], tmp_path, '--preset', 'da3-hub', *SMALL)
    assert model.document['outputs'] == {'confidence': {'name': 'confidence'}}
    session = onnxruntime.InferenceSession(model.onnx, providers=['CPUExecutionProvider'])
    image = np.zeros((1, 42, 56, 3), np.uint8)
    depth, confidence = session.run(['depth', 'confidence'], {'image': image})
    np.testing.assert_allclose(confidence, 1 - 1 / (depth + 1), rtol=1e-5)


def test_constants_and_what_else_an_input_may_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    stub = STUBS['da-metric-hub']
    path = write_stub(tmp_path / 'mine.onnx', stub, further={'gain': (1, 2)})
    options = ('--preset', 'da-metric-hub', *SMALL)
    assert 'further inputs, gain' in refusal(capsys, path, *options)
    assert "no input 'gane'" in refusal(capsys, path, *options, '--const', 'gane=1')
    assert 'NAME=VALUE' in refusal(capsys, path, *options, '--const', 'gain')
    assert main(['adopt', str(path), *options, '--const', 'gain=1.5']) == 0
    assert 'is not K' in refusal(capsys, path, *options, '--camera-input', 'gain=K')
    assert '--camera-input must be' in refusal(capsys, path, *options, '--camera-input', 'gain=k')


def test_the_camera_as_an_input():
    camera = Intrinsics(4, 3, 2.0, 2.5, 1.5, 1.0)
    free = TensorInfo('K', 'FLOAT', (None, 3, 3))
    np.testing.assert_array_equal(camera_value('K', camera, free)[0], camera.matrix())
    projection = camera_value('P3x4', camera, TensorInfo('P2', 'FLOAT', (1, 3, 4)))
    np.testing.assert_array_equal(projection[0], [[2, 0, 1.5, 0], [0, 2.5, 1, 0], [0, 0, 1, 0]])
    numbers = camera_value('fxfycxcy', camera, TensorInfo('i', 'FLOAT', (None, 4)))
    np.testing.assert_array_equal(numbers, [[2, 2.5, 1.5, 1]])
    rays = camera_value('rays', camera, TensorInfo('rays', 'FLOAT', (None, 3, 3, 4)))
    np.testing.assert_allclose(np.linalg.norm(rays, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(rays[0, :2, 0, 0] / rays[0, 2, 0, 0], [-1.5 / 2, -1 / 2.5])
    with pytest.raises(ModelError, match='is not rays'):
        camera_value('rays', camera, free)
    with pytest.raises(ModelError, match='is not rays'):
        camera_value('rays', camera, TensorInfo('r', 'FLOAT', (1, 3, 4, 4)))


@pytest.mark.parametrize(
    ('kind', 'shape'),
    [
        ('K', (1, 3, 3)),
        ('K', (3, 3)),
        ('P3x4', (1, 3, 4)),
        ('fxfycxcy', ('b', 4)),
        ('fxfycxcy', (4,)),
        ('rays', ('b', 3, 42, 56)),
    ],
)
def test_the_camera_reaches_the_network_as_it_wants_it(kind: str, shape: Any, tmp_path: Path):
    stub = Stub(
        'image', (Output('depth', 'depth', ('batch', 'H', 'W')),), (56, 42), further={'cam': shape}
    )
    path = write_stub(tmp_path / 'mine.onnx', stub)
    model = onnx.load(path)  # its answer is the sum of what it is told of the camera, squared
    model.graph.node.extend(
        [
            helper.make_node('Mul', ['cam', 'cam'], ['square']),
            helper.make_node('ReduceSum', ['square'], ['sum'], keepdims=0),
            helper.make_node('Add', ['depth', 'sum'], ['told']),
        ]
    )
    model.graph.output[0].name = 'told'
    onnx.save(model, path)
    options = ('--preset', 'da-metric-fabio-indoor', '--camera-input', f'cam={kind}')
    assert main(['adopt', str(path), *options, '--output', 'told', '--range', '0.1,1e7']) == 0
    model = load_model('mine')
    backend = OnnxRuntimeBackend(model)
    frame = DepthEstimator(model, backend).estimate(np.zeros((42, 56, 3), np.uint8), 'rgb8', TINY)
    value = camera_value(
        kind, TINY.raw_intrinsics(), TensorInfo('cam', 'FLOAT', (None,) * len(shape))
    )
    expected = known((42, 56), 0) + (value.astype(np.float64) ** 2).sum()
    np.testing.assert_allclose(frame.depth, expected, rtol=1e-4)
    backend.close()


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (('--preset', 'da-hub', '--norm', 'imagnet'), "no normalisation 'imagnet'"),
        (('--preset', 'da-hub', '--metric', 'focal'), "no metric rule 'focal'"),
        (('--preset', 'da-hub', '--metric', 'focal:-1'), "no metric rule 'focal:-1'"),
        (('--preset', 'da-hub', '--invalid', 'sky'), 'NAME>=VALUE'),
        (('--preset', 'da-hub', '--invalid', 'sky>=0.3'), "no output 'sky'"),
        (('--preset', 'da-hub', '--output', 'z'), "no output 'z'"),
        (('--preset', 'da-hub', '--input', 'z'), "no input 'z'"),
        (('--preset', 'da-hub', '--affine', '1'), 'two numbers'),
        (('--preset', 'da-hub', '--range', '3,1'), '0 < MIN < MAX'),
        (('--preset', 'da-hub', '--multiple', '0'), '1 to 512'),
        (('--preset', 'da-hub', '--out', 'msdepth'), 'is a shipped model'),
        (('--preset', 'da-hub', '--out', '..'), 'use letters, digits'),
        (('--preset', 'da-hub', '--hub-config', 'nowhere'), 'no preprocessor_config.json'),
        (('--preset', 'da-hub', '--check', 'nowhere.png'), 'does not exist'),
    ],
)
def test_wrong_options_are_one_line(
    options: tuple[str, ...], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = write_stub(tmp_path / 'mine.onnx', STUBS['da-hub'])
    error = refusal(capsys, path, *options, *SMALL)
    assert words in error
    assert error.count('\n') == 1


@pytest.mark.parametrize('content', [b'', b'no onnx at all', None])
def test_files_that_are_no_network(
    content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / 'file.onnx'
    if content is not None:
        path.write_bytes(content)
    error = refusal(capsys, path)
    assert ('cannot read' if content is None else 'not an ONNX file') in error


def test_an_unknown_route_names_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    stub = Stub('a', (Output('b', 'depth', (1, 1, 'H', 'W')),), (56, 42))
    path = write_stub(tmp_path / 'file.onnx', stub)
    error = refusal(capsys, path)
    assert 'inputs a [None, 3, 42, 56]' in error
    assert '--norm, --quantity, --metric' in error


def test_strict_refuses_what_else_is_a_warning(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
):
    path = write_stub(tmp_path / 'mine.onnx', STUBS['da-metric-hub'])
    options = ['adopt', str(path), '--preset', 'da-metric-hub', *SMALL, '--affine', '0.01,0']
    assert main([*options, '--strict']) == 2
    assert 'last factor is missing' in capsys.readouterr().err
    assert not (home / 'mine').exists()
    assert main(options) == 0
    assert 'WARNING: the prediction lies within 0 and 1' in capsys.readouterr().out
    assert 'last factor' in load_model('mine').document['adopted']['warnings'][0]


def test_the_photo_is_the_users(tmp_path: Path, home: Path):
    photo = np.zeros((480, 640, 3), np.uint8)
    photo[..., 2] = 255  # red
    cv2.imwrite(str(tmp_path / 'photo.png'), photo)
    check = ('--check', str(tmp_path / 'photo.png'))
    adopted(STUBS['da-metric-hub'], tmp_path, '--preset', 'da-metric-hub', *SMALL, *check)
    picture = cv2.imread(str(home / 'mine' / 'check.png'))
    assert picture[100, 100].tolist() == [0, 0, 255]
