# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth teach`: images without depth and a large network make a small model file."""

import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from folders import write_folder
from oracle import write_color_model

torch = pytest.importorskip('torch', reason='training needs torch')
pytest.importorskip('onnx', reason='export needs onnx')

from float_nchw import export_float_nchw  # noqa: E402

from msdepth_ros.cli import main  # noqa: E402
from msdepth_ros.geometry.camera import Camera  # noqa: E402
from msdepth_ros.inference.backends import create_backend  # noqa: E402
from msdepth_ros.inference.model import load_model  # noqa: E402
from msdepth_ros.networks import create_network  # noqa: E402
from msdepth_ros.networks.export import write_model  # noqa: E402
from msdepth_ros.training.start import start_from_weights  # noqa: E402

CAMERA = Camera.pinhole(160, 120, 130.0, 130.0, 79.5, 59.5)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv('XDG_DATA_HOME', str(tmp_path / 'share'))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield tmp_path / 'share' / 'msdepth_ros' / 'models'
    torch.set_num_threads(before)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Return a folder of 48 images of one colour each, and their camera."""
    folder = tmp_path / 'drive'
    folder.mkdir()
    random = np.random.default_rng(4)
    for index in range(48):
        color = random.integers(0, 256, 3)
        cv2.imwrite(str(folder / f'{index:03d}.png'), np.full((120, 160, 3), color, np.uint8))
    (folder / 'camera.yaml').write_text(CAMERA.to_yaml())
    return folder


@pytest.fixture
def student(tmp_path: Path) -> Path:
    torch.manual_seed(3)
    options = {'name': 'eigen2014', 'hidden': 8}
    network = create_network('eigen2014', {'hidden': 8})
    for name, parameter in network.named_parameters():
        if name.endswith('bias'):  # the exporter leaves zeros out
            torch.nn.init.normal_(parameter, std=0.01)
    return write_model(network, 'small', tmp_path / 'small', (0.1, 50.0), {'network': options})


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    """Return a model that predicts 0.5 m or more from the colours, at any focal length."""
    return write_color_model(tmp_path / 'color')


def teach(images: Path, teacher: Path, student: Path, *options: str) -> int:
    arguments = ['--teacher', str(teacher), '--start', str(student), '--out', 'taught']
    few = ['--views', '96', '--batch', '8', '--rate', '3e-3', '--device', 'cpu', '--workers', '0']
    few += [] if '--rooms' in options else ['--rooms', '0']
    return main(['teach', str(images), *arguments, *few, *options])


def test_from_images_to_a_model_file(
    images: Path, teacher: Path, student: Path, capsys: pytest.CaptureFixture[str]
):
    assert teach(images, teacher, student, '--license', 'CC0-1.0') == 0
    told = capsys.readouterr().out
    found = re.search(r'differed by ([\d.]+)% of the depth, now by ([\d.]+)%', told)
    assert found
    assert float(found[2]) < 0.85 * float(found[1])
    assert 'use it as `model: taught`' in told
    model = load_model('taught')
    training = model.document['training']
    assert training['data']['images']['licence'] == 'CC0-1.0'
    assert [each['name'] for each in training['teachers']] == [load_model(teacher).name]
    assert model.document['agreement']['on'].startswith('4 images')
    backend = create_backend(model, 'onnxruntime')
    backend.run()
    assert np.isfinite(backend.outputs['depth']).all()
    backend.close()


def test_a_model_of_that_name_is_not_replaced_by_accident(
    images: Path, teacher: Path, student: Path, home: Path, capsys: pytest.CaptureFixture[str]
):
    (home / 'taught').mkdir(parents=True)
    (home / 'taught' / 'taught.yaml').write_text('name: taught')
    assert teach(images, teacher, student) == 2
    assert '--overwrite' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'images': 'nowhere'}, 'does not exist'),
        ({'teacher': 'nobody'}, "no model named 'nobody'"),
        ({'student': 'teacher'}, 'was not written by `msdepth export`'),
        ({'few': True}, 'too few to learn from'),
        ({'camera': False}, 'the calibration is not known'),
    ],
)
def test_what_is_wrong_is_one_line(
    change: dict[str, Any],
    words: str,
    images: Path,
    teacher: Path,
    student: Path,
    capsys: pytest.CaptureFixture[str],
):
    if 'few' in change:
        for path in sorted(images.glob('*.png'))[2:]:
            path.unlink()
    if 'camera' in change:
        (images / 'camera.yaml').unlink()
    taught = Path(change.get('images', images))
    by = Path(change.get('teacher', teacher))
    code = teach(taught, by, teacher if 'student' in change else student)
    error = capsys.readouterr().err
    assert code == 2
    assert words in error.splitlines()[-1]


@pytest.mark.slow
def test_rooms_are_rendered_to_learn_from_beside_the_images(
    images: Path, teacher: Path, student: Path, home: Path
):
    assert teach(images, teacher, student, '--rooms', '8', '--overwrite') == 0
    document = load_model('taught').document
    assert set(document['training']['data']) == {'images', 'rooms'}
    assert len(list((home / 'taught' / 'rooms' / 'rgb').iterdir())) == 8


@pytest.mark.slow
def test_intrinsics_stand_in_for_a_calibration(images: Path, teacher: Path, student: Path):
    (images / 'camera.yaml').unlink()
    assert teach(images, teacher, student, '--intrinsics', '130,130,79.5,59.5') == 0


@pytest.mark.slow
def test_images_without_depth_beside_others_and_what_export_makes_of_them(
    images: Path, teacher: Path, student: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    write_folder(tmp_path / 'set', 5)
    source = {'description': 'd', 'licence': 'l'}
    config = {
        'name': 'mixed',
        'network': {'name': 'eigen2014', 'hidden': 8},
        'data': {
            'sources': {
                'ramps': {'folders': ['set'], 'blocks': 2, 'validation_share': 0.4, **source},
                'drive': {'folders': ['drive'], 'teacher_only': True, **source},
            }
        },
        'stages': [
            {'trains': 'coarse', 'images': 4, 'rate': 1e-4, 'batch': 2},
            {'trains': 'fine', 'images': 8, 'rate': 1e-4, 'batch': 4, 'distillation': 1.0},
        ],
    }
    (tmp_path / 'mixed.yaml').write_text(yaml.safe_dump(config))
    arguments = ['--data', str(tmp_path), '--out', str(tmp_path / 'run'), '--threads', '1']
    train = ['train', str(tmp_path / 'mixed.yaml'), *arguments]
    assert main([*train, '--teacher', str(teacher)]) == 0
    assert main(['export', str(tmp_path / 'run'), '--data', str(tmp_path)]) == 0
    document = load_model(tmp_path / 'run' / 'mixed.yaml').document
    assert set(document['training']['data']) == {'ramps', 'drive'}
    assert 'drive' not in document['measured']


def test_images_without_depth_need_a_teacher_and_a_start(
    images: Path, teacher: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    source = {'folders': ['drive'], 'teacher_only': True, 'description': 'd', 'licence': 'l'}
    stage = {'trains': 'coarse', 'images': 4, 'rate': 1e-4, 'batch': 2}
    config = {
        'name': 'alone',
        'network': {'name': 'eigen2014', 'hidden': 8},
        'data': {'sources': {'drive': source}},
        'stages': [stage],
    }
    (tmp_path / 'alone.yaml').write_text(yaml.safe_dump(config))
    train = ['train', str(tmp_path / 'alone.yaml'), '--data', str(tmp_path)]
    assert main([*train, '--out', str(tmp_path / 'first')]) == 2
    assert 'a stage without `distillation`' in capsys.readouterr().err
    config['stages'] = [{**stage, 'distillation': 1.0}]
    (tmp_path / 'alone.yaml').write_text(yaml.safe_dump(config))
    taught = [*train, '--out', str(tmp_path / 'second'), '--teacher', str(teacher)]
    assert main(taught) == 2
    assert '--weights engines/msdepth.onnx' in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['focal:259.4', 'affine'])
def test_a_large_foreign_network_teaches_the_default_one_on_a_robots_drive(
    kind: str, shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """The stand-in is the paper's network, exported as others export theirs."""
    engines = Path(__file__).resolve().parents[2] / 'engines'
    large = create_network('eigen2014', {'hidden': 512})
    start_from_weights(large, [engines / 'eigen2014.onnx'])
    scale, shift = (3.0, -0.4) if kind == 'affine' else (1.0, 0.0)
    file = export_float_nchw(large, tmp_path / 'large.onnx', scale, shift)
    hand = ['--norm', 'imagenet', '--quantity', 'inverse_depth', '--metric', kind]
    photo = ['--check', str(shared_data / 'robot_walk' / '0050.jpg')]
    assert main(['adopt', str(file), *hand, *photo, '--range', '0.3,10']) == 0
    arguments = ['--teacher', 'large', '--out', 'taught', '--views', '480']
    camera = ['--intrinsics', '615,615,320,240', '--device', 'cpu', '--every', '2', '--rooms', '0']
    drive = str(shared_data / 'robot_walk')
    assert main(['teach', drive, *arguments, *camera]) == 0
    found = re.search(
        r'differed by ([\d.]+)% of the depth, now by ([\d.]+)%', capsys.readouterr().out
    )
    assert found
    assert float(found[2]) < 0.7 * float(found[1])
    assert load_model('taught').input_size == load_model('msdepth').input_size
