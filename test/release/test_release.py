# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth train`, then `msdepth export`: a model file that says what it is."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from folders import write_folder
from formats import write_nyu, write_splits

torch = pytest.importorskip('torch', reason='training needs torch')
pytest.importorskip('onnx', reason='export needs onnx')
onnxruntime = pytest.importorskip('onnxruntime')

from msdepth_ros.cli import main  # noqa: E402
from msdepth_ros.datasets import open_dataset, split_in_blocks  # noqa: E402
from msdepth_ros.evaluation.metrics import Errors  # noqa: E402
from msdepth_ros.inference.model import load_model  # noqa: E402
from msdepth_ros.networks import create_network  # noqa: E402
from msdepth_ros.networks.correction import Correction  # noqa: E402
from msdepth_ros.networks.export import weights_of, write_model  # noqa: E402
from msdepth_ros.release.correction import Fit  # noqa: E402
from msdepth_ros.training.checkpoint import load_checkpoint  # noqa: E402

CONFIG = {
    'name': 'small',
    'network': {'name': 'eigen2014', 'hidden': 8},
    'data': {
        'sources': {
            'ramps': {
                'folders': ['set'],
                'description': 'ramps',
                'licence': 'none at all',
                'blocks': 2,
                'validation_share': 0.4,
            },
            'unseen': {'folders': ['set'], 'weight': 0, 'description': 'x', 'licence': 'y'},
        }
    },
    'stages': [{'trains': 'coarse', 'images': 4, 'rate': 1e-4, 'batch': 2}],
    'seed': 7,
}


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp('training')
    write_folder(folder / 'set', 5)
    (folder / 'small.yaml').write_text(yaml.safe_dump(CONFIG))
    arguments = ['--data', str(folder), '--out', f'{folder}/run', '--threads', '1']
    assert main(['train', f'{folder}/small.yaml', *arguments]) == 0
    return folder


def test_exported_model_says_what_it_is(trained, capsys):
    out = trained / 'engines'
    arguments = [f'{trained}/run', '--data', str(trained), '--out', str(out)]
    assert main(['export', *arguments, '--name', 'first']) == 0
    assert 'abs_rel' in capsys.readouterr().out
    model = load_model(out / 'first.yaml')
    assert model.read_onnx()
    training = model.document['training']
    ramps = {'description': 'ramps', 'licence': 'none at all', 'share': 1.0}
    assert training['data'] == {'ramps': ramps}
    assert training['seed'] == 7
    assert [(stage['trains'], stage['images']) for stage in training['stages']] == [('coarse', 4)]
    assert 'features' not in training
    measured = model.document['measured']
    assert 'not the official test split' in measured['on']
    assert measured['ramps']['frames'] == 2
    assert 0 < measured['ramps']['pooled']['rmse'] < 10
    assert measured['unseen']['frames'] == 5
    assert sorted(path.name for path in out.iterdir()) == ['first.onnx', 'first.yaml']


@pytest.mark.slow
def test_another_training_starts_from_exported_weights(trained, capsys):
    out = trained / 'weights'
    common = ['--data', str(trained)]
    arguments = ['export', f'{trained}/run', *common, '--out', str(out)]
    assert main([*arguments, '--name', 'mine']) == 0
    again = ['train', f'{trained}/small.yaml', *common, '--threads', '1', '--device', 'cpu']
    start = ['--weights', str(out / 'mine.onnx')]
    assert main([*again, '--out', f'{trained}/again', *start]) == 0
    first, second = (load_checkpoint(trained / run / 'checkpoint.pt') for run in ('run', 'again'))
    begun = first['weights']['fine.mix.weight']  # the stage trains the coarse network alone
    stored = begun.half().float() if begun.numel() >= 256 else begun
    assert torch.equal(second['weights']['fine.mix.weight'], stored)
    assert not torch.equal(
        second['weights']['coarse.full.weight'], first['weights']['coarse.full.weight']
    )
    assert main(['export', f'{trained}/again', *common, '--out', str(out), '--name', 'more']) == 0
    (begun,) = load_model(out / 'more.yaml').document['training']['started_from']
    digest = hashlib.sha256((out / 'mine.onnx').read_bytes()).hexdigest()
    assert begun == {'file': 'mine.onnx', 'sha256': digest}
    (trained / 'other.pt').write_bytes(b'no weights')
    assert main([*again, '--out', f'{trained}/x', '--weights', f'{trained}/other.pt']) == 2
    assert 'not a readable checkpoint' in capsys.readouterr().err
    (trained / 'other.onnx').write_bytes(b'no weights')
    assert main([*again, '--out', f'{trained}/x', '--weights', f'{trained}/other.onnx']) == 2
    assert 'cannot read the weights' in capsys.readouterr().err


@pytest.mark.slow
def test_the_mean_of_several_trainings_is_exported(trained, capsys):
    common = ['--data', str(trained), '--out']
    for seed in (8, 9):
        (trained / f'{seed}.yaml').write_text(yaml.safe_dump({**CONFIG, 'seed': seed}))
        train = ['train', f'{trained}/{seed}.yaml', *common, f'{trained}/seed{seed}']
        begun = ['--weights', f'{trained}/run/checkpoint.pt', '--threads', '1', '--device', 'cpu']
        assert main([*train, *begun]) == 0
    runs = [f'{trained}/seed8', f'{trained}/seed9']
    assert main(['export', *runs, *common, f'{trained}/mean', '--name', 'mean']) == 0
    eight, nine = (load_checkpoint(Path(run) / 'checkpoint.pt')['weights'] for run in runs)
    stored = weights_of(trained / 'mean' / 'mean.onnx')
    name = 'coarse.full.weight'
    assert not torch.equal(eight[name], nine[name])
    mean = ((eight[name].double() + nine[name].double()) / 2).float()
    torch.testing.assert_close(stored[name], mean, rtol=1e-3, atol=1e-6)
    training = load_model(trained / 'mean' / 'mean.yaml').document['training']
    assert training['seed'] == 8
    (other,) = training['mean_with']
    assert (other['seed'], other['stages']) == (9, training['stages'])
    (begun_from,) = training['started_from']
    assert (begun_from['seed'], begun_from['stages']) == (7, training['stages'])
    assert other['started_from'] == training['started_from']
    (trained / 'wide.yaml').write_text(
        yaml.safe_dump({**CONFIG, 'network': {**CONFIG['network'], 'hidden': 24}})
    )
    train = ['train', f'{trained}/wide.yaml', *common, f'{trained}/wide', '--threads', '1']
    assert main([*train, '--device', 'cpu']) == 0
    assert main(['export', runs[0], f'{trained}/wide', *common, f'{trained}/none']) == 2
    assert 'are not of the same network and data' in capsys.readouterr().err
    assert not (trained / 'none').exists()


@pytest.mark.slow
def test_weights_that_learned_from_all_frames_are_measured_before_that_stage(trained, monkeypatch):
    last = {**CONFIG['stages'][0], 'rate': 1e-2, 'weights': {'unseen': 0.5}, 'held_out': 1}
    last['zoom'] = {'ramps': [1.0, 1.1]}
    (trained / 'all.yaml').write_text(
        yaml.safe_dump({**CONFIG, 'stages': [*CONFIG['stages'], last]})
    )
    common = ['--data', str(trained), '--out']
    train = ['train', f'{trained}/all.yaml', *common, f'{trained}/all', '--threads', '1']
    assert main([*train, '--device', 'cpu']) == 0
    models, fitted = [], []

    def fit(network, sources, spread):
        fitted.append(network.state_dict())
        return Fit(Correction(slope=1.1, offset=0.2), {})

    monkeypatch.setattr('msdepth_ros.release.release.fit_correction', fit)
    for run in ('run', 'all'):
        export = ['export', f'{trained}/{run}', *common, f'{trained}/of_{run}']
        assert main([*export, '--int8', '--correct']) == 0
        models.append(load_model(trained / f'of_{run}' / 'small.yaml'))
    before, after = models
    start = load_checkpoint(trained / 'all' / 'checkpoint.pt')['start']
    assert all(torch.equal(fitted[1][name], value) for name, value in start.items())
    assert after.read_onnx() != before.read_onnx()
    assert after.document['int8']['sha256'] != before.document['int8']['sha256']
    assert after.document['int8']['measured'] == before.document['int8']['measured']
    told, said = (model.document['measured'] for model in models)
    assert 'shipped weights were trained on them too' in said.pop('on')
    assert 'shipped weights' not in told.pop('on')
    assert said == told
    training = after.document['training']
    assert training['stages'][-1]['held_out']
    assert training['stages'][-1]['zoom'] == {'ramps': [1.0, 1.1]}
    assert {name: 'share' in source for name, source in training['data'].items()} == {
        'ramps': True,
        'unseen': False,  # its weight is the last stage's alone
    }
    lines = [json.loads(line) for line in (trained / 'all' / 'log.jsonl').read_text().splitlines()]
    assert [set(line['validation']) for line in lines] == [{'ramps', 'unseen'}, set()]


@pytest.mark.slow
def test_every_file_and_table_is_of_corrected_predictions(trained, monkeypatch, capsys):
    seen = {}
    errors = Errors(*(np.arange(8) / 7).tolist())

    def fit(network, sources, spread):
        for name, blocks in sources.items():
            seen[name] = [[frame.image for frame in block] for block in blocks]
        return Fit(Correction(1.1, 0.2, spread), {'ramps': {'cross_fitted': errors}})

    monkeypatch.setattr('msdepth_ros.release.release.fit_correction', fit)
    common = [f'{trained}/run', '--data', str(trained), '--int8', '--out']
    assert main(['export', *common, f'{trained}/straight']) == 0
    assert not seen
    capsys.readouterr()
    assert main(['export', *common, f'{trained}/corrected', '--correct', '--spread', '0.3']) == 0
    said = 'abs_rel 0.0000, rmse 0.2857, delta1 0.7143'
    assert f"ramps, cross_fitted, at the output's cells: {said}" in capsys.readouterr().out
    dataset = open_dataset(trained / 'set')
    _, held_out = split_in_blocks(5, 2, 0.4)
    expected = {'ramps': [[index] for index in held_out], 'unseen': [range(5)]}
    assert held_out == [0, 3]
    for name, blocks in expected.items():
        for images, block in zip(seen.pop(name), blocks, strict=True):
            for image, index in zip(images, block, strict=True):
                assert np.array_equal(image, dataset[index].image)
    assert not seen
    straight, corrected = (
        load_model(trained / name / 'small.yaml') for name in ('straight', 'corrected')
    )
    assert 'correction' not in straight.document
    line = corrected.document['correction']
    assert (line['slope'], line['offset'], line['spread']) == (1.1, 0.2, 0.3)
    assert line['at_cells']['ramps']['cross_fitted']['sq_rel'] == 0.1429
    image = np.full((1, 228, 304, 3), 90, np.uint8)
    for name in ('small.onnx', 'small.int8.onnx'):
        plain, moved = (
            onnxruntime.InferenceSession(trained / folder / name).run(None, {'image': image})[0]
            for folder in ('straight', 'corrected')
        )
        log_depth = np.log(plain)
        expected = np.exp(1.1 * log_depth + 0.2 + 0.3 * log_depth.std())
        np.testing.assert_allclose(moved, expected, rtol=1e-4)
    tables = [
        (model.document['measured'], model.document['int8']['measured'])
        for model in (straight, corrected)
    ]
    for before, after in zip(*tables, strict=True):
        assert before['ramps']['pooled'] != after['ramps']['pooled']


@pytest.mark.slow
def test_held_out_frames_that_the_start_weights_had_learned_are_reported(trained, capsys):
    ramps = CONFIG['data']['sources']['ramps']

    def train(name, start=None, stage=(), **source):
        config = {
            **CONFIG,
            'data': {'sources': {'ramps': {**ramps, **source}}},
            'stages': [{**CONFIG['stages'][0], **dict(stage)}],
        }
        (trained / f'{name}.yaml').write_text(yaml.safe_dump(config))
        arguments = ['--data', str(trained), '--out', f'{trained}/{name}', '--threads', '1']
        begun = ['--weights', f'{trained}/{start}/checkpoint.pt'] if start else []
        assert main(['train', f'{trained}/{name}.yaml', *arguments, *begun]) == 0
        return capsys.readouterr().err

    def measured(name):
        out = trained / f'of_{name}'
        assert main(['export', f'{trained}/{name}', '--data', str(trained), '--out', str(out)]) == 0
        return load_model(out / 'small.yaml').document['measured']['on']

    known = 'had learned from'
    assert known not in train('honest')  # from frames 1, 2 and 4
    assert known not in train('last', 'honest', {'held_out': 1})  # from 0 and 3 as well
    assert known not in train('other', blocks=1)  # from 0, 3 and 4
    assert known not in train('on', 'honest')
    assert known not in measured('on')
    for name, start in (('from_last', 'last'), ('from_other', 'other')):
        assert '2 of the 2 of set' in train(name, start)
        assert 'had learned from 2 of ramps' in measured(name)
    assert '2 of the 2 of set' in train('further', 'from_other')
    assert known not in train('same', 'other', blocks=1)


@pytest.mark.slow
def test_two_splits_of_one_folder_have_their_own_counts(tmp_path, capsys):
    pytest.importorskip('h5py', reason='NYU Depth v2 is a MATLAB file')
    pytest.importorskip('scipy', reason='and so is its split')
    write_nyu(tmp_path / 'nyu')
    write_splits(tmp_path / 'nyu', train=[1, 2, 4], test=[3])
    ramps = {**CONFIG['data']['sources']['ramps'], 'folders': ['nyu'], 'blocks': 1}
    official = {**ramps, 'split': 'test', 'weight': 0}
    sources = {'learned': {**ramps, 'split': 'train'}, 'official': official}
    for name, extra in (('first', {'held_out': 1}), ('then', {})):
        stages = [{**CONFIG['stages'][0], **extra}]
        config = {**CONFIG, 'data': {'sources': sources}, 'stages': stages}
        (tmp_path / f'{name}.yaml').write_text(yaml.safe_dump(config))
    train = ['--data', str(tmp_path), '--threads', '1', '--out']
    assert main(['train', f'{tmp_path}/first.yaml', *train, f'{tmp_path}/first']) == 0
    begun = ['--weights', f'{tmp_path}/first/checkpoint.pt']
    assert main(['train', f'{tmp_path}/then.yaml', *train, f'{tmp_path}/then', *begun]) == 0
    assert 'holds out (1 of the 1 of nyu):' in capsys.readouterr().err


@pytest.mark.slow
def test_what_learned_from_all_is_measured_by_trainings_that_left_sources_out(trained, capsys):
    place = {**CONFIG['data']['sources']['unseen'], 'weight': 0.5}
    sources = {'ramps': {**place, 'description': 'ramps'}, 'place': place}
    (trained / 'places.yaml').write_text(yaml.safe_dump({**CONFIG, 'data': {'sources': sources}}))

    def train(name, *options):
        common = ['--data', str(trained), '--threads', '1', '--out', f'{trained}/{name}']
        return main(['train', f'{trained}/places.yaml', *common, *options])

    def export(name, *options):
        common = ['--data', str(trained), '--out', f'{trained}/{name}', '--name', 'mine']
        return main(['export', f'{trained}/all_places', *common, *options])

    assert train('all_places') == 0
    assert export('alone') == 2
    assert 'no frame was held out' in capsys.readouterr().err
    assert train('none', '--leave-out', 'nowhere') == 2
    assert "no source 'nowhere'" in capsys.readouterr().err
    assert train('without', '--leave-out', 'place') == 0
    without = load_checkpoint(trained / 'without' / 'checkpoint.pt')
    assert without['config']['data']['sources']['place']['weight'] == 0
    assert export('told', '--int8', '--measure-by', f'{trained}/without') == 0
    model = load_model(trained / 'told' / 'mine.yaml')
    shipped = weights_of(model.onnx)['fine.mix.weight']
    learned = load_checkpoint(trained / 'all_places' / 'checkpoint.pt')['weights']
    assert torch.allclose(shipped, learned['fine.mix.weight'], atol=1e-3)
    measured = model.document['measured']
    assert 'same settings, without it' in measured['on']
    assert 'ramps' not in measured
    assert measured['place']['frames'] == 5
    assert model.document['int8']['measured']['place']['frames'] == 5
    # the errors are those of the weights that left the place out
    alone = ['export', f'{trained}/without', '--data', str(trained), '--out', f'{trained}/w']
    assert main(alone) == 0
    expected = load_model(trained / 'w' / 'small.yaml').document['measured']['place']
    assert measured['place']['pooled'] == expected['pooled']
    assert export('wrong', '--measure-by', f'{trained}/run') == 2
    assert 'not of the same training' in capsys.readouterr().err


@pytest.mark.slow
def test_the_mean_with_the_start_is_exported(trained, capsys):
    start = f'{trained}/run/checkpoint.pt'
    common = ['--data', str(trained), '--out']
    train = ['train', f'{trained}/small.yaml', *common, f'{trained}/went_on', '--threads', '1']
    assert main([*train, '--weights', start]) == 0
    export = [
        'export',
        f'{trained}/went_on',
        *common,
        f'{trained}/between',
        '--start-share',
        '0.75',
    ]
    assert main(export) == 0
    found = weights_of(trained / 'between' / 'small.onnx')['coarse.full.weight']
    first, last = (
        load_checkpoint(path)['weights']['coarse.full.weight']
        for path in (Path(start), trained / 'went_on' / 'checkpoint.pt')
    )
    assert not torch.equal(first, last)
    expected = (0.75 * first + 0.25 * last).half().float()
    assert torch.allclose(found, expected, rtol=1e-3, atol=1e-6)
    assert (
        load_model(trained / 'between' / 'small.yaml').document['training']['start_share'] == 0.75
    )
    capsys.readouterr()
    anew = ['export', f'{trained}/run', *common, f'{trained}/x', '--start-share', '0.5']
    assert main(anew) == 2
    assert 'was given --weights' in capsys.readouterr().err
    assert main([*export[:-1], '1.5', '--overwrite']) == 2
    assert 'must be at least 0 and below 1' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['export', 'nowhere', '--data', 'set'], 'train first'),
        (['export', 'run', '--data', '.', '--spread', '0.2'], 'add --correct'),
        (['train', 'nowhere.yaml', '--data', '.', '--out', 'run'], 'cannot read the training'),
        (['train', 'small.yaml', '--data', 'nowhere', '--out', 'x'], 'nowhere/set does not exist'),
        (['train', 'small.yaml', '--data', '.', '--out', 'run'], 'continue it with --resume'),
    ],
)
def test_mistakes_are_named_with_exit_code_2(trained, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(trained)
    assert main(arguments) == 2
    error = capsys.readouterr().err.splitlines()
    assert message in error[-1]
    assert not any('Traceback' in line for line in error)


def test_a_model_is_replaced_only_with_overwrite(trained, capsys):
    export = ['export', f'{trained}/run', '--data', str(trained), '--name', 'kept']
    assert main(export) == 0  # into the run's own folder
    before = (trained / 'run' / 'kept.yaml').read_bytes()
    assert main(export) == 2
    assert 'kept.yaml exists: replace it with --overwrite' in capsys.readouterr().err
    (trained / 'run' / 'kept.yaml').write_text('name: kept')
    assert main([*export, '--overwrite']) == 0
    assert (trained / 'run' / 'kept.yaml').read_bytes() == before


HEADS = {
    'name': 'heads',
    'network': {
        'name': 'msdepth', 'normalised': False, 'size': [64, 64], 'heads': ['floor', 'confidence'],
    },
    'data': {
        'sources': {
            'ramps': {
                'folders': ['set'], 'description': 'ramps', 'licence': 'none at all',
                'camera_height': [0.1, 100.0],
            },
            'unseen': {
                'folders': ['set'], 'weight': 0, 'description': 'x', 'licence': 'y',
                'floor_seen': False,
            },
        }
    },
    'stages': [{'trains': 'heads', 'images': 8, 'rate': 1e-2, 'batch': 2, 'averaging': 0.5}],
}  # fmt: skip


@pytest.mark.slow
def test_heads_are_added_to_a_model_whose_depth_stays(trained, capsys):
    """A model with a correction and figures of its own: they are the new file's too."""
    torch.manual_seed(0)
    network = create_network('msdepth', {'normalised': False, 'size': [64, 64]}).eval()
    network.correction = Correction(1.1, -0.2, 0.3)
    for refine in network.fine:  # equal biases would be stored once, under one name
        torch.nn.init.normal_(refine.correct.bias, std=1e-2)
    known = {
        'network': {'name': 'msdepth'},
        'training': {'data': {'nyu': {'description': 'rooms', 'licence': 'research'}}},
        'correction': {'slope': 1.1, 'offset': -0.2, 'spread': 0.3, 'fitted_on': 'frames'},
        'measured': {'nyu': {'frames': 84}},
        'int8': {'measured': {'nyu': {'frames': 84}}},
    }
    write_model(network, 'plain', trained / 'plain', (0.2, 10.0), known)
    (trained / 'heads.yaml').write_text(yaml.safe_dump(HEADS))
    common = ['--data', str(trained), '--out']
    train = ['train', f'{trained}/heads.yaml', *common, f'{trained}/heads', '--threads', '1']
    assert main([*train, '--weights', f'{trained}/plain/plain.onnx', '--device', 'cpu']) == 0
    start, line = (trained / 'heads' / 'log.jsonl').read_text().splitlines()
    assert 'abs_rel' in json.loads(start)['validation']['unseen']
    assert set(json.loads(line)['loss']) == {'floor', 'confidence'}
    assert 'promised' in json.loads(line)['validation']['unseen']
    assert main(['export', f'{trained}/heads', *common, f'{trained}/with', '--int8']) == 0
    assert 'unseen, heads: ' in capsys.readouterr().out
    document = load_model(trained / 'with' / 'heads.yaml').document
    assert document['outputs'] == {name: {'name': name} for name in ('floor', 'confidence')}
    assert document['correction'] == known['correction']
    assert document['measured']['nyu'] == document['int8']['measured']['nyu'] == {'frames': 84}
    assert document['training']['data'] == known['training']['data']
    assert document['training']['heads']['data']['ramps']['description'] == 'ramps'
    for figures in (document['measured'], document['int8']['measured']):
        shares = [share for _, _, share in figures['heads']['unseen']['reliability']]
        assert sum(shares) == pytest.approx(1, abs=0.01)
    image = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    plain, more = (
        onnxruntime.InferenceSession(trained / path).run(None, {'image': image})
        for path in ('plain/plain.onnx', 'with/heads.onnx')
    )
    assert np.array_equal(plain[0], more[0])
    assert len(more) == 3
    refused = ['export', f'{trained}/heads', *common, f'{trained}/none', '--correct']
    assert main(refused) == 2
    assert 'leave out --correct' in capsys.readouterr().err
