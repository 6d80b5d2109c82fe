# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One stage of a training: steps, averaged weights, validation and checkpoints."""

import dataclasses
import json
import math
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from msdepth_ros.errors import MsdepthError
from msdepth_ros.networks import distributed
from msdepth_ros.networks.depth_network import DepthNetwork
from msdepth_ros.training.augmentation import ViewMaker
from msdepth_ros.training.batches import Batch, Batches, Share, prepare, stack_views
from msdepth_ros.training.checkpoint import save_checkpoint
from msdepth_ros.training.config import Config
from msdepth_ros.training.interruption import deferred_interrupt
from msdepth_ros.training.objective import Objective, autocast
from msdepth_ros.training.optimiser import create_optimiser, set_rate, warm_cosine
from msdepth_ros.training.readout import fit_readout
from msdepth_ros.training.sheet import draw_sheet
from msdepth_ros.training.validation import validate

if TYPE_CHECKING:
    from msdepth_ros.training.trainer import Trainer

CHECKPOINT = 'checkpoint.pt'


class StageTraining:
    """One stage: its optimiser, its averaged weights and how far it has come."""

    def __init__(self, trainer: 'Trainer', index: int, fresh: bool) -> None:
        self.trainer = trainer
        self.index = index
        self.config = trainer.config
        self.stage = trainer.config.stages[index]
        self.network = trainer.network
        self.network.begin_stage(self.stage.trains)
        torch.manual_seed(hash((self.config.seed, index)) % 2**31)  # whatever was drawn before
        if fresh and self.stage.readout:
            self._fit_readout()
        state = self.network.state_dict()
        self.start = {name: value.cpu().clone() for name, value in state.items()}
        teachers = [teacher.network for teacher in trainer.teachers]
        self.objective = Objective(self.network, self.stage, self.config, teachers)
        place(self.objective, trainer.device)
        self.optimiser = create_optimiser(
            self.stage, self.objective.learning(), self.network.pretrained_parameters()
        )
        averaging = self.stage.averaging
        decay = self.config.averaging if averaging is None else averaging
        self.averaged = AveragedModel(self.network, multi_avg_fn=get_ema_multi_avg_fn(decay))
        self.kept = cast(DepthNetwork, self.averaged.module)
        self.shares = trainer.shares_in(self.stage)
        teacher = self.objective.depth_teacher
        maker = trainer.view_maker(None if teacher is None else teacher.shown_size)
        self.batches = self._batches(self.shares, self.stage.batch, maker)
        self.before = images_before(self.config, index)
        self.step = 0

    def _batches(
        self, shares: Sequence[Share], size: int, maker: ViewMaker, *purpose: int
    ) -> Batches:
        seed = [self.config.seed, self.index, *purpose]
        return Batches(shares, maker, self.config.augmentation, size, seed)

    def _fit_readout(self) -> None:
        """Set the weights behind the features by regression on views of all frames."""
        trainer, stage = self.trainer, self.stage
        frames = [frame for share in trainer.shares for frame in share.frames]
        whole = stack_views([trainer.maker.whole(frame) for frame in frames])
        random = self._batches(trainer.shares, len(frames), trainer.maker, 2)
        views = [whole, *(random[number] for number in range(stage.readout_views - 1))]
        self.network.eval()
        found = []
        for batch in tqdm(
            [part for view in views for part in view.split(stage.batch)],
            desc='readout',
            unit='batch',
            disable=None if distributed.rank() == 0 else True,
        ):
            with torch.no_grad(), autocast(trainer.device, self.config):
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
        if self.objective.feature_teacher is not None:
            self.objective.feature_teacher.projections.load_state_dict(saved['projections'])
        self.step = int(saved['step'])

    def run(self) -> None:
        """Train to the end of the stage."""
        size = self.stage.batch
        steps = math.ceil(self.stage.images / size)
        every = max(1, self.config.validate_every // size)
        self.objective.train()
        losses = self._shared()
        bar = tqdm(
            total=steps * size,
            initial=self.step * size,
            desc=self.stage.trains,
            unit='image',
            disable=None if distributed.rank() == 0 else True,
        )
        on_gpu = self.trainer.device.type == 'cuda'
        ahead = self.batches.ahead(self.step, steps, self.trainer.workers, on_gpu)
        with bar, deferred_interrupt() as heed_interrupt, closing(ahead):
            for batch in ahead:
                heed_interrupt()
                self._learn(batch, losses, self.step / steps)
                self.step += 1
                bar.update(size)
                if self.step % every == 0 or self.step == steps:
                    self._note(bar)
                    self._save()

    def _shared(self) -> nn.Module:
        """Return the objective; its gradients become the mean of all processes'."""
        if distributed.count() == 1:
            return self.objective
        device = self.trainer.device
        return DistributedDataParallel(
            self.objective,
            device_ids=[device] if device.type == 'cuda' else None,
            find_unused_parameters=not (self.stage.depth_weight or self.stage.distillation),
        )

    def _learn(self, batch: Batch, losses: nn.Module, progress: float) -> None:
        """Take one step."""
        # dropout drops others in every process
        key = hash((self.config.seed, self.index, self.step)) % 2**31
        torch.manual_seed(key + distributed.rank())
        warm_up = self.stage.warm_up / max(1, self.stage.images)
        rate = self.stage.rate * warm_cosine(progress, warm_up)
        set_rate(self.optimiser, rate)
        device = self.trainer.device
        part = batch.split(self.stage.batch // distributed.count())[distributed.rank()]
        there = part.to(device)
        shown = None if there.shown is None else prepare(there.shown, device)
        terms = losses(prepare(there.image, device), there.log_depth, there.valid, shown)
        stacked = torch.stack(list(terms.values()))
        means = distributed.total(stacked.detach()) / distributed.count()
        if not math.isfinite(means.sum().item()):
            self._refuse(batch, means.sum().item())
        self.optimiser.zero_grad(set_to_none=True)
        stacked.sum().backward()
        nn.utils.clip_grad_norm_(self.objective.learning(), self.config.clip_gradient)
        self.optimiser.step()
        self.averaged.update_parameters(self.network)
        if self.trainer.log is not None:
            seen = self.before + (self.step + 1) * self.stage.batch
            self.trainer.log.step(seen, dict(zip(terms, means.tolist(), strict=True)), rate)

    def _refuse(self, batch: Batch, value: float) -> None:
        path = self.trainer.out / 'failed_batch.pt'
        if distributed.rank() == 0:
            save_checkpoint(path, {'weights': {}, **vars(batch)})
        distributed.wait()
        raise MsdepthError(
            f'the loss is {value} at image {self.step * self.stage.batch} of stage '
            f'{self.stage.trains}: lower its rate, or look at the batch saved in {path}'
        )

    def _note(self, bar: tqdm) -> None:
        """Validate, and tell the log."""
        trainer = self.trainer
        if trainer.log is None:
            return
        learned = {share.source for share in self.shares} if self.stage.held_out else set()
        held_out = {n: frames for n, frames in trainer.validation.items() if n not in learned}
        tables = {
            name: dataclasses.asdict(validate(self.kept, frames, trainer.maker, trainer.device))
            for name, frames in held_out.items()
        }
        sheet = None
        if held_out:
            sheet = draw_sheet(self.kept, held_out, trainer.maker, trainer.device)
        images = self.step * self.stage.batch
        line = {'stage': self.stage.trains, 'images': images}
        bar.write(trainer.log.validated(self.before + images, line, tables, sheet))

    def _save(self) -> None:
        if distributed.rank() != 0:
            return
        content = {
            'config': json.loads(json.dumps(dataclasses.asdict(self.config))),
            'stage': self.index,
            'step': self.step,
            'start': self.start,
            'started_from': self.trainer.started_from,
            'teachers': [teacher.facts for teacher in self.trainer.teachers],
            'weights': self.kept.state_dict(),
            'network': self.network.state_dict(),
            'averaged': self.averaged.state_dict(),
            'optimiser': self.optimiser.state_dict(),
        }
        if self.objective.feature_teacher is not None:
            content['projections'] = self.objective.feature_teacher.projections.state_dict()
        save_checkpoint(self.trainer.out / CHECKPOINT, content)


def images_before(config: Config, index: int) -> int:
    """Return how many images all stages before a stage see."""
    return sum(math.ceil(each.images / each.batch) * each.batch for each in config.stages[:index])


def place(module: nn.Module, device: torch.device) -> None:
    """Move a module to a device, its weights laid out as convolutions are fastest."""
    module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
