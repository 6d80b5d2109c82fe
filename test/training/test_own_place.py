# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The default model learns a place of one's own: the shipped recipe, made small, end to end."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from formats import COLOR_TOPIC, INFO_TOPIC, OPTICAL_FRAME, BagWriter

torch = pytest.importorskip('torch', reason='training needs torch')
pytest.importorskip('onnx', reason='export needs onnx')

from msdepth_ros.cli import main  # noqa: E402
from msdepth_ros.datasets import open_dataset  # noqa: E402
from msdepth_ros.inference.model import load_model  # noqa: E402
from msdepth_ros.training.config import read_config  # noqa: E402
from msdepth_ros.training.summary import summary  # noqa: E402

RECIPE = Path(__file__).parents[2] / 'config/training/own_place.yaml'


def line(stage, images, **sources):
    tables = {name: {'abs_rel': value, 'delta1': 1 - value} for name, value in sources.items()}
    return {'stage': stage, 'images': images, 'validation': tables}


def test_the_summary_names_what_was_achieved():
    lines = [line('start', 0, place=0.4), line('settled', 16, place=0.2), line('heads', 8)]
    errors, warnings = summary(lines)
    assert errors == ['place, held out: abs rel 0.200, delta1 0.800; before: 0.400, 0.600']
    assert not warnings


def test_overfitting_and_no_progress_are_reported():
    course = [line('settled', 16 * n, place=error) for n, error in ((1, 0.2), (2, 0.22), (3, 0.3))]
    _, (warning,) = summary([line('start', 0, place=0.4), *course])
    assert 'overfits' in warning
    assert 'was least (0.200) after 16 images of stage settled, and is 0.300' in warning
    _, (warning, _) = summary([line('start', 0, place=0.25), *course])
    assert warning == 'place: no better than before on held-out frames'
    assert summary(course[:2]) == (['place, held out: abs rel 0.220, delta1 0.780'], [
        'place: it overfits: abs rel on held-out frames was least (0.200) after 16 '
        'images of stage settled, and is 0.220 now: train on fewer images, or on more different '
        'frames'
    ])  # fmt: skip


def test_the_recipe_starts_from_what_ships():
    config = read_config(RECIPE)
    assert config.start == ('msdepth',)
    assert set(load_model('msdepth').document['outputs']) == set(config.network['heads'])
    assert config.data.sources['place'].folders == ('.',)
    assert config.data.sources['place'].at_most


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    """Return a room from a robot's height, in which the default model is far off."""
    path = tmp_path_factory.mktemp('rendered') / 'place'
    render = ['--style', 'robot', '--count', '12', '--views', '12', '--seed', '4', '--threads', '1']
    assert main(['render', '--out', str(path), *render, '--width', '160', '--height', '120']) == 0
    return path


def write_recipe(path, images, averaging=0.9):
    """Write the shipped recipe, made small."""
    document = yaml.safe_load(RECIPE.read_text())
    document['data']['sources']['rooms']['rendered'] = 4
    document['data']['sources']['place']['camera_height'] = [0.1, 0.6]
    document['data']['sources']['place']['blocks'] = 1
    depth, heads = document['stages']
    depth.update(images=images, batch=8, warm_up=16, averaging=averaging)
    heads.update(images=16, batch=8, warm_up=8, averaging=0.5)
    document['validate_every'] = 160
    path.write_text(yaml.safe_dump(document))


def scanned(place, path):
    """Write a recording of the place's images and a laser scanner at the camera, no depth."""
    step = 0.01
    with BagWriter(path) as bag, open_dataset(place) as dataset:
        bag.static_transform('laser', OPTICAL_FRAME, (0.0, 0.0, 0.0), (-0.5, 0.5, -0.5, 0.5), 0)
        for index in range(len(dataset)):
            frame, ns = dataset[index], 1_700_000_000_000_000_000 + index * 10**9
            i = frame.intrinsics
            reach = np.arctan(i.cx / i.fx)
            angles = np.arange(-reach, reach, step)
            columns = np.rint(i.cx - i.fx * np.tan(angles)).astype(int).clip(0, i.width - 1)
            ranges = frame.depth[round(i.cy), columns] / np.cos(angles)
            bag.camera_info(INFO_TOPIC, i.width, i.height, i.fx, ns)
            bag.image(COLOR_TOPIC, 'bgr8', frame.image, ns)
            bag.scan('/scan', ranges, -reach, step, ns)
    return path


@pytest.mark.slow
def test_a_rendered_place_is_learned_by_a_scan(tmp_path, place, capsys):
    """Images and a scan, no depth: what is held out is compared with the place's true depth."""
    pytest.importorskip('rosbags', reason='recordings are read with it')
    walk, run = scanned(place, tmp_path / 'walk'), tmp_path / 'run'
    write_recipe(tmp_path / 'mine.yaml', 96, averaging=0.7)
    common = ['--data', str(walk)]
    train = ['train', f'{tmp_path}/mine.yaml', *common, '--out', str(run), '--threads', '1']
    assert main([*train, '--device', 'cpu']) == 2
    assert '--measured' in capsys.readouterr().err
    assert main([*train, '--measured', 'scan', '--device', 'cpu']) == 0
    said = capsys.readouterr()
    assert 'those held out are compared with what sensors measured' in said.err
    assert 'place, held out: abs rel' in said.out
    assert main([*train, '--resume', '--device', 'cpu']) == 2  # without what was measured
    assert main(['export', str(run), *common]) == 0
    model = load_model(run / 'own_place.yaml')
    assert 'what sensors measured of them' in model.document['measured']['on']
    assert 'aligned with: scan' in model.document['training']['data']['place']['depth']
    capsys.readouterr()
    errors = {}
    mine = str(run / 'own_place.yaml')
    for name in ('msdepth', mine):
        assert main(['evaluate', str(place), '--model', name, '--json', '--threads', '1']) == 0
        errors[name] = json.loads(capsys.readouterr().out)['pooled']['abs_rel']
    assert errors[mine] < errors['msdepth']


@pytest.mark.slow
def test_a_rendered_place_is_learned(tmp_path, place, capsys):
    write_recipe(tmp_path / 'mine.yaml', 320)
    run, common = tmp_path / 'run', ['--data', str(place)]
    train = ['train', f'{tmp_path}/mine.yaml', *common, '--out', str(run), '--threads', '1']
    assert main([*train, '--device', 'cpu']) == 0
    out = capsys.readouterr().out
    assert 'place, held out: abs rel' in out
    lines = [json.loads(text) for text in (run / 'log.jsonl').read_text().splitlines()]
    tables = [each['validation']['place'] for each in lines if each['stage'] != 'heads']
    assert tables[-1]['abs_rel'] < 0.75 * tables[0]['abs_rel']
    assert len(list((run / 'rooms/rgb').iterdir())) == 4
    assert list((run / 'sheets').glob('*.png'))
    assert main(['export', str(run), *common, '--int8']) == 0
    model = load_model(run / 'own_place.yaml')
    assert set(model.document['outputs']) == {'floor', 'confidence'}
    assert model.document['measured']['place']['pooled']['abs_rel'] < tables[0]['abs_rel']
    assert (
        model.document['correction']['slope']
        == load_model('msdepth').document['correction']['slope']
    )
    assert 'nyu' in model.document['training']['data']  # what it began from had learned from it
    assert main([*train, '--device', 'cpu']) == 2
    assert '--resume' in capsys.readouterr().err
