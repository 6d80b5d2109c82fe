# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The training loop: stage after stage, with averaged weights, checkpoints and exact resume."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from msdepth_ros.datasets import Frame, open_dataset, split_in_blocks
from msdepth_ros.errors import MsdepthError
from msdepth_ros.evaluation.metrics import mean_log_depth
from msdepth_ros.extras import require
from msdepth_ros.networks import create_network, distributed
from msdepth_ros.networks.depth_network import DepthNetwork
from msdepth_ros.training.augmentation import ViewMaker
from msdepth_ros.training.batches import Share, prepare, stack_views
from msdepth_ros.training.checkpoint import (
    facts_of,
    load_checkpoint,
    load_weights,
    mean_weights,
)
from msdepth_ros.training.config import Config, Source, Stage, from_document
from msdepth_ros.training.distillation import Teacher, check_aspect, load_teacher
from msdepth_ros.training.initialisation import initialise_from_data
from msdepth_ros.training.log import TrainingLog
from msdepth_ros.training.stage import CHECKPOINT, StageTraining, images_before, place

_SAMPLE = 96  # frames that the network's start is made from, at most


class Trainer:
    """Trains one network.

    Parameters
    ----------
    config : everything that decides the result.
    data : folder that holds the configuration's dataset folders, which are read into memory.
    out : folder for the checkpoint and the log, made if missing.
    device : where to train.
    workers : processes that make batches.
    start : checkpoints or exported ONNX files of the same network, the mean of whose weights a
        new training starts from; none: the network's pretrained ones.
    teachers : checkpoints of networks whose answers a stage with `distillation` learns from.

    Its attribute `counts` says how many frames each folder of a source has.

    Where several processes train together (`msdepth_ros.training.devices.joined`), each has one
    of these, all alike, and takes its part of every batch.
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
        self.started_from = [facts_of(path) for path in start]
        self.device = torch.device(device)
        self.workers = workers
        self.log: TrainingLog | None = None  # the first process's
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
        self.maker = self.view_maker()
        self._folders: dict[str, list[tuple[list[Frame], list[Frame]]]] = {}
        self.counts: dict[str, list[int]] = {}
        self.validation: dict[str, list[Frame]] = {}
        for name, source in config.data.sources.items():
            self._read(name, source, data)
        self.shares = self.shares_in()
        # a stage's errors are better told now than after the stages before it
        if not all([self.shares, *map(self.shares_in, config.stages)]):
            raise MsdepthError('data: every source has weight 0, so there is nothing to train on')

    def _load_teachers(self, paths: Sequence[Path]) -> list[Teacher]:
        taught = any(stage.distillation for stage in self.config.stages)
        if taught and not paths:
            raise MsdepthError('stages: distillation needs a teacher: add --teacher CHECKPOINT')
        if paths and not taught:
            raise MsdepthError('--teacher is of no use: no stage of the YAML has `distillation`')
        own = (self.out / CHECKPOINT).resolve()
        if any(path.resolve() == own for path in paths):
            raise MsdepthError(f'{own} is what this training writes: it cannot teach itself')
        return [load_teacher(path) for path in paths]

    def _read(self, name: str, source: Source, data: Path) -> None:
        """Read a source's folders: frames to train on and frames held out."""
        self._folders[name], self.counts[name] = [], []
        for folder in source.folders:
            dataset = open_dataset(data / folder, source.intrinsics, split=source.split)
            self.counts[name].append(len(dataset))
            training, held_out = split_source(source, len(dataset))
            quiet = None if distributed.rank() == 0 else True
            used = sorted(training + held_out)
            bar = tqdm(used, desc=f'reading {folder}', unit='image', disable=quiet)
            frames = {i: dataset[i].shrunk(self.config.data.cached_width) for i in bar}
            if held_out:
                self.validation.setdefault(name, []).extend(frames[i] for i in held_out)
            inner = {i: inside(frame, source.border) for i, frame in frames.items()}
            self._folders[name].append(([inner[i] for i in training], [inner[i] for i in held_out]))

    def view_maker(self, shown_size: tuple[int, int] | None = None) -> ViewMaker:
        """Return what makes views for the network, and of a size for its teachers."""
        network = self.network
        return ViewMaker(network.image_size, network.grid, network.focal, shown_size)

    def shares_in(self, stage: Stage | None = None) -> list[Share]:
        """Return what a stage learns from; None: what all of them do that say nothing else."""
        weights = {} if stage is None else stage.weights
        zooms = {} if stage is None else stage.zoom
        teacher_only = () if stage is None else stage.teacher_only
        again = 0 if stage is None else stage.held_out
        shares: list[Share] = []
        for name, source in self.config.data.sources.items():
            folders = [training + held_out * again for training, held_out in self._folders[name]]
            roots = [math.sqrt(len(frames)) for frames in folders]
            weight = weights.get(name, source.weight)
            shares += [
                Share(
                    frames,
                    weight * root / sum(roots),
                    source.border,
                    name,
                    zooms.get(name),
                    truth=name not in teacher_only,
                )
                for frames, root in zip(folders, roots, strict=True)
                if frames and weight
            ]
        used = {share.source for share in shares}
        left_out = {name for name in self._folders if weights.get(name) == 0}
        for name in (*weights, *zooms, *teacher_only):
            if name not in used | left_out:
                raise MsdepthError(f"stages: '{name}' is named, but it is not trained on")
        return shares

    def run(self, resume: bool) -> DepthNetwork:
        """Train every stage and return the network with its averaged weights.

        Raises
        ------
        MsdepthError : a checkpoint is in the way (or missing, to resume from), belongs to another
            configuration, cannot be written; or the loss is not a number.

        """
        saved = self._open(resume)
        if saved is not None:
            self.started_from = saved.get('started_from', [])
        if distributed.rank() == 0:
            seen = 0
            if saved is not None:
                index = int(saved['stage'])
                seen = images_before(self.config, index)
                seen += saved['step'] * self.config.stages[index].batch
            self.log = TrainingLog(self.out, seen)
        try:
            return self._run(saved)
        finally:
            if self.log is not None:
                self.log.close()

    def _run(self, saved: dict[str, Any] | None) -> DepthNetwork:
        place(self.network, self.device)
        if saved is None:
            self._initialise()
        else:
            load_weights(self.network, saved['start'], self.out / CHECKPOINT)
        first = 0 if saved is None else int(saved['stage'])
        for index in range(first, len(self.config.stages)):
            resumed = saved if index == first else None
            training = StageTraining(self, index, fresh=resumed is None)
            if resumed is not None:
                training.load(resumed)
            training.run()
            self.network.load_state_dict(training.kept.state_dict())
        return self.network

    def _initialise(self) -> None:
        """Start from given weights, or from the mean of the training depths and the images."""
        if self.start:
            weights = [self._weights_to_start_from(path) for path in self.start]
            load_weights(self.network, weights[0], self.start[0])
            load_weights(self.network, mean_weights(weights), self.start[-1])
            return
        self.network.load_pretrained()
        frames = [frame for share in self.shares for frame in share.frames]
        mean = mean_log_depth(
            (view.log_depth, view.valid) for view in map(self.maker.whole, frames)
        )
        self.network.set_mean_log_depth(torch.from_numpy(mean).to(self.device))
        if layers := self.network.plain_layers():
            sample = frames[:: 1 + len(frames) // _SAMPLE]
            batch = stack_views([self.maker.whole(frame) for frame in sample])
            image = prepare(batch.image, self.device)
            self.network.eval()
            initialise_from_data(layers, lambda: self.network(image))

    def _weights_to_start_from(self, path: Path) -> dict[str, Any]:
        if path.suffix != '.onnx':
            return load_checkpoint(path)['weights']
        if self.network.folded() is not self.network:
            raise MsdepthError(
                f"{path} has its normalisations folded into the convolutions: add 'normalised: "
                "false' to the configuration's network"
            )
        require('onnx')
        from msdepth_ros.networks.export import weights_of

        return weights_of(path)

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
                raise MsdepthError(f'cannot make the folder {self.out}: {error}') from error
            return None
        saved = load_checkpoint(path)
        if 'optimiser' not in saved:
            raise MsdepthError(f'{path} cannot be continued: it was not written by `msdepth train`')
        begun = int(saved['stage']) + 1
        started = from_document(saved['config'], str(path))
        if _until(started, begun) != _until(self.config, begun):
            raise MsdepthError(
                f'{path} belongs to another configuration: resume with the YAML that it was '
                'started with (stages not yet begun may differ), or start anew in another folder'
            )
        taught = any(stage.distillation for stage in started.stages[:begun])
        if taught and saved['teachers'] != [teacher.facts for teacher in self.teachers]:
            names = ', '.join(facts['name'] for facts in saved['teachers'])
            raise MsdepthError(f'{path} was taught by {names}: resume with the same --teacher')
        return saved


def split_source(source: Source, count: int) -> tuple[list[int], list[int]]:
    """Return the indices of a folder's frames to train on and to hold out."""
    kept = range(0, count, source.every)
    if not source.weight:
        return [], list(kept)
    parts = split_in_blocks(len(kept), source.blocks, source.validation_share)
    return [kept[i] for i in parts[0]], [kept[i] for i in parts[1]]


def inside(frame: Frame, border: int) -> Frame:
    """Return the frame without depth within `border` pixels of its edge."""
    if not border:
        return frame
    depth = np.zeros_like(frame.depth)
    depth[border:-border, border:-border] = frame.depth[border:-border, border:-border]
    return dataclasses.replace(frame, depth=depth)


def create_network_of(config: Config) -> DepthNetwork:
    """Return the network that a configuration names, with random weights.

    Raises
    ------
    MsdepthError : there is no such network or option, or a stage that it does not have.

    """
    options = dict(config.network)
    network = create_network(str(options.pop('name', config.name)), options)
    for stage in config.stages:
        if stage.trains not in network.stages:
            raise MsdepthError(
                f"stages: trains is '{stage.trains}' but must be one of {', '.join(network.stages)}"
            )
        if stage.readout and not network.readout_rank:
            raise MsdepthError(f'stages: this network has no readout, but {stage.trains} sets it')
    return network


def _until(config: Config, stages: int) -> Config:
    return dataclasses.replace(config, stages=config.stages[:stages])
