# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth train` with bad input prints one line that says what to do, and exits with code 2."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from folders import write_folder

torch = pytest.importorskip('torch', reason='training needs torch')
pytest.importorskip('tensorboard', reason='training writes its log')

from tiny import Tiny  # noqa: E402

from msdepth_ros import networks  # noqa: E402
from msdepth_ros.cli import main  # noqa: E402
from msdepth_ros.training.checkpoint import load_checkpoint  # noqa: E402

PROGRAM = Path(__file__).parents[1] / 'support' / 'train_tiny.py'
SOURCE = {'folders': ['set'], 'description': 'ramps', 'licence': 'none', 'validation_share': 0.2}
STAGE = {'trains': 'coarse', 'images': 8, 'rate': 1e-3, 'batch': 4}
CONFIG = {
    'name': 'small',
    'network': {'name': 'tiny', 'channels': 4},
    'data': {'sources': {'ramps': {**SOURCE, 'blocks': 1}}, 'cached_width': 80},
    'stages': [STAGE],
    'bfloat16': False,
    'validate_every': 8,
}


@pytest.fixture(autouse=True)
def tiny_network(monkeypatch):
    monkeypatch.setattr(networks, 'NETWORKS', {**networks.NETWORKS, 'tiny': Tiny})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    write_folder(tmp_path / 'set', 5)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(*options, **change):
    """Run `msdepth train` on the configuration, changed; return its exit code."""
    Path('small.yaml').write_text(yaml.safe_dump({**CONFIG, **change}))
    return main(['train', 'small.yaml', '--data', '.', '--out', 'run', '--threads', '1', *options])


def the_line(capsys):
    """Return the one line on stderr."""
    (line,) = capsys.readouterr().err.splitlines()
    return line


def rewrite(path, change):
    """Change a depth or colour image."""
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert cv2.imwrite(str(path), change(image))


def cut_off(path):
    """Leave the first half of a file."""
    os.truncate(path, path.stat().st_size // 2)


DATASETS = {
    'no depth': (lambda: Path('set/depth/0003.png').unlink(), 'missing in depth/: add it'),
    'no image': (lambda: Path('set/rgb/0003.png').unlink(), 'missing in rgb/: add it'),
    'no calibration': (lambda: Path('set/camera.yaml').unlink(), 'camera.yaml'),
    'depth of another aspect': (
        lambda: rewrite('set/depth/0003.png', lambda depth: depth[::2, ::4]),
        '0003.png is 40x60 but the colour image is 160x120, another aspect ratio: register',
    ),
    'image of another size': (
        lambda: rewrite('set/rgb/0003.png', lambda image: image[:100]),
        '0003.png is 160x100 but the calibration is for 160x120: resize the files',
    ),
    'no valid depth': (
        lambda: rewrite('set/depth/0003.png', np.zeros_like),
        '0003.png has no valid pixel: remove this frame',
    ),
    'depth in hundredths of millimetres': (
        lambda: rewrite('set/depth/0002.png', lambda depth: depth // 100),
        '0002.png: the median depth is 0.03 m, so the unit is wrong: set depth_scale',
    ),
    'depth of 8 bits': (
        lambda: rewrite('set/depth/0003.png', lambda depth: (depth // 256).astype(np.uint8)),
        'is not a 16-bit PNG',
    ),
    'two frames': (
        lambda: [p.unlink() for p in Path('set').glob('*/000[2-4].png')],
        'ramps has 2 frames, too few to hold any out to measure on: some hundreds',
    ),
    'no depth at all': (
        lambda: shutil.rmtree('set/depth'),
        'set has images but no depth: record the depth aligned to them too, or say by --measured',
    ),
    'image that was cut off': (
        lambda: cut_off(Path('set/rgb/0003.png')),
        '0003.png is missing, damaged or not an image',
    ),
    'depth that was cut off': (
        lambda: cut_off(Path('set/depth/0003.png')),
        '0003.png is not a 16-bit PNG',
    ),
    'damaged image': (
        lambda: Path('set/rgb/0003.png').write_bytes(b'\x89PNG nothing'),
        '0003.png is missing, damaged or not an image',
    ),
}


@pytest.mark.parametrize('case', DATASETS)
def test_bad_datasets(folder, capsys, case):
    spoil, message = DATASETS[case]
    spoil()
    assert train() == 2
    assert message in the_line(capsys)
    assert not (folder / 'run').exists()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'data': {'sources': {'a': {**SOURCE, 'folders': ['no']}}}}, 'no does not exist'),
        ({'stages': [{**STAGE, 'batch': 0}]}, 'stages[0]: batch is 0 but must be 1 or more'),
        ({'stages': [{**STAGE, 'trains': 'all'}]}, 'one of coarse, fine'),
        ({'network': {'name': 'tiny', 'layers': 3}}, "options of network 'tiny'"),
        ({'sead': 3}, "small.yaml has no key 'sead'"),
    ],
)
def test_bad_configurations(folder, capsys, change, message):
    assert train(**change) == 2
    assert message in the_line(capsys)


@pytest.mark.parametrize(
    ('mount', 'message'),
    [
        ('--camera-height 0.6 --camera-pitch 10', 'must be in radians'),
        ('--camera-height 0', 'must be in metres'),
        ('--camera-pitch 0.2', 'give --camera-height, too'),
    ],
)
def test_a_mount_that_cannot_be(folder, capsys, mount, message):
    assert train('--measured', 'floor', *mount.split()) == 2
    assert message in the_line(capsys)


def test_a_device_that_is_not_there(folder, capsys):
    assert train('--device', 'gpu') == 2
    assert "device 'gpu' cannot be used" in the_line(capsys)


def test_a_folder_that_cannot_be_written(folder, capsys):
    (folder / 'run').write_text('a file')
    assert train() == 2
    assert 'cannot create the folder run' in the_line(capsys)


def test_a_loss_that_is_not_a_number(folder, capsys):
    assert train(stages=[{**STAGE, 'rate': 1e30, 'images': 40}]) == 2
    assert 'check the batch saved in run/failed_batch.pt' in the_line(capsys)
    assert load_checkpoint(folder / 'run' / 'failed_batch.pt')['image'].shape == (4, 30, 40, 3)


LONGER = [{**STAGE, 'images': 8}, {**STAGE, 'trains': 'fine'}]


def test_checkpoint_of_another_configuration(folder, capsys):
    assert train() == 0
    capsys.readouterr()
    assert train('--resume', seed=5, stages=LONGER) == 2
    assert 'belongs to another configuration: resume with the YAML' in the_line(capsys)
    assert train('--resume', network={'name': 'tiny', 'channels': 5}, stages=LONGER) == 2
    assert 'belongs to another configuration' in the_line(capsys)
    assert train('--resume', stages=LONGER) == 0


@pytest.mark.parametrize('command', ['train', 'export'])
def test_checkpoint_of_another_network(folder, capsys, monkeypatch, command):
    """The configuration is the same, but the program's network is another by now."""
    assert train() == 0
    capsys.readouterr()

    class Wider(Tiny):
        def __init__(self, channels):
            super().__init__(channels + 1)

    monkeypatch.setattr(networks, 'NETWORKS', {'tiny': Wider})
    if command == 'train':
        assert train('--resume', stages=LONGER) == 2
    else:
        assert main(['export', 'run', '--data', '.', '--out', 'engines']) == 2
    assert 'holds the weights of another network' in the_line(capsys)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'', 'is not a readable checkpoint'),
        ({'weights': {}}, 'give the folder of a training by `msdepth train`'),
        ({'a': 1}, 'is no checkpoint of msdepth train'),
    ],
)
def test_what_is_no_checkpoint(folder, capsys, content, message):
    (folder / 'run').mkdir()
    path = folder / 'run' / 'checkpoint.pt'
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    assert train('--resume') == 2
    assert message in the_line(capsys)


def test_full_disk_at_a_checkpoint(folder, capsys):
    """The kernel itself says that there is no space left; the checkpoint before is whole."""
    assert train() == 0
    capsys.readouterr()
    before = (folder / 'run' / 'checkpoint.pt').read_bytes()
    (folder / 'run' / 'checkpoint.pt.partial').symlink_to('/dev/full')
    assert train('--resume', stages=LONGER) == 2
    line = the_line(capsys)
    assert 'cannot write the checkpoint run/checkpoint.pt' in line
    assert 'No space left on device' in line
    assert 'the one before it is unharmed' in line
    assert (folder / 'run' / 'checkpoint.pt').read_bytes() == before
    assert train('--resume', stages=LONGER) == 0


def start(arguments):
    roots = [str(Path(__file__).parents[2]), os.environ.get('PYTHONPATH', '')]
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), *arguments],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, roots))},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def interrupt_when(process, done):
    """Interrupt a training as Ctrl-C does when something is done; return its last line."""
    deadline = time.monotonic() + 600
    while not done():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # a terminal tells the processes of the training too
    _, error = process.communicate(timeout=300)
    assert process.returncode == 130, error
    assert 'Traceback' not in error
    return error.splitlines()[-1]


@pytest.mark.slow
def test_an_interrupted_run_says_how_to_go_on(folder):
    endless = {**CONFIG, 'stages': [{**STAGE, 'images': 10**7}]}
    (folder / 'small.yaml').write_text(yaml.safe_dump(endless))
    log = folder / 'run' / 'log.jsonl'

    def lines():
        return len(log.read_text().splitlines()) if log.exists() else 0

    arguments = ['train', 'small.yaml', '--data', '.', '--out', 'run', '--threads', '1']
    line = interrupt_when(start(arguments), lambda: lines() > 1)
    assert line == (
        'msdepth train: interrupted; continue with: '
        'msdepth train small.yaml --data . --out run --resume'
    )
    step, seen = load_checkpoint(folder / 'run' / 'checkpoint.pt')['step'], lines()
    assert not list((folder / 'run').glob('*.partial'))
    command = shlex.split(line.split('continue with: ')[1])
    interrupt_when(start(command[1:]), lambda: lines() > seen + 1)
    assert load_checkpoint(folder / 'run' / 'checkpoint.pt')['step'] > step


def test_interrupted_before_the_first_checkpoint(folder):
    long = {**CONFIG, 'stages': [{**STAGE, 'images': 10**7}], 'validate_every': 10**7}
    (folder / 'small.yaml').write_text(yaml.safe_dump(long))
    process = start(['train', 'small.yaml', '--data', '.', '--out', 'run', '--threads', '1'])
    line = interrupt_when(process, lambda: (folder / 'run' / 'tensorboard').exists())
    assert 'interrupted before the first checkpoint: there is nothing to continue' in line
