# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Two processes that train together compute the same as one process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from folders import write_folder

torch = pytest.importorskip('torch', reason='training needs torch')
pytest.importorskip('tensorboard', reason='training writes its log')

from msdepth_ros.errors import MsdepthError  # noqa: E402
from msdepth_ros.networks import distributed  # noqa: E402
from msdepth_ros.training.checkpoint import load_checkpoint  # noqa: E402
from msdepth_ros.training.config import read_config  # noqa: E402
from msdepth_ros.training.trainer import Trainer  # noqa: E402

pytestmark = pytest.mark.slow  # processes start, and import torch, again and again
PROGRAM = Path(__file__).parents[1] / 'support' / 'train_tiny.py'
STAGE = {'images': 16, 'rate': 0.01, 'batch': 4, 'warm_up': 0}
CONFIG = {
    'name': 'small',
    'network': {'name': 'normalised', 'channels': 4, 'dropout': 0.0},
    'data': {
        'sources': {
            'ramps': {
                'folders': ['set'],
                'description': 'ramps',
                'licence': 'none',
                'blocks': 2,
                'validation_share': 0.25,
            }
        },
        'cached_width': 80,
    },
    'augmentation': {'zoom': [1.0, 2.5], 'flip': True},
    'loss': {'gradient_weight': 0.5, 'absolute_weight': 0.5},
    'stages': [
        {**STAGE, 'trains': 'coarse'},
        {**STAGE, 'trains': 'fine'},
    ],
    'averaging': 0.5,
    'bfloat16': False,
    'validate_every': 8,
}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Frames of which every other has depth in a corner only, so that many views have none."""
    folder = tmp_path_factory.mktemp('together')
    write_folder(folder / 'set', 10)
    for path in sorted((folder / 'set' / 'depth').iterdir())[::2]:
        depth = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        depth[:, 24:] = 0
        depth[24:] = 0
        cv2.imwrite(str(path), depth)
    (folder / 'small.yaml').write_text(yaml.safe_dump(CONFIG))
    return folder


def train(folder, out, count, *options, config='small.yaml'):
    """Run `msdepth train` in one process or several; return what became of it."""
    launcher = []
    if count > 1:
        launcher = ['-m', 'torch.distributed.run', '--standalone', '--nproc-per-node']
        launcher.append(str(count))
    arguments = ['train', str(folder / config), '--data', str(folder), '--out', str(folder / out)]
    environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
    roots = [str(Path(__file__).parents[2]), environment.get('PYTHONPATH', '')]
    environment['PYTHONPATH'] = os.pathsep.join(filter(None, roots))
    return subprocess.run(
        [sys.executable, *launcher, str(PROGRAM), *arguments, '--device', 'cpu', *options],
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def log_of(run):
    return [json.loads(line) for line in (run / 'log.jsonl').read_text().splitlines()]


@pytest.fixture(scope='module')
def alone(folder):
    ended = train(folder, 'alone', 1)
    assert ended.returncode == 0, ended.stderr
    return folder / 'alone'


@pytest.fixture(scope='module')
def together(folder):
    ended = train(folder, 'together', 2)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count('done:') == 1
    return folder / 'together'


def test_losses_and_errors_are_those_of_one_process(alone, together):
    one, two = log_of(alone), log_of(together)
    assert len(one) == len(two) == 2 * len(CONFIG['stages'])
    for first, second in zip(one, two, strict=True):
        assert (second['stage'], second['images']) == (first['stage'], first['images'])
        assert second['loss'] == pytest.approx(first['loss'], rel=1e-4, abs=2e-5)
        for source, errors in first['validation'].items():
            assert second['validation'][source] == pytest.approx(errors, abs=2e-4)


def test_weights_are_those_of_one_process(alone, together):
    one, two = (load_checkpoint(run / 'checkpoint.pt') for run in (alone, together))
    for name, value in one['network'].items():
        np.testing.assert_allclose(two['network'][name], value, rtol=1e-4, atol=1e-6, err_msg=name)
    assert one['network']['normalise.running_mean'].abs().max() > 0.01
    for name, value in one['weights'].items():
        np.testing.assert_allclose(two['weights'][name], value, rtol=1e-4, atol=1e-6, err_msg=name)


def test_one_process_continues_what_two_began(folder, together):
    config = {**CONFIG, 'stages': [*CONFIG['stages'], {**STAGE, 'trains': 'fine', 'images': 4}]}
    (folder / 'longer.yaml').write_text(yaml.safe_dump(config))
    ended = train(folder, 'together', 1, '--resume', config='longer.yaml')
    assert ended.returncode == 0, ended.stderr
    assert load_checkpoint(together / 'checkpoint.pt')['stage'] == len(CONFIG['stages'])


def test_a_batch_must_be_divisible(folder, monkeypatch):
    monkeypatch.setattr(distributed, 'count', lambda: 3)
    config = read_config(folder / 'small.yaml')
    with pytest.raises(MsdepthError, match='a batch of 4 cannot be divided among 3 processes'):
        Trainer(config, folder, folder / 'odd')


def test_a_loss_that_is_not_a_number_stops_all_of_them(folder):
    config = {**CONFIG, 'stages': [{**STAGE, 'trains': 'coarse', 'rate': 1e30}]}
    (folder / 'wild.yaml').write_text(yaml.safe_dump(config))
    ended = train(folder, 'wild', 2, config='wild.yaml')
    assert ended.returncode != 0
    assert 'lower its rate, or check the batch' in ended.stderr
    assert load_checkpoint(folder / 'wild' / 'failed_batch.pt')['image'].shape[0] == 4
