# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The training loop: it learns, resumes exactly, and stops with a clear error."""

import dataclasses
import errno
import json
import resource

import numpy as np
import pytest
from folders import write_folder
from formats import write_nyu, write_splits

torch = pytest.importorskip('torch', reason='training needs torch')

from tiny import RAMPS, SMALL, Tiny  # noqa: E402

from msdepth_ros import networks  # noqa: E402
from msdepth_ros.errors import MsdepthError  # noqa: E402
from msdepth_ros.release.source_split import SourceSplit  # noqa: E402
from msdepth_ros.training.augmentation import Augmentation  # noqa: E402
from msdepth_ros.training.checkpoint import load_checkpoint, save_checkpoint  # noqa: E402
from msdepth_ros.training.config import Data, Source, Stage  # noqa: E402
from msdepth_ros.training.data import split_source  # noqa: E402
from msdepth_ros.training.stage import seed_of  # noqa: E402
from msdepth_ros.training.start import start_from_weights  # noqa: E402
from msdepth_ros.training.trainer import Trainer  # noqa: E402

COARSE = Stage('coarse', images=16, rate=1e-3, batch=4, warm_up=4)
FINE = Stage('fine', images=8, rate=1e-3, batch=4, warm_up=0)
CONFIG = dataclasses.replace(
    SMALL,
    stages=(COARSE, FINE),
    augmentation=Augmentation(zoom=(1.0, 1.2), flip=True, noise=3.0),
)


@pytest.fixture(autouse=True, scope='module')
def tiny_network():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, 'NETWORKS', {**networks.NETWORKS, 'tiny': Tiny})
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp('data')
    write_folder(folder / 'set', 10)
    write_folder(folder / 'other', 4)
    return folder


def log_of(out):
    return [json.loads(line) for line in (out / 'log.jsonl').read_text().splitlines()]


@pytest.fixture(scope='module')
def whole(data, tiny_network, tmp_path_factory):
    """A training that was never interrupted."""
    out = tmp_path_factory.mktemp('whole')
    network = Trainer(CONFIG, data, out).run(resume=False)
    return out, network


def test_loop_logs_validates_and_checkpoints(whole):
    out, network = whole
    lines = log_of(out)
    assert [(line['stage'], line['images']) for line in lines] == [
        ('coarse', 8),
        ('coarse', 16),
        ('fine', 8),
    ]
    assert all(0 < line['validation']['ramps']['rmse'] < 10 for line in lines)
    weights = load_checkpoint(out / 'checkpoint.pt')['weights']
    assert all(torch.equal(weights[name], value) for name, value in network.state_dict().items())
    assert not list(out.glob('*.partial'))


def test_it_learns(data, tmp_path):
    stage = dataclasses.replace(COARSE, images=960, rate=1e-2, batch=8)
    plain = dataclasses.replace(
        CONFIG, stages=(stage,), augmentation=Augmentation(), averaging=0.8, validate_every=480
    )
    Trainer(plain, data, tmp_path / 'run').run(resume=False)
    first, last = (line['loss']['depth'] for line in log_of(tmp_path / 'run'))
    assert last < 0.6 * first


@pytest.mark.parametrize('averaging', [None, 0.0])
def test_a_stage_may_average_over_steps_of_its_own(data, tmp_path, averaging):
    stage = dataclasses.replace(COARSE, averaging=averaging)
    config = dataclasses.replace(CONFIG, stages=(stage,))
    Trainer(config, data, tmp_path).run(resume=False)
    saved = load_checkpoint(tmp_path / 'checkpoint.pt')
    learned, kept = saved['network'], saved['weights']
    same = all(torch.equal(learned[name], kept[name]) for name in learned)
    assert same == (averaging == 0)


def interrupt(training, monkeypatch, save):
    """Run a training until it has saved for the `save`-th time."""
    from msdepth_ros.training import stage

    saves = []

    def save_and_stop(path, content):
        save_checkpoint(path, content)
        saves.append(content['step'])
        if len(saves) == save:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(stage, 'save_checkpoint', save_and_stop)
        with pytest.raises(KeyboardInterrupt):
            training.run(resume=False)


@pytest.mark.parametrize('save', [1, 2, 3])
def test_resumed_training_is_the_uninterrupted_one(data, whole, tmp_path, monkeypatch, save):
    interrupt(Trainer(CONFIG, data, tmp_path), monkeypatch, save)
    network = Trainer(CONFIG, data, tmp_path).run(resume=True)
    out, expected = whole
    assert log_of(tmp_path)[-1] == log_of(out)[-1]
    for name, value in expected.state_dict().items():
        assert torch.equal(network.state_dict()[name], value), name


def test_what_a_training_started_from_outlives_an_interruption(data, whole, tmp_path, monkeypatch):
    start = whole[0] / 'checkpoint.pt'
    interrupt(Trainer(CONFIG, data, tmp_path, start=[start]), monkeypatch, save=1)
    Trainer(CONFIG, data, tmp_path).run(resume=True)
    saved = load_checkpoint(tmp_path / 'checkpoint.pt')
    (begun_from,) = saved['started_from']
    assert (saved['stage'], begun_from['file']) == (1, 'checkpoint.pt')
    assert begun_from['config'] == load_checkpoint(start)['config']
    assert not any(isinstance(value, torch.Tensor) for value in begun_from.values())


def test_several_weights_to_start_from_are_averaged(data, whole, tmp_path):
    start = whole[0] / 'checkpoint.pt'
    saved = load_checkpoint(start)
    other = {name: value + value.abs().mean() for name, value in saved['weights'].items()}
    torch.save({**saved, 'weights': other}, tmp_path / 'other.pt')
    trainer = Trainer(CONFIG, data, tmp_path / 'run', start=[start, tmp_path / 'other.pt'])
    start_from_weights(trainer.network, trainer.start)
    for name, value in trainer.network.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, (saved['weights'][name] + other[name]) / 2)


@pytest.mark.slow
def test_the_papers_network_trains_in_both_stages(data, tmp_path):
    stages = tuple(dataclasses.replace(s, images=4, warm_up=0) for s in (COARSE, FINE))
    config = dataclasses.replace(
        CONFIG, network={'name': 'eigen2014', 'hidden': 8}, stages=stages, bfloat16=True
    )
    Trainer(config, data, tmp_path).run(resume=False)
    lines = log_of(tmp_path)
    assert [line['stage'] for line in lines] == ['coarse', 'fine']
    assert all(np.isfinite(list(line['loss'].values())).all() for line in lines)


def test_coarse_weights_stay_in_the_fine_stage(whole):
    saved = load_checkpoint(whole[0] / 'checkpoint.pt')
    for name, value in saved['weights'].items():
        moved = not torch.equal(value, saved['start'][name])
        assert moved == name.startswith('fine'), name


def test_stages_may_be_added_but_not_changed(data, tmp_path):
    first = dataclasses.replace(CONFIG, stages=(COARSE,))
    Trainer(first, data, tmp_path).run(resume=False)
    changed = dataclasses.replace(CONFIG, stages=(dataclasses.replace(COARSE, rate=0.5), FINE))
    with pytest.raises(MsdepthError, match='belongs to another configuration'):
        Trainer(changed, data, tmp_path).run(resume=True)
    Trainer(CONFIG, data, tmp_path).run(resume=True)
    assert [line['stage'] for line in log_of(tmp_path)] == ['coarse', 'coarse', 'fine']


def test_a_checkpoint_is_replaced_only_with_overwrite(data, whole):
    with pytest.raises(MsdepthError, match='continue it with --resume'):
        Trainer(CONFIG, data, whole[0]).run(resume=False)


def test_nothing_to_resume(data, tmp_path):
    with pytest.raises(MsdepthError, match='there is no checkpoint'):
        Trainer(CONFIG, data, tmp_path).run(resume=True)


def test_loss_that_is_not_a_number_stops_with_the_batch_saved(data, tmp_path):
    wild = dataclasses.replace(CONFIG, stages=(dataclasses.replace(COARSE, rate=1e30),))
    with pytest.raises(MsdepthError, match='lower its rate, or check the batch'):
        Trainer(wild, data, tmp_path).run(resume=False)
    batch = load_checkpoint(tmp_path / 'failed_batch.pt')
    assert batch['image'].shape == (4, 30, 40, 3)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'network': {'name': 'vgg'}}, 'no network is named'),
        ({'stages': (dataclasses.replace(COARSE, trains='joint'),)}, 'one of coarse, fine'),
        (
            {'stages': (COARSE, dataclasses.replace(FINE, weights={'rmaps': 1.0}))},
            "weights names the source 'rmaps'",
        ),
    ],
)
def test_wrong_configuration(data, tmp_path, change, message):
    with pytest.raises(MsdepthError, match=message):
        Trainer(dataclasses.replace(CONFIG, **change), data, tmp_path).run(resume=False)


def test_several_sources(data, tmp_path):
    """A second source with a folder of its own, and one that is only measured on."""
    sources = {
        'ramps': dataclasses.replace(RAMPS, weight=3.0, border=2),
        'both': Source(('set', 'other'), 'more', 'none'),
        'unseen': Source(('other',), 'unseen', 'none', weight=0.0),
    }
    trainer = Trainer(dataclasses.replace(CONFIG, data=Data(sources, 80)), data, tmp_path)
    assert [len(share.frames) for share in trainer.data.in_stage()] == [8, 10, 4]
    assert [share.weight for share in trainer.data.in_stage()] == pytest.approx(
        [3.0, 10**0.5 / (10**0.5 + 2), 2 / (10**0.5 + 2)]
    )
    assert {name: len(frames) for name, frames in trainer.data.validation.items()} == {
        'ramps': 2,
        'unseen': 4,
    }
    for frame in trainer.data.in_stage()[0].frames:
        assert not frame.depth[:2].any()
        assert frame.depth[2:-2, 2:-2].any()
    trainer.run(resume=False)
    assert set(log_of(tmp_path)[-1]['validation']) == {'ramps', 'unseen'}


def test_every_nth_frame_of_a_recording(data, tmp_path):
    source = dataclasses.replace(RAMPS, every=3, validation_share=0.5)
    trainer = Trainer(dataclasses.replace(CONFIG, data=Data({'ramps': source}, 80)), data, tmp_path)
    held_out = [frame.name for frame in trainer.data.validation['ramps']]
    trained = [frame.name for frame in trainer.data.in_stage()[0].frames]
    assert len(held_out) == 2
    assert sorted(trained + held_out) == ['0000', '0003', '0006', '0009']
    assert split_source(dataclasses.replace(source, weight=0.0), 10) == ([], [0, 3, 6, 9])


def test_the_official_training_split_alone(tmp_path):
    pytest.importorskip('h5py', reason='NYU Depth v2 is a MATLAB file')
    pytest.importorskip('scipy', reason='and so is its split')
    write_nyu(tmp_path / 'nyu')
    write_splits(tmp_path / 'nyu', train=[1, 4], test=[2, 3])
    source = Source(('nyu',), 'rooms', 'none', split='train')
    config = dataclasses.replace(CONFIG, data=Data({'nyu': source}, 80))
    trainer = Trainer(config, tmp_path, tmp_path / 'run')
    assert [frame.name for frame in trainer.data.in_stage()[0].frames] == ['0001', '0004']
    assert SourceSplit.of(source, tmp_path, tmp_path, []).dataset.names == ['nyu/0001', 'nyu/0004']


def test_a_stage_may_weigh_the_sources_anew(data, tmp_path):
    sources = {'ramps': RAMPS, 'other': Source(('other',), 'other', 'none', weight=2.0)}
    config = dataclasses.replace(CONFIG, data=Data(sources, 80))
    trainer = Trainer(config, data, tmp_path)
    again = trainer.data.in_stage(dataclasses.replace(COARSE, weights={'other': 0.5}))
    assert [share.weight for share in trainer.data.in_stage(COARSE)] == [1.0, 2.0]
    assert [share.weight for share in again] == [1.0, 0.5]
    with pytest.raises(MsdepthError, match="the source 'nyu', but no such source is trained on"):
        trainer.data.in_stage(dataclasses.replace(COARSE, weights={'nyu': 1.0}))


def test_a_stage_may_leave_sources_out(data, tmp_path):
    sources = {'ramps': RAMPS, 'other': Source(('other',), 'other', 'none', weight=2.0)}
    config = dataclasses.replace(CONFIG, data=Data(sources, 80))
    trainer = Trainer(config, data, tmp_path)
    (left,) = trainer.data.in_stage(dataclasses.replace(COARSE, weights={'other': 0.0}))
    assert left.source == 'ramps'
    with pytest.raises(MsdepthError, match="the source 'nyu', but no such source is trained on"):
        trainer.data.in_stage(dataclasses.replace(COARSE, weights={'nyu': 0.0}))
    nothing = dataclasses.replace(COARSE, weights={'ramps': 0.0, 'other': 0.0})
    with pytest.raises(MsdepthError, match='nothing to train on'):
        Trainer(dataclasses.replace(config, stages=(nothing,)), data, tmp_path)


def test_nothing_to_train_on(data, tmp_path):
    sources = {'ramps': dataclasses.replace(RAMPS, weight=0.0)}
    with pytest.raises(MsdepthError, match='nothing to train on'):
        Trainer(dataclasses.replace(CONFIG, data=Data(sources)), data, tmp_path)


def test_full_disk_leaves_the_last_good_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / 'checkpoint.pt'
    save_checkpoint(path, {'weights': {'a': torch.ones(2)}})

    def full(content, file):
        file.write(b'half of it')
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(torch, 'save', full)
    with pytest.raises(MsdepthError, match=r'No space left.*unharmed'):
        save_checkpoint(path, {'weights': {}})
    assert load_checkpoint(path)['weights']['a'].tolist() == [1, 1]
    assert [file.name for file in tmp_path.iterdir()] == ['checkpoint.pt']


def test_a_disk_that_becomes_full_leaves_the_old_checkpoint(tmp_path):
    """A limit of the file's size stops the write in the middle, as a full disk does."""
    path = tmp_path / 'checkpoint.pt'
    save_checkpoint(path, {'weights': {'a': torch.ones(2)}})
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, limits[1]))
    try:
        with pytest.raises(MsdepthError, match=r'checkpoint\.pt: \[Errno 27\].*unharmed'):
            save_checkpoint(path, {'weights': {'a': torch.ones(1_000_000)}})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ['checkpoint.pt']


@pytest.mark.filterwarnings('ignore:Detected pickle protocol')
@pytest.mark.parametrize('content', [b'', b'text', b'\x80\x04K\x01.'])
def test_damaged_checkpoint(tmp_path, content):
    path = tmp_path / 'checkpoint.pt'
    path.write_bytes(content)
    with pytest.raises(MsdepthError, match='checkpoint'):
        load_checkpoint(path)


def test_checkpoint_with_code_is_refused(tmp_path):
    path = tmp_path / 'checkpoint.pt'
    torch.save({'weights': np.random.default_rng}, path)
    with pytest.raises(MsdepthError, match='not a readable checkpoint'):
        load_checkpoint(path)


def test_a_network_with_normalisations_cannot_start_from_a_file_without(
    data, tmp_path, tiny_network, monkeypatch
):
    monkeypatch.setattr(Tiny, 'folded', lambda self: Tiny())
    (tmp_path / 'model.onnx').touch()
    training = Trainer(CONFIG, data, tmp_path / 'run', start=[tmp_path / 'model.onnx'])
    with pytest.raises(MsdepthError, match="add 'normalised: false' to the configuration's"):
        training.run(resume=False)


def test_the_last_stage_can_learn_from_all(data, tmp_path):
    source = CONFIG.data.sources['ramps']
    apart = dataclasses.replace(source, folders=('other',), weight=0.0)
    sources = {'ramps': source, 'apart': apart}
    config = dataclasses.replace(CONFIG, data=dataclasses.replace(CONFIG.data, sources=sources))
    trainer = Trainer(config, data, tmp_path / 'run')
    before = trainer.data.in_stage(COARSE)
    assert sum(len(share.frames) for share in before) + len(trainer.data.validation['ramps']) == 10
    stage = dataclasses.replace(
        COARSE, held_out=2, weights={'apart': 0.5}, zoom={'ramps': (1.0, 1.1)}
    )
    shares = {share.source: share for share in trainer.data.in_stage(stage)}
    assert {name: len(share.frames) for name, share in shares.items()} == {
        'ramps': 10 + len(trainer.data.validation['ramps']),
        'apart': 8,
    }
    assert shares['apart'].weight / shares['ramps'].weight == pytest.approx(0.5 / source.weight)
    assert (shares['ramps'].zoom, shares['apart'].zoom) == ((1.0, 1.1), None)
    with pytest.raises(MsdepthError, match='held_out'):
        dataclasses.replace(CONFIG, stages=(stage, COARSE))


def test_seeds_are_the_same_in_every_version_of_python():
    """`hash` is not promised to be: a resumed training must go on as it began."""
    assert [seed_of(0, 0, 0), seed_of(1, 2), seed_of(1, 2, 3)] == [
        1484405855,
        798405205,
        1911094848,
    ]
    assert len({seed_of(0, index) for index in range(100)}) == 100
