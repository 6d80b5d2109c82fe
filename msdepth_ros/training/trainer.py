# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs a training: stage after stage, with averaged weights, checkpoints and exact resume."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from msdepth_ros.errors import MsdepthError
from msdepth_ros.networks import distributed
from msdepth_ros.networks.depth_network import HEADS, DepthNetwork
from msdepth_ros.training.checkpoint import load_checkpoint, load_weights
from msdepth_ros.training.config import Config, Recipe, from_document
from msdepth_ros.training.data import TrainingData
from msdepth_ros.training.log import TrainingLog
from msdepth_ros.training.network_of import create_network_of
from msdepth_ros.training.session import Session
from msdepth_ros.training.stage import (
    CHECKPOINT,
    StageTraining,
    images_before,
    note_start,
    to_channels_last,
)
from msdepth_ros.training.start import (
    correction_in,
    metadata_of,
    start_from_data,
    start_from_weights,
)
from msdepth_ros.training.teachers import Teacher, check_aspect, load_teacher


class Trainer:
    """Trains one network.

    Parameters
    ----------
    config : of the training; it alone decides the result.
    data : folder with the configuration's dataset folders, which are read into memory.
    out : folder for the checkpoint and the log, created if it is missing.
    device : of the network.
    workers : number of processes that make batches.
    start : checkpoints or exported ONNX files of the same network: a new training starts from the
        mean of their weights; empty: from the network's pretrained weights.
    teachers : checkpoints or model files, for the stages with `distillation`.

    Attributes
    ----------
    data : the frames.
    network : that is trained.
    started_from : metadata of `start`, see `start.metadata_of`.

    Raises
    ------
    MsdepthError
        If the configuration does not agree with the network, the data or the teachers.

    Notes
    -----
    If several processes train together (`msdepth_ros.training.devices.joined`), each has an equal
    Trainer, and computes its part of every batch.
    """

    def __init__(
        self,
        config: Config,
        data: Path,
        out: Path,
        device: str | torch.device = 'cpu',
        workers: int = 1,
        start: Sequence[Path] = (),
        teachers: Sequence[Path] = (),
    ) -> None:
        self.config = config
        self.out = out
        self.start = start
        self.started_from: Sequence[dict[str, Any]] = [metadata_of(path) for path in start]
        self.device = torch.device(device)
        self.workers = workers
        for stage in config.stages:
            if stage.batch % distributed.count():
                raise MsdepthError(
                    f'a batch of {stage.batch} cannot be divided among {distributed.count()} '
                    'processes: choose another number of processes, or another batch'
                )
        self.teachers = self._load_teachers(teachers)
        torch.manual_seed(config.seed)
        self.network = create_network_of(config)
        for teacher in self.teachers:
            check_aspect(teacher.network, self.network)
        floors = any(stage.trains == HEADS for stage in config.stages)
        self.data = TrainingData(config, data, out, floors)

    def _load_teachers(self, paths: Sequence[Path]) -> list[Teacher]:
        taught = any(stage.distillation for stage in self.config.stages)
        if taught and not paths:
            raise MsdepthError(
                'stages: distillation needs a teacher: add --teacher CHECKPOINT or MODEL.yaml'
            )
        if paths and not taught:
            raise MsdepthError(
                'no stage of the YAML has `distillation`: add it to a stage, or omit --teacher'
            )
        own = (self.out / CHECKPOINT).resolve()
        if any(path.resolve() == own for path in paths):
            raise MsdepthError(
                f'{own} is the file that this training writes: give another file as --teacher'
            )
        return [load_teacher(path) for path in paths]

    def run(self, resume: bool) -> DepthNetwork:
        """Train every stage and return the network with its averaged weights.

        Raises
        ------
        MsdepthError
            If a checkpoint is in the way (or missing, to resume from), belongs to another
            configuration, cannot be written; or the loss is not a number.
        """
        saved = self._open(resume)
        if saved is not None:
            self.started_from = saved.get('started_from', [])
        log = None
        if distributed.rank() == 0:
            seen = 0
            if saved is not None:
                index = int(saved['stage'])
                seen = images_before(self.config, index)
                seen += saved['step'] * self.config.stages[index].batch
            log = TrainingLog(self.out, seen)
        try:
            return self._run(saved, log)
        finally:
            if log is not None:
                log.close()

    def _run(self, saved: dict[str, Any] | None, log: TrainingLog | None) -> DepthNetwork:
        to_channels_last(self.network, self.device)
        session = Session(
            self.config,
            self.network,
            self.data,
            self.teachers,
            self.device,
            self.workers,
            self.out,
            log,
            self.started_from,
        )
        first = 0
        if saved is not None:
            load_weights(self.network, saved['start'], self.out / CHECKPOINT)
            self.network.correction = correction_in(saved)
            first = int(saved['stage'])
        elif self.start:
            start_from_weights(self.network, self.start)
            note_start(session)
        elif not self.data.frames:
            raise MsdepthError(
                'a training from nothing needs frames with depth: give the weights to start from, '
                'such as --weights engines/msdepth.onnx'
            )
        else:
            start_from_data(self.network, self.data.frames, session.view_maker(), self.device)
        for index in range(first, len(self.config.stages)):
            training = StageTraining(session, index)
            if saved is not None and index == first:
                training.load(saved)
            training.run()
            self.network.load_state_dict(training.kept.state_dict())
        return self.network

    def _open(self, resume: bool) -> dict[str, Any] | None:
        path = self.out / CHECKPOINT
        if not resume:
            if path.exists():
                raise MsdepthError(
                    f'{path} exists: continue it with --resume, or choose another folder'
                )
            try:
                self.out.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise MsdepthError(f'cannot create the folder {self.out}: {error}') from error
            return None
        saved = load_checkpoint(path)
        if 'optimiser' not in saved:
            raise MsdepthError(
                f'{path} cannot be continued: give the folder of a training by `msdepth train`'
            )
        begun = int(saved['stage']) + 1
        started = from_document(saved['config'], str(path))
        if _until(started, begun) != _until(self.config, begun):
            raise MsdepthError(
                f'{path} belongs to another configuration: resume with the YAML that it was '
                'started with (only stages not yet begun may differ), or start in another folder'
            )
        taught = any(stage.distillation for stage in started.stages[:begun])
        if taught and saved['teachers'] != [teacher.metadata for teacher in self.teachers]:
            names = ', '.join(teacher['name'] for teacher in saved['teachers'])
            raise MsdepthError(f'{path} was taught by {names}: resume with the same --teacher')
        return saved


def _until(config: Config, stages: int) -> Config:
    return dataclasses.replace(config, stages=config.stages[:stages], recipe=Recipe())
