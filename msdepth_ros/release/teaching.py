# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Teaches a small network on a robot's own images what a large network predicts.

The small network (the student) starts from a model that `msdepth export` wrote, and keeps its size
and speed. It learns from the predictions of the large network (the teacher). It also learns from
rendered rooms, whose true depth is known, so that it does not forget what it knew. At the end its
heads are trained on these rooms.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from msdepth_ros.datasets import Frame, split_in_blocks
from msdepth_ros.errors import MsdepthError
from msdepth_ros.inference.model import Model, load_model
from msdepth_ros.networks import NETWORKS, create_network
from msdepth_ros.networks.depth_network import HEADS, DepthNetwork
from msdepth_ros.networks.export import write_model
from msdepth_ros.recordings.frames import frames_without_depth
from msdepth_ros.release.release import refuse_to_overwrite
from msdepth_ros.release.runs import TrainingRun, provenance
from msdepth_ros.training.augmentation import Augmentation, ViewMaker
from msdepth_ros.training.batches import prepare, stack_views
from msdepth_ros.training.config import Config, Data, Loss, Source, Stage
from msdepth_ros.training.network_of import create_network_of
from msdepth_ros.training.start import start_from_weights
from msdepth_ros.training.teachers import DepthTeacher, load_teacher
from msdepth_ros.training.trainer import Trainer

SOURCE = 'images'  # name of the one source
_WIDTH = 448  # pixels that images are kept at, as in the training of the shipped network
_HELD_OUT, _BLOCKS = 0.1, 4  # share of the images to measure agreement on, and in how many blocks
_MEASURED = 40  # images at most that agreement is measured on
_SETTLED = 'settled'  # stage of the default network that trains all weights further
_AUGMENTATION = Augmentation(
    zoom=(1.0, 1.5),
    rotation=5.0,
    tilt=8.0,
    flip=True,
    colour=0.2,
    gamma=0.25,
    exposure=2.0,
    noise=8.0,
    blur=1.2,
    jpeg=0.2,
)


@dataclass(frozen=True)
class Lesson:
    """What is learned, and from which teachers.

    Attributes
    ----------
    images : a rosbag2, a folder of images or a video.
    teachers : model files or checkpoints. Of several, the mean of their predictions is learned.
    out : folder for the training and the model file.
    name : of the model that is written.
    start : the model to start from: of the package, or written by `msdepth export`.
    count : how many views the student sees.
    rate, batch : learning rate and batch size.
    intrinsics : fx, fy, cx, cy in pixels, for images without a calibration.
    every : use only every so many-th image.
    rooms : how many frames of rooms are rendered to learn from, too; 0: none.
    licence : of the images, for the model's YAML.
    """

    images: Path
    teachers: Sequence[Path]
    out: Path
    name: str
    start: str = 'msdepth'
    count: int = 20000
    rate: float = 3e-4
    batch: int = 16
    intrinsics: tuple[float, float, float, float] | None = None
    every: int = 1
    rooms: int = 96
    licence: str = 'unknown'


@dataclass(frozen=True)
class Learned:
    """The model that was written, and how well it agrees with its teachers.

    Attributes
    ----------
    path : the model's YAML.
    before, after : mean relative difference between the depths of student and teachers, on held-out
        images, before and after the training.
    images : number of these images.
    """

    path: Path
    before: float
    after: float
    images: int


def teach(
    lesson: Lesson,
    device: str | torch.device = 'cpu',
    workers: int = 1,
    resume: bool = False,
    overwrite: bool = False,
) -> Learned:
    """Train, write the model file, and measure how well the student agrees with its teachers.

    Raises
    ------
    MsdepthError
        If the images, the teachers or the start model cannot be used, or a model of that name
        exists and `overwrite` and `resume` are false.
    """
    refuse_to_overwrite(lesson.out / f'{lesson.name}.yaml', overwrite or resume)
    start = load_model(lesson.start)
    config = _config(lesson, start)
    trainer = Trainer(
        config,
        lesson.images.parent,
        lesson.out,
        device,
        workers,
        [start.onnx],
        list(lesson.teachers),
    )
    held_out = _held_out(lesson)
    before = create_network_of(config)
    start_from_weights(before, [start.onnx])
    network = trainer.run(resume).cpu().eval()
    metadata: dict[str, Any] = provenance([TrainingRun.of(lesson.out)])
    differences = [_difference(each, lesson.teachers, held_out) for each in (before, network)]
    metadata['agreement'] = {
        'with': 'the teachers, mean relative difference of depth at the cells',
        'on': f'{len(held_out)} images held out, in blocks',
        'before': round(differences[0], 4),
        'after': round(differences[1], 4),
    }
    path = write_model(network, lesson.name, lesson.out, start.depth_range, metadata)
    return Learned(path, differences[0], differences[1], len(held_out))


def _config(lesson: Lesson, start: Model) -> Config:
    options = start.document.get('network')
    if not isinstance(options, dict):
        raise MsdepthError(
            f'{start.name} was not written by `msdepth export`, so it cannot be taught: give a '
            'model of the package, or of your own training, as --start'
        )
    others = dict(options)
    name = str(others.pop('name', start.name))
    if 'normalised' in inspect.signature(NETWORKS.get(name, dict)).parameters:
        others['normalised'] = False  # a model file has them folded into its weights
    stages = create_network(name, others).stages
    stages = (_SETTLED,) if _SETTLED in stages else stages
    sources = {SOURCE: _source(lesson)}
    if lesson.rooms:
        sources['rooms'] = _rooms(lesson.rooms)
    taught = [_stage(lesson, each, len(stages)) for each in stages]
    if lesson.rooms and others.get('heads'):
        taught.append(_stage_of_heads(lesson))
    return Config(
        name=lesson.name,
        network={'name': name, **others},
        data=Data(sources, _WIDTH),
        stages=tuple(taught),
        augmentation=_AUGMENTATION,
        loss=Loss(scale_weight=0.5, absolute_weight=0.5, gradient_weight=0.5),
        averaging=0.99,
        validate_every=max(lesson.batch, lesson.count // 10),
        depth_range=start.depth_range,
    )


def _source(lesson: Lesson) -> Source:
    return Source(
        folders=(lesson.images.name,),
        description=f'images of {lesson.images.name}, without depth',
        licence=lesson.licence,
        intrinsics=lesson.intrinsics,
        blocks=_BLOCKS,
        validation_share=_HELD_OUT,
        every=lesson.every,
        teacher_only=True,
    )


def _rooms(count: int) -> Source:
    return Source(
        folders=('rooms',),
        description='rooms rendered by `msdepth render`',
        licence='Apache-2.0',
        weight=0.4,  # of 1.4 with the images
        rendered=count,
        blocks=2,
        validation_share=_HELD_OUT,
        camera_height=(0.1, 1.9),
    )


def _stage_of_heads(lesson: Lesson) -> Stage:
    """Return the last stage, which trains the heads alone."""
    count = max(1, lesson.count // 4)
    return Stage(HEADS, images=count, rate=1e-3, batch=lesson.batch, weight_decay=0.01)


def _stage(lesson: Lesson, trains: str, count: int) -> Stage:
    return Stage(
        trains=trains,
        images=max(1, lesson.count // count),
        rate=lesson.rate,
        batch=lesson.batch,
        depth_weight=1.0 if lesson.rooms else 0.0,
        distillation=1.0,
    )


def _held_out(lesson: Lesson) -> list[Frame]:
    """Return some of the images that the training holds out."""
    source = _source(lesson)
    frames = frames_without_depth(
        lesson.images, None, source.intrinsics, _WIDTH, every=lesson.every
    )
    _, held_out = split_in_blocks(len(frames), source.blocks, source.validation_share)
    chosen = held_out[:: 1 + len(held_out) // _MEASURED]
    if not chosen:
        raise MsdepthError(
            f'{lesson.images} has {len(frames)} images, too few to learn from: record some hundreds'
        )
    return [frames[index] for index in chosen]


@torch.no_grad()
def _difference(student: DepthNetwork, teachers: Sequence[Path], frames: Sequence[Frame]) -> float:
    """Return the mean relative difference between the depths of a network and its teachers."""
    student = student.eval()
    networks = [load_teacher(path).network for path in teachers]
    teacher = DepthTeacher(student, networks)
    maker = ViewMaker.of(student, teacher.image_size)
    found = []
    for frame in frames:
        batch = stack_views([maker.whole(frame)])
        assert batch.teacher_image is not None
        predicted = student(prepare(batch.image, torch.device('cpu')))
        taught = teacher(
            prepare(batch.teacher_image, torch.device('cpu')),
            batch.log_depth,
            batch.valid,
            predicted,
        )
        difference = (torch.exp(predicted - taught) - 1).abs()
        if torch.isfinite(difference).any():
            found.append(float(difference.nanmean()))
    return float(np.mean(found)) if found else float('nan')
