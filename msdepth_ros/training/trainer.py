# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The training loop: stage after stage, with averaged weights, checkpoints and exact resume."""

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from msdepth_ros.errors import MsdepthError
from msdepth_ros.networks import create_network
from msdepth_ros.networks.depth_network import DepthNetwork
from msdepth_ros.networks.losses import multi_scale_loss
from msdepth_ros.training.augmentation import ViewMaker
from msdepth_ros.training.batches import Batch, Batches, prepare, stack_views
from msdepth_ros.training.checkpoint import load_checkpoint, save_checkpoint
from msdepth_ros.training.config import Config
from msdepth_ros.training.datasets import DatasetFolder, split_in_blocks
from msdepth_ros.training.initialisation import initialise_from_data
from msdepth_ros.training.metrics import mean_log_depth
from msdepth_ros.training.optimiser import create_optimiser, warm_cosine
from msdepth_ros.training.teacher import FeatureTeacher
from msdepth_ros.training.validation import validate

CHECKPOINT = 'checkpoint.pt'
LOG = 'log.jsonl'
_SAMPLE = 96  # frames that the network's start is made from, at most


class Trainer:
    """Trains one network on one dataset.

    Parameters
    ----------
    config : everything that decides the result.
    dataset : read once, whole, into memory.
    out : folder for the checkpoint and the log, made if missing.
    device : where to train.

    """

    def __init__(
        self, config: Config, dataset: DatasetFolder, out: Path, device: str = 'cpu'
    ) -> None:
        self.config = config
        self.out = out
        self.device = torch.device(device)
        torch.manual_seed(config.seed)
        self.network = create_network_of(config)
        self.maker = ViewMaker(
            self.network.image_size, self.network.grid, self.network.focal, config.data.border
        )
        indices = tqdm(range(len(dataset)), desc='reading', unit='image', disable=None)
        frames = [dataset[index].shrunk(config.data.cached_width) for index in indices]
        training, validation = split_in_blocks(
            len(frames), config.data.blocks, config.data.validation_share
        )
        self.training = [frames[index] for index in training]
        self.validation = [frames[index] for index in validation]

    def run(self, resume: bool) -> DepthNetwork:
        """Train every stage and return the network with its averaged weights.

        Raises
        ------
        MsdepthError : a checkpoint is in the way (or missing, to resume from), belongs to another
            configuration, cannot be written; or the loss is not a number.

        """
        saved = self._open(resume)
        place(self.network, self.device)
        if saved is None:
            self._initialise()
        else:
            self.network.load_state_dict(saved['start'])
        first = 0 if saved is None else int(saved['stage'])
        for index in range(first, len(self.config.stages)):
            training = StageTraining(self, index)
            if saved is not None and index == first:
                training.load(saved)
            training.run()
            self.network.load_state_dict(training.kept.state_dict())
        return self.network

    def _initialise(self) -> None:
        """Start from the mean of the training depths and from the images themselves."""
        mean = mean_log_depth(
            (view.log_depth, view.valid) for view in map(self.maker.whole, self.training)
        )
        self.network.set_mean_log_depth(torch.from_numpy(mean).to(self.device))
        sample = self.training[:: 1 + len(self.training) // _SAMPLE]
        batch = stack_views([self.maker.whole(frame) for frame in sample])
        image = prepare(batch.image, self.device)
        self.network.eval()
        initialise_from_data(self.network.plain_layers(), lambda: self.network(image))

    def _open(self, resume: bool) -> dict[str, Any] | None:
        path = self.out / CHECKPOINT
        if not resume:
            if path.exists():
                raise MsdepthError(
                    f'{path} exists: continue it with --resume, or choose another folder'
                )
            self.out.mkdir(parents=True, exist_ok=True)
            return None
        saved = load_checkpoint(path)
        begun = int(saved['stage']) + 1
        if _until(saved['config'], begun) != _until(plain(self.config), begun):
            raise MsdepthError(
                f'{path} belongs to another configuration: resume with the YAML that it was '
                'started with (stages not yet begun may differ), or start anew in another folder'
            )
        return saved


class StageTraining:
    """One stage: its optimiser, its averaged weights and how far it has come."""

    def __init__(self, trainer: Trainer, index: int) -> None:
        self.trainer = trainer
        self.index = index
        self.config = trainer.config
        self.stage = trainer.config.stages[index]
        self.network = trainer.network
        self.network.begin_stage(self.stage.trains)
        self.start = {name: value.cpu() for name, value in self.network.state_dict().items()}
        self.teacher: FeatureTeacher | None = None
        if self.stage.features_weight:
            self.teacher = FeatureTeacher(self.network)
            place(self.teacher, trainer.device)
        self.optimiser = create_optimiser(self.stage, self._learning())
        self.averaged = AveragedModel(
            self.network, multi_avg_fn=get_ema_multi_avg_fn(self.config.averaging)
        )
        self.kept = cast(DepthNetwork, self.averaged.module)
        self.batches = Batches(
            trainer.training,
            trainer.maker,
            self.config.augmentation,
            self.stage.batch,
            [self.config.seed, index],
        )
        self.step = 0

    def load(self, saved: dict[str, Any]) -> None:
        """Continue from a checkpoint of this stage."""
        self.network.load_state_dict(saved['network'])
        self.averaged.load_state_dict(saved['averaged'])
        self.optimiser.load_state_dict(saved['optimiser'])
        if self.teacher is not None:
            self.teacher.projections.load_state_dict(saved['projections'])
        self.step = int(saved['step'])

    def run(self) -> None:
        """Train to the end of the stage."""
        size = self.stage.batch
        steps = math.ceil(self.stage.images / size)
        every = max(1, self.config.validate_every // size)
        self.network.train()
        bar = tqdm(
            total=steps * size,
            initial=self.step * size,
            desc=self.stage.trains,
            unit='image',
            disable=None,
        )
        losses: list[dict[str, float]] = []
        while self.step < steps:
            losses.append(self._learn(self.step / steps))
            self.step += 1
            bar.update(size)
            if self.step % every == 0 or self.step == steps:
                self._note(losses, bar)
                self._save()
                losses = []
        bar.close()

    def _learn(self, progress: float) -> dict[str, float]:
        """Take one step and return the terms of its loss."""
        torch.manual_seed(hash((self.config.seed, self.index, self.step)) % 2**31)
        batch = self.batches[self.step]
        rate = self.stage.rate * warm_cosine(
            progress, self.stage.warm_up / max(1, self.stage.images)
        )
        for group in self.optimiser.param_groups:
            group['lr'] = rate
        losses = self._losses(batch)
        loss = torch.stack(list(losses.values())).sum()
        if not math.isfinite(loss.item()):
            self._refuse(batch, loss.item())
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self._learning(), self.config.clip_gradient)
        self.optimiser.step()
        self.averaged.update_parameters(self.network)
        return {name: value.item() for name, value in losses.items()}

    def _losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the weighted terms of the loss."""
        image = prepare(batch.image, self.trainer.device)
        device = image.device
        losses = {}
        with torch.autocast(device.type, torch.bfloat16, enabled=self.config.bfloat16):
            answer = self.network.supervised(image)
            if self.teacher is not None:
                hints = self.teacher(image, answer.features)
                losses['features'] = self.stage.features_weight * hints
        if self.stage.depth_weight:
            depth_loss = multi_scale_loss(
                [log_depth.float() for log_depth in answer.maps],
                batch.log_depth.to(device),
                batch.valid.to(device),
                self.config.loss.scale_weight,
                self.config.loss.gradient_weight,
            )
            losses['depth'] = self.stage.depth_weight * depth_loss
        return losses

    def _learning(self) -> list[nn.Parameter]:
        parameters = [p for p in self.network.parameters() if p.requires_grad]
        if self.teacher is not None:
            parameters += list(self.teacher.projections.parameters())
        return parameters

    def _refuse(self, batch: Batch, value: float) -> None:
        path = self.trainer.out / 'failed_batch.pt'
        save_checkpoint(path, {'weights': {}, **vars(batch)})
        raise MsdepthError(
            f'the loss is {value} at image {self.step * self.stage.batch} of stage '
            f'{self.stage.trains}: lower its rate, or look at the batch saved in {path}'
        )

    def _note(self, losses: Sequence[dict[str, float]], bar: tqdm) -> None:
        trainer = self.trainer
        errors = validate(self.kept, trainer.validation, trainer.maker, trainer.device)
        table = {} if errors is None else dataclasses.asdict(errors)
        line = {
            'stage': self.stage.trains,
            'images': self.step * self.stage.batch,
            'loss': {
                name: round(float(np.mean([loss[name] for loss in losses])), 5)
                for name in losses[0]
            },
            'validation': {name: round(value, 4) for name, value in table.items()},
        }
        with (self.trainer.out / LOG).open('a', encoding='utf-8') as file:
            file.write(json.dumps(line) + '\n')
        bar.write(json.dumps(line))

    def _save(self) -> None:
        content = {
            'config': plain(self.config),
            'stage': self.index,
            'step': self.step,
            'start': self.start,
            'weights': self.kept.state_dict(),
            'network': self.network.state_dict(),
            'averaged': self.averaged.state_dict(),
            'optimiser': self.optimiser.state_dict(),
        }
        if self.teacher is not None:
            content['projections'] = self.teacher.projections.state_dict()
        save_checkpoint(self.trainer.out / CHECKPOINT, content)


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
    return network


def place(module: nn.Module, device: torch.device) -> None:
    """Move a module to a device, its weights laid out as convolutions are fastest."""
    module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def plain(config: Config) -> dict[str, Any]:
    """Return a configuration as the plain values that its YAML would hold."""
    document = json.loads(json.dumps(dataclasses.asdict(config)))
    assert isinstance(document, dict)
    return document


def _until(config: dict[str, Any], stages: int) -> dict[str, Any]:
    return {**config, 'stages': config['stages'][:stages]}
