# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Teachers: their answers land on the student's grid, metric for it, and are learned from."""

import dataclasses
import json
import math

import pytest
from folders import write_folder

torch = pytest.importorskip('torch', reason='training needs torch')

from tiny import Tiny  # noqa: E402

from msdepth_ros import networks  # noqa: E402
from msdepth_ros.camera import Grid  # noqa: E402
from msdepth_ros.errors import MsdepthError  # noqa: E402
from msdepth_ros.networks.depth_network import Supervised  # noqa: E402
from msdepth_ros.training.batches import prepare  # noqa: E402
from msdepth_ros.training.checkpoint import load_checkpoint, save_checkpoint  # noqa: E402
from msdepth_ros.training.config import Config, Data, Source, Stage  # noqa: E402
from msdepth_ros.training.distillation import DepthTeacher, load_teacher  # noqa: E402
from msdepth_ros.training.trainer import Trainer  # noqa: E402

STAGE = Stage('coarse', images=8, rate=1e-3, batch=4, warm_up=0)
RAMPS = Source(('set',), 'ramps', 'none', blocks=2, validation_share=0.25)
CONFIG = Config(
    name='small',
    network={'name': 'tiny', 'channels': 4},
    data=Data({'ramps': RAMPS}, cached_width=80),
    stages=(STAGE,),
    averaging=0.0,
    bfloat16=False,
    validate_every=4,
)


class Large(Tiny):
    """Answers the place of each of its cells, as a share of the image's width."""

    image_size = (80, 60)
    focal = 90.0
    grid = Grid(39, 29, (1.5, 2.0), (2.0, 2.0))

    def supervised(self, image):
        assert image.shape[-2:] == (60, 80)
        pixel = self.grid.origin[0] + self.grid.step[0] * torch.arange(self.grid.width)
        share = ((pixel + 0.5) / self.image_size[0]).expand(len(image), 1, self.grid.height, -1)
        return Supervised((share,), ())


@pytest.fixture(autouse=True)
def tiny_network(monkeypatch):
    monkeypatch.setattr(networks, 'NETWORKS', {**networks.NETWORKS, 'tiny': Tiny})
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


def test_networks_like_the_student_answer_as_they_are(image):
    first, second = Tiny().eval(), Tiny().eval()
    teacher = DepthTeacher(Tiny(), [first, second])
    teacher.train()  # it stays as it is: nothing is dropped
    expected = (first(image) + second(image)) / 2
    torch.testing.assert_close(teacher(image), expected)
    assert not teacher(image).requires_grad


def test_another_size_and_focal_length_are_accounted_for(image):
    """The same view is twice as wide in the teacher's pixels, and so is its focal length."""
    student = Tiny()
    answer = DepthTeacher(student, [Large()])(image)
    assert answer.shape == (2, 1, 7, 10)
    pixel = student.grid.origin[0] + student.grid.step[0] * torch.arange(10)
    share = (pixel + 0.5) / 40
    # z = exp(answer) * f / focal holds for either: f is 2 * f_student, focal is 90 and not 30
    expected = share + math.log(30 / 90 * 2)
    torch.testing.assert_close(answer[0, 0, 3], expected, rtol=0, atol=1e-5)


def test_a_student_comes_nearer_to_its_teacher_where_there_is_no_truth(data, tmp_path, taught):
    stage = dataclasses.replace(
        STAGE, images=240, batch=8, rate=1e-2, depth_weight=0.0, distillation=1.0
    )
    config = dataclasses.replace(CONFIG, stages=(stage,), validate_every=240)
    trainer = Trainer(config, data, tmp_path / 'run', teachers=[taught])
    teacher, _ = load_teacher(taught)
    frames = [frame for share in trainer.shares for frame in share.frames]
    views = torch.stack([torch.from_numpy(trainer.maker.whole(frame).image) for frame in frames])
    images = prepare(views, torch.device('cpu'))
    wanted = teacher.eval()(images)

    def distance():
        return (trainer.network.eval()(images) - wanted).abs().mean().item()

    trainer.network.set_mean_log_depth(torch.zeros(1, 7, 10))
    before = distance()
    trainer.run(resume=False)
    assert distance() < 0.3 * before


def test_truth_and_teacher_are_terms_of_their_own(data, tmp_path, taught):
    stage = dataclasses.replace(STAGE, distillation=0.5)
    config = dataclasses.replace(CONFIG, stages=(stage,))
    Trainer(config, data, tmp_path / 'run', teachers=[taught]).run(resume=False)
    line = (tmp_path / 'run' / 'log.jsonl').read_text().splitlines()[-1]
    assert set(json.loads(line)['loss']) == {'depth', 'distillation'}
    saved = load_checkpoint(tmp_path / 'run' / 'checkpoint.pt')
    assert saved['teachers'] == [{'name': 'tiny', 'channels': 4}]


def test_a_stage_without_its_teacher(data, tmp_path):
    config = dataclasses.replace(CONFIG, stages=(dataclasses.replace(STAGE, distillation=1.0),))
    with pytest.raises(MsdepthError, match='--teacher'):
        Trainer(config, data, tmp_path / 'run')


def test_a_teacher_that_is_none(tmp_path):
    with pytest.raises(MsdepthError, match='there is no checkpoint'):
        load_teacher(tmp_path / 'none.pt')
    save_checkpoint(tmp_path / 'bare.pt', {'weights': {}})
    with pytest.raises(MsdepthError, match='does not say which network'):
        load_teacher(tmp_path / 'bare.pt')
    said = {'name': 'small', 'network': {'name': 'tiny', 'channels': 3}}
    save_checkpoint(tmp_path / 'other.pt', {'weights': Tiny(4).state_dict(), 'config': said})
    with pytest.raises(MsdepthError, match='weights of another network'):
        load_teacher(tmp_path / 'other.pt')
