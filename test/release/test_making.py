# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth make`: a model from nothing, as its YAML's recipe says."""

import pytest
import yaml
from folders import write_folder

torch = pytest.importorskip('torch', reason='training needs torch')
pytest.importorskip('onnx', reason='export needs onnx')

from msdepth_ros.cli import main  # noqa: E402
from msdepth_ros.inference.model import load_model  # noqa: E402
from msdepth_ros.release import making  # noqa: E402
from msdepth_ros.release.making import Maker  # noqa: E402
from msdepth_ros.resources import share_directory  # noqa: E402
from msdepth_ros.training.checkpoint import load_checkpoint  # noqa: E402
from msdepth_ros.training.config import read_config  # noqa: E402


def _configuration(name, recipe, distillation=0.0, rate=1e-4):
    source = {'description': 'ramps', 'licence': 'none'}
    sources = {
        'first': {**source, 'folders': ['one'], 'blocks': 2, 'validation_share': 0.4},
        'second': {**source, 'folders': ['two']},
    }
    stage = {'trains': 'coarse', 'images': 3, 'batch': 2, 'rate': rate}
    return {
        'name': name,
        'network': {'name': 'eigen2014', 'hidden': 8},
        'data': {'sources': sources},
        'stages': [{**stage, 'distillation': distillation}],
        'recipe': recipe,
    }


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """Return a folder in which `last` was made: of `first`, which `teacher` teaches."""
    folder = tmp_path_factory.mktemp('making')
    write_folder(folder / 'one', 5)
    write_folder(folder / 'two', 4)
    last = {
        'start': 'first.yaml',
        'leave_out': [['second']],
        'name': 'ships',
        'start_share': 0.5,
    }
    documents = [
        _configuration('teacher', {}),
        _configuration('first', {'teachers': ['teacher.yaml'], 'name': 'begun'}, 1.0),
        _configuration('last', last, rate=1e-2),
    ]
    for document in documents:
        (folder / f'{document["name"]}.yaml').write_text(yaml.safe_dump(document))
    assert main(_make(folder, 'last')) == 0
    return folder


def _make(folder, name):
    options = ['--data', str(folder), '--out', f'{folder}/out', '--device', 'cpu', '--threads', '1']
    return ['make', f'{folder}/{name}.yaml', *options]


def test_a_model_is_made_of_all_that_comes_before_it(made):
    folders = {'teacher', 'first', 'last', 'last_without_second'}
    assert {path.name for path in (made / 'out').iterdir()} == folders
    before = load_checkpoint(made / 'out' / 'first' / 'checkpoint.pt')
    assert [teacher['name'] for teacher in before['teachers']] == ['teacher']
    model = load_model(made / 'out' / 'last' / 'ships.yaml')
    training = model.document['training']
    (begun_from,) = training['started_from']
    assert begun_from['file'] == 'begun.onnx'
    assert training['start_share'] == 0.5
    assert model.document['measured']['second']['frames'] == 4


def test_the_export_is_as_the_recipe_says(tmp_path, monkeypatch):
    recipe = {'name': 'ships', 'int8': True, 'correct': True, 'spread': 0.2, 'start_share': 0.5}
    (tmp_path / 'last.yaml').write_text(yaml.safe_dump(_configuration('last', recipe)))
    asked = {}
    monkeypatch.setattr(Maker, 'training', lambda self, *_: tmp_path / 'run')
    monkeypatch.setattr(making, 'release', lambda *_, **options: asked.update(options))
    made = Maker(tmp_path, tmp_path).model(tmp_path / 'last.yaml')
    assert made == tmp_path / 'run' / 'ships.yaml'
    assert asked == {**recipe, 'overwrite': True, 'measure_by': []}


def test_what_is_finished_is_not_made_again(made):
    times = {path: path.stat().st_mtime_ns for path in made.glob('out/*/*.*')}
    (made / 'one').rename(made / 'elsewhere')  # so that nothing could be trained on
    assert main(_make(made, 'last')) == 0
    (made / 'elsewhere').rename(made / 'one')
    assert {path: path.stat().st_mtime_ns for path in made.glob('out/*/*.*')} == times


def test_what_was_interrupted_is_continued(made):
    weights = load_checkpoint(made / 'out' / 'last' / 'checkpoint.pt')['weights']
    (made / 'out' / 'last' / 'checkpoint.pt').unlink()
    ships = made / 'out' / 'last' / 'ships.yaml'
    document = {key: v for key, v in yaml.safe_load(ships.read_text()).items() if key != 'measured'}
    ships.write_text(yaml.safe_dump(document))
    kept = made / 'out' / 'first' / 'checkpoint.pt'
    time = kept.stat().st_mtime_ns
    assert main(_make(made, 'last')) == 0
    again = load_checkpoint(made / 'out' / 'last' / 'checkpoint.pt')['weights']
    assert all(torch.equal(again[name], value) for name, value in weights.items())
    assert 'measured' in load_model(ships).document
    assert kept.stat().st_mtime_ns == time


def test_another_configuration_than_the_finished_one_is_refused(made, capsys):
    path = made / 'teacher.yaml'
    text = path.read_text()
    path.write_text(yaml.safe_dump({**yaml.safe_load(text), 'seed': 5}))
    assert main(_make(made, 'last')) == 2
    assert 'teacher/checkpoint.pt belongs to another configuration' in capsys.readouterr().err
    path.write_text(text)


def test_a_training_that_begins_with_itself_is_refused(made, capsys):
    for name, before in (('egg', 'hen'), ('hen', 'egg')):
        document = _configuration(name, {'start': f'{before}.yaml'})
        (made / f'{name}.yaml').write_text(yaml.safe_dump(document))
    assert main(_make(made, 'egg')) == 2
    assert 'egg.yaml: the recipe names a training that begins with this one' in (
        capsys.readouterr().err
    )


def test_recipes_of_the_shipped_models_name_what_is_there():
    folder = share_directory() / 'config' / 'training'
    found = {}
    for path in folder.glob('*.yaml'):
        config = read_config(path)
        recipe = config.recipe
        found[path.name] = [*([recipe.start] if recipe.start else []), *recipe.teachers]
        assert {name for names in recipe.leave_out for name in names} <= set(config.data.sources)
    assert {name for names in found.values() for name in names} <= set(found)
    chain, name = [], 'msdepth_robots.yaml'
    while name:
        chain.append(name)
        name = next(iter(found[name]), '')
    assert chain == [
        'msdepth_robots.yaml',
        'msdepth_heads.yaml',
        'msdepth.yaml',
        'msdepth_teacher.yaml',
    ]
