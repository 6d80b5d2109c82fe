# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The default model learns a place of one's own: the shipped recipe, made small, end to end."""

import json
from pathlib import Path

import pytest
import yaml

torch = pytest.importorskip('torch', reason='training needs torch')
pytest.importorskip('onnx', reason='export needs onnx')

from msdepth_ros.cli import main  # noqa: E402
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


@pytest.mark.slow
def test_a_rendered_place_is_learned(tmp_path, capsys):
    """A room from a robot's height, of which the default model knows nothing."""
    place = tmp_path / 'place'
    render = ['--style', 'robot', '--count', '12', '--views', '12', '--seed', '5', '--threads', '1']
    assert main(['render', '--out', str(place), *render, '--width', '160', '--height', '120']) == 0
    document = yaml.safe_load(RECIPE.read_text())
    document['data']['sources']['rooms']['rendered'] = 4
    document['data']['sources']['place']['camera_height'] = [0.1, 0.6]
    document['data']['sources']['place']['blocks'] = 1
    depth, heads = document['stages']
    depth.update(images=320, batch=8, warm_up=16, averaging=0.9)
    heads.update(images=16, batch=8, warm_up=8, averaging=0.5)
    document['validate_every'] = 160
    (tmp_path / 'mine.yaml').write_text(yaml.safe_dump(document))
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
