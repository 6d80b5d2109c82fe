# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Teachers: their predictions are resampled to the student's grid, in its metres, and learned."""

import dataclasses
import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from folders import write_folder

torch = pytest.importorskip('torch', reason='training needs torch')

from tiny import SMALL, Tiny  # noqa: E402

from msdepth_ros import networks  # noqa: E402
from msdepth_ros.cli import main  # noqa: E402
from msdepth_ros.errors import MsdepthError  # noqa: E402
from msdepth_ros.geometry.pinhole import Grid  # noqa: E402
from msdepth_ros.networks.depth_network import Supervised  # noqa: E402
from msdepth_ros.networks.losses import scale_invariant_loss  # noqa: E402
from msdepth_ros.training.augmentation import UNKNOWN, ViewMaker  # noqa: E402
from msdepth_ros.training.batches import Batch, cutmix, prepare  # noqa: E402
from msdepth_ros.training.checkpoint import load_checkpoint, save_checkpoint  # noqa: E402
from msdepth_ros.training.objective import Objective  # noqa: E402
from msdepth_ros.training.session import Session  # noqa: E402
from msdepth_ros.training.stage import StageTraining  # noqa: E402
from msdepth_ros.training.teachers import (  # noqa: E402
    DepthTeacher,
    check_aspect,
    load_teacher,
)
from msdepth_ros.training.trainer import Trainer  # noqa: E402

CONFIG = dataclasses.replace(SMALL, averaging=0.0, validate_every=4)
(STAGE,) = CONFIG.stages


class Large(Tiny):
    """Predicts x + 10 y of each cell plus the mean of the image."""

    image_size = (80, 60)
    focal = 90.0
    grid = Grid(39, 29, (1.5, 2.0), (2.0, 2.0))

    def supervised(self, image):
        assert image.shape[-2:] == (60, 80)
        shares = []
        for axis, count in enumerate((self.grid.width, self.grid.height)):
            pixel = self.grid.origin[axis] + self.grid.step[axis] * torch.arange(count)
            shares.append((pixel + 0.5) / self.image_size[axis])
        place = shares[0][None, :] + 10 * shares[1][:, None]
        return Supervised((place + image.mean(dim=(1, 2, 3))[:, None, None, None],))


@pytest.fixture(autouse=True)
def tiny_network(monkeypatch):
    monkeypatch.setattr(networks, 'NETWORKS', {**networks.NETWORKS, 'tiny': Tiny, 'large': Large})
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def image():
    return torch.rand(2, 3, 30, 40, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def data(tmp_path):
    write_folder(tmp_path / 'data' / 'set', 10)
    return tmp_path / 'data'


@pytest.fixture
def taught(data, tmp_path):
    """A checkpoint of a training of the network that is taught too."""
    config = dataclasses.replace(CONFIG, seed=5)
    Trainer(config, data, tmp_path / 'teacher').run(resume=False)
    return tmp_path / 'teacher' / 'checkpoint.pt'


def batch_of(image, valid):
    """Return a batch of images in [0, 1], seen by the teacher too, and what a network is given."""
    pixels = (image * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
    unknown = torch.full(valid.shape, UNKNOWN, dtype=torch.uint8)
    batch = Batch(pixels, torch.zeros(2, 1, 7, 10), valid, unknown, pixels)
    return batch, prepare(pixels, image.device)


def session_of(trainer):
    return Session(
        trainer.config, trainer.network, trainer.data, trainer.teachers, trainer.device, 1,
        trainer.out, None, [],
    )  # fmt: skip


def test_teachers_of_the_students_size_are_averaged_unchanged(image):
    first, second = Tiny().eval(), Tiny().eval()
    teacher = DepthTeacher(Tiny(), [first, second])
    teacher.train()  # it stays as it is: nothing is dropped
    expected = (first(image) + second(image)) / 2
    truth = torch.zeros(2, 1, 7, 10)
    answer = teacher(image, truth, truth.bool(), truth)
    torch.testing.assert_close(answer, expected)
    assert not answer.requires_grad


def test_another_size_and_focal_length_are_accounted_for(image):
    """The same view is twice as wide in the teacher's pixels, and so is its focal length."""
    student = Tiny()
    image = torch.nn.functional.interpolate(image, scale_factor=2)
    truth = torch.zeros(2, 1, 7, 10)
    answer = DepthTeacher(student, [Large()])(image, truth, truth.bool(), truth)
    assert answer.shape == (2, 1, 7, 10)
    shares = []
    for axis, (count, side) in enumerate(((10, 40), (7, 30))):
        pixel = student.grid.origin[axis] + student.grid.step[axis] * torch.arange(count)
        shares.append((pixel + 0.5) / side)
    expected = (
        shares[0][None, :] + 10 * shares[1][:, None] + image.mean(dim=(1, 2, 3))[:, None, None]
    )
    # z = exp(answer) * f / focal holds for either: f is 2 * f_student, focal is 90 and not 30
    expected = expected + math.log(30 / 90 * 2)
    torch.testing.assert_close(answer[:, 0], expected, rtol=0, atol=1e-3)


def test_the_teacher_counts_where_there_is_no_truth(image):
    """And the truth does not, where it is not valid."""
    stage = dataclasses.replace(STAGE, distillation=0.5)
    student, teacher = Tiny(), Tiny().eval()
    nowhere = torch.zeros(2, 1, 7, 10, dtype=torch.bool)
    batch, seen = batch_of(image, nowhere)
    terms = Objective(student.eval(), stage, CONFIG, [teacher])(batch)
    assert terms['depth'].item() == 0
    everywhere = torch.ones(2, 1, 7, 10, dtype=torch.bool)
    expected = 0.5 * scale_invariant_loss(student(seen), teacher(seen), everywhere, 0.5)
    torch.testing.assert_close(terms['distillation'], expected)


def test_a_part_of_another_image_is_pasted_into_a_share_of_them():
    colours = torch.arange(4.0)[:, None, None, None].expand(4, 3, 30, 40)
    valid = torch.ones(4, 1, 7, 10, dtype=torch.bool)
    torch.manual_seed(0)
    larger = torch.nn.functional.interpolate(colours, scale_factor=2)
    image, shown, still = cutmix(colours, larger, valid, 0.5)
    seen = torch.nn.functional.avg_pool2d(shown, 2)
    assert (seen == image).float().mean() > 0.97  # the same part, but for half a pixel at its edge
    assert not torch.equal(shown, larger)
    assert still.all(dim=(1, 2, 3)).tolist() == [False, False, True, True]
    assert not still[:2].any()
    torch.testing.assert_close(image[2:], colours[2:])
    for place, other in ((0, 3.0), (1, 0.0)):
        pasted = image[place] == other
        assert ((image[place] == place) | pasted).all()
        assert (pasted == pasted[0]).all()  # in all colours
        rows, columns = pasted[0].any(dim=1), pasted[0].any(dim=0)
        assert (pasted[0] == rows[:, None] & columns[None, :]).all()
        assert 0.3 * 30 - 1 <= rows.sum() <= 0.8 * 30 + 1
        assert 0.3 * 40 - 1 <= columns.sum() <= 0.8 * 40 + 1
    again, _, _ = cutmix(colours, larger, valid, 0.5)
    assert not torch.equal(again, image)
    torch.manual_seed(0)  # as every step of a training does
    torch.testing.assert_close(cutmix(colours, larger, valid, 0.5)[0], image)
    assert valid.all()  # what was given stays as it was
    assert (colours[0] == 0).all()
    assert (larger[0] == 0).all()


def test_only_the_teacher_says_what_a_pasted_image_shows(image):
    stage = dataclasses.replace(STAGE, distillation=1.0, cutmix=1.0)
    student, teacher = Tiny().eval(), Tiny().eval()
    objective = Objective(student, stage, CONFIG, [teacher])
    everywhere = torch.ones(2, 1, 7, 10, dtype=torch.bool)
    torch.manual_seed(3)
    batch, seen = batch_of(image, everywhere)
    bright = dataclasses.replace(batch, teacher_image=255 - batch.image)
    terms = objective(bright)
    assert terms['depth'].item() == 0
    torch.manual_seed(3)
    pasted, shown, _ = cutmix(seen, prepare(bright.teacher_image, seen.device), everywhere, 1.0)
    expected = scale_invariant_loss(student(pasted), teacher(shown), everywhere, 0.5)
    torch.testing.assert_close(terms['distillation'], expected)


@pytest.mark.parametrize(('distillation', 'cutmix'), [(0.0, 0.5), (1.0, 1.5), (1.0, -0.1)])
def test_nothing_is_pasted_without_a_teacher(distillation, cutmix):
    with pytest.raises(MsdepthError, match='from 0 to 1, and 0 without `distillation`'):
        dataclasses.replace(STAGE, distillation=distillation, cutmix=cutmix)


def test_a_student_comes_nearer_to_its_teacher(data, tmp_path, taught):
    teacher = load_teacher(taught).network.eval()
    distances = []
    for images in (8, 480):
        stage = dataclasses.replace(
            STAGE, images=images, batch=8, rate=1e-2, depth_weight=0.0, distillation=1.0
        )
        config = dataclasses.replace(CONFIG, stages=(stage,), validate_every=480)
        trainer = Trainer(config, data, tmp_path / str(images), teachers=[taught])
        network = trainer.run(resume=False).eval()
        frames = [frame for share in trainer.data.in_stage() for frame in share.frames]
        views = np.stack([ViewMaker.of(network).whole(frame).image for frame in frames])
        shown = prepare(torch.from_numpy(views), torch.device('cpu'))
        distances.append((network(shown) - teacher(shown)).abs().mean().item())
    assert distances[1] < 0.5 * distances[0]


def test_teachers_see_the_views_with_the_pixels_of_the_largest(data, tmp_path, taught):
    saved = load_checkpoint(taught)
    saved['config']['network']['name'] = 'large'
    save_checkpoint(tmp_path / 'large.pt', saved)
    config = dataclasses.replace(CONFIG, stages=(dataclasses.replace(STAGE, distillation=1.0),))
    trainer = Trainer(config, data, tmp_path / 'run', teachers=[taught, tmp_path / 'large.pt'])
    batch = StageTraining(session_of(trainer), 0).batches[0]
    assert batch.teacher_image.shape[1:] == (60, 80, 3)
    assert batch.image.shape[1:] == (30, 40, 3)
    trainer.run(resume=False)


def test_a_stage_without_a_teacher_prepares_no_views_for_one(data, tmp_path, taught):
    stages = (STAGE, dataclasses.replace(STAGE, distillation=1.0))
    config = dataclasses.replace(CONFIG, stages=stages)
    trainer = Trainer(config, data, tmp_path / 'run', teachers=[taught])
    alone, together = (StageTraining(session_of(trainer), index).batches[0] for index in (0, 1))
    assert alone.teacher_image is None
    assert together.teacher_image.shape == together.image.shape


def test_truth_and_teacher_are_terms_of_their_own(data, tmp_path, taught):
    stage = dataclasses.replace(STAGE, distillation=0.5)
    config = dataclasses.replace(CONFIG, stages=(stage,))
    Trainer(config, data, tmp_path / 'run', teachers=[taught]).run(resume=False)
    line = (tmp_path / 'run' / 'log.jsonl').read_text().splitlines()[-1]
    assert set(json.loads(line)['loss']) == {'depth', 'distillation'}
    saved = load_checkpoint(tmp_path / 'run' / 'checkpoint.pt')
    (teacher,) = saved['teachers']
    assert (teacher['name'], teacher['network']) == ('small', {'name': 'tiny', 'channels': 4})
    assert teacher['data'] == {'ramps': {'description': 'ramps', 'licence': 'none'}}
    assert teacher['sha256'] == hashlib.sha256(taught.read_bytes()).hexdigest()


def test_a_resumed_training_is_the_uninterrupted_one(data, tmp_path, taught, monkeypatch):
    stage = dataclasses.replace(STAGE, distillation=1.0)
    config = dataclasses.replace(CONFIG, stages=(stage,))
    whole = Trainer(config, data, tmp_path / 'whole', teachers=[taught]).run(resume=False)
    interrupted = Trainer(config, data, tmp_path / 'run', teachers=[taught])

    def save_and_stop(path, content):
        save_checkpoint(path, content)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr('msdepth_ros.training.stage.save_checkpoint', save_and_stop)
        with pytest.raises(KeyboardInterrupt):
            interrupted.run(resume=False)
    resumed = Trainer(config, data, tmp_path / 'run', teachers=[taught]).run(resume=True)
    for name, value in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value)
    save_checkpoint(tmp_path / 'other.pt', {**load_checkpoint(taught), 'step': 0})
    with pytest.raises(MsdepthError, match='was taught by small: resume with the same'):
        Trainer(config, data, tmp_path / 'run', teachers=[tmp_path / 'other.pt']).run(resume=True)


def test_on_the_command_line(data, tmp_path, taught, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    stage = {'trains': 'coarse', 'images': 8, 'rate': 1e-3, 'batch': 4, 'distillation': 1.0}
    document = {**json.loads(json.dumps(dataclasses.asdict(CONFIG))), 'stages': [stage]}
    Path('taught.yaml').write_text(yaml.safe_dump(document))
    command = ['train', 'taught.yaml', '--data', str(data), '--out', 'run', '--threads', '1']
    assert main([*command, '--teacher', str(taught)]) == 0
    assert main([*command, '--resume', '--teacher', 'run/checkpoint.pt']) == 2
    assert 'is the file that this training writes' in capsys.readouterr().err
    assert main([*command, '--resume', '--teacher', str(taught), '--workers', '-1']) == 2
    assert '--workers is -1' in capsys.readouterr().err


def test_a_missing_or_needless_teacher_is_refused(data, tmp_path, taught):
    config = dataclasses.replace(CONFIG, stages=(dataclasses.replace(STAGE, distillation=1.0),))
    with pytest.raises(MsdepthError, match='add --teacher'):
        Trainer(config, data, tmp_path / 'run')
    with pytest.raises(MsdepthError, match='omit --teacher'):
        Trainer(CONFIG, data, tmp_path / 'run', teachers=[taught])


def test_a_teacher_of_another_aspect(data, tmp_path, taught, monkeypatch):
    config = dataclasses.replace(CONFIG, stages=(dataclasses.replace(STAGE, distillation=1.0),))
    monkeypatch.setattr(Large, 'image_size', (80, 56))
    check_aspect(Tiny(), Tiny())
    with pytest.raises(MsdepthError, match='80x56 pixels cannot teach a network of 40x30'):
        check_aspect(Large(), Tiny())
    saved = load_checkpoint(taught)
    saved['config']['network']['name'] = 'large'
    save_checkpoint(tmp_path / 'large.pt', saved)
    with pytest.raises(MsdepthError, match='cannot teach'):
        Trainer(config, data, tmp_path / 'run', teachers=[tmp_path / 'large.pt'])


def test_a_file_that_is_no_teacher(tmp_path, taught):
    with pytest.raises(MsdepthError, match='there is no checkpoint'):
        load_teacher(tmp_path / 'none.pt')
    save_checkpoint(tmp_path / 'bare.pt', {'weights': {}})
    with pytest.raises(MsdepthError, match='does not say which network'):
        load_teacher(tmp_path / 'bare.pt')
    saved = load_checkpoint(taught)
    saved['config']['network']['channels'] = 3
    save_checkpoint(tmp_path / 'other.pt', saved)
    with pytest.raises(MsdepthError, match='weights of another network'):
        load_teacher(tmp_path / 'other.pt')
