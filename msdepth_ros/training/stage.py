# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One stage of a training: steps, averaged weights, validation and checkpoints."""

import dataclasses
import json
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from msdepth_ros.errors import MsdepthError
from msdepth_ros.networks.depth_network import DepthNetwork
from msdepth_ros.networks.losses import multi_scale_loss
from msdepth_ros.training.batches import Batch, Batches, prepare, stack_views
from msdepth_ros.training.checkpoint import save_checkpoint
from msdepth_ros.training.optimiser import create_optimiser, set_rate, warm_cosine
from msdepth_ros.training.readout import fit_readout
from msdepth_ros.training.teacher import FeatureTeacher
from msdepth_ros.training.validation import validate

if TYPE_CHECKING:
    from msdepth_ros.training.trainer import Trainer

CHECKPOINT = 'checkpoint.pt'
LOG = 'log.jsonl'


class StageTraining:
    """One stage: its optimiser, its averaged weights and how far it has come."""

    def __init__(self, trainer: 'Trainer', index: int, fresh: bool) -> None:
        self.trainer = trainer
        self.index = index
        self.config = trainer.config
        self.stage = trainer.config.stages[index]
        self.network = trainer.network
        self.network.begin_stage(self.stage.trains)
        if fresh and self.stage.readout:
            self._fit_readout()
        self.start = {name: value.cpu() for name, value in self.network.state_dict().items()}
        self.teacher: FeatureTeacher | None = None
        if self.stage.features_weight:
            self.teacher = FeatureTeacher(self.network)
            place(self.teacher, trainer.device)
        self.optimiser = create_optimiser(
            self.stage, self._learning(), self.network.pretrained_parameters()
        )
        self.averaged = AveragedModel(
            self.network, multi_avg_fn=get_ema_multi_avg_fn(self.config.averaging)
        )
        self.kept = cast(DepthNetwork, self.averaged.module)
        self.batches = Batches(
            trainer.shares,
            trainer.maker,
            self.config.augmentation,
            self.stage.batch,
            [self.config.seed, index],
        )
        self.step = 0

    def _fit_readout(self) -> None:
        """Set the weights behind the features by regression on views of all frames."""
        trainer, stage = self.trainer, self.stage
        frames = [frame for share in trainer.shares for frame in share.frames]
        whole = stack_views([trainer.maker.whole(frame) for frame in frames])
        random = Batches(
            trainer.shares,
            trainer.maker,
            self.config.augmentation,
            len(frames),
            [self.config.seed, self.index, 2],
        )
        views = [whole, *(random[number] for number in range(stage.readout_views - 1))]
        self.network.eval()
        found = []
        for batch in tqdm(
            [part for view in views for part in view.split(stage.batch)],
            desc='readout',
            unit='batch',
            disable=None,
        ):
            with torch.no_grad(), self._autocast():
                answer = self.network.supervised(prepare(batch.image, trainer.device))
            found.append(answer.features[-1].flatten(1).float())
        self.network.set_readout(
            fit_readout(
                torch.cat(found),
                torch.cat([view.log_depth for view in views]).flatten(1).to(trainer.device),
                torch.cat([view.valid for view in views]).flatten(1).to(trainer.device),
                stage.readout,
                self.network.readout_rank,
            )
        )

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
        with bar, ThreadPoolExecutor(1) as ahead:
            batch = ahead.submit(self.batches.__getitem__, self.step)
            while self.step < steps:
                ready, batch = batch, ahead.submit(self.batches.__getitem__, self.step + 1)
                losses.append(self._learn(ready.result(), self.step / steps))
                self.step += 1
                bar.update(size)
                if self.step % every == 0 or self.step == steps:
                    self._note(losses, bar)
                    self._save()
                    losses = []

    def _learn(self, batch: Batch, progress: float) -> dict[str, float]:
        """Take one step and return the terms of its loss."""
        torch.manual_seed(hash((self.config.seed, self.index, self.step)) % 2**31)
        warm_up = self.stage.warm_up / max(1, self.stage.images)
        set_rate(self.optimiser, self.stage.rate * warm_cosine(progress, warm_up))
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
        with self._autocast():
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
                absolute_weight=self.config.loss.absolute_weight,
            )
            losses['depth'] = self.stage.depth_weight * depth_loss
        return losses

    def _autocast(self) -> torch.autocast:
        kind = self.trainer.device.type
        return torch.autocast(kind, torch.bfloat16, enabled=self.config.bfloat16)

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
        tables = {
            name: dataclasses.asdict(validate(self.kept, frames, trainer.maker, trainer.device))
            for name, frames in trainer.validation.items()
        }
        line = {
            'stage': self.stage.trains,
            'images': self.step * self.stage.batch,
            'loss': {
                name: round(float(np.mean([loss[name] for loss in losses])), 5)
                for name in losses[0]
            },
            'validation': {
                source: {name: round(value, 4) for name, value in table.items()}
                for source, table in tables.items()
            },
        }
        with (self.trainer.out / LOG).open('a', encoding='utf-8') as file:
            file.write(json.dumps(line) + '\n')
        bar.write(json.dumps(line))

    def _save(self) -> None:
        content = {
            'config': json.loads(json.dumps(dataclasses.asdict(self.config))),
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


def place(module: nn.Module, device: torch.device) -> None:
    """Move a module to a device, its weights laid out as convolutions are fastest."""
    module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
