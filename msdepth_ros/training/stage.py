# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A stage of a training: steps, averaged weights, validation and checkpoints."""

import dataclasses
import json
import math
from contextlib import closing
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from msdepth_ros.errors import MsdepthError
from msdepth_ros.networks import distributed
from msdepth_ros.networks.depth_network import HEADS, DepthNetwork
from msdepth_ros.training.batches import Batch, Batches
from msdepth_ros.training.checkpoint import save_checkpoint
from msdepth_ros.training.config import Config
from msdepth_ros.training.interruption import deferred_interrupt
from msdepth_ros.training.objective import Objective
from msdepth_ros.training.optimiser import create_optimiser, set_rate, warm_cosine
from msdepth_ros.training.session import Session
from msdepth_ros.training.sheet import draw_sheet
from msdepth_ros.training.summary import START
from msdepth_ros.training.validation import validate, validate_heads

CHECKPOINT = 'checkpoint.pt'
_LARGEST_GRADIENT = 5.0  # norm to which gradients are clipped


class StageTraining:
    """A running stage: its optimiser, its averaged weights and its progress.

    Parameters
    ----------
    session : the training.
    index : of the stage.
    """

    def __init__(self, session: Session, index: int) -> None:
        self.session = session
        self.index = index
        self.config = session.config
        self.stage = session.config.stages[index]
        self.network = session.network
        self.network.begin_stage(self.stage.trains)
        state = self.network.state_dict()
        self.start = {name: value.cpu().clone() for name, value in state.items()}
        teachers = [teacher.network for teacher in session.teachers]
        self.objective = Objective(self.network, self.stage, self.config, teachers)
        to_channels_last(self.objective, session.device)
        self.optimiser = create_optimiser(
            self.stage, self.objective.learning(), self.network.pretrained_parameters()
        )
        averaging = self.stage.averaging
        decay = self.config.averaging if averaging is None else averaging
        self.averaged = AveragedModel(self.network, multi_avg_fn=get_ema_multi_avg_fn(decay))
        self.kept = cast(DepthNetwork, self.averaged.module)
        self.weighted = session.data.in_stage(self.stage)
        teacher = self.objective.depth_teacher
        maker = session.view_maker(None if teacher is None else teacher.image_size)
        self.batches = Batches(
            self.weighted,
            maker,
            self.config.augmentation,
            self.stage.batch,
            [self.config.seed, self.index],
        )
        self.before = images_before(self.config, index)
        self.step = 0

    def load(self, saved: dict[str, Any]) -> None:
        """Continue from a checkpoint of this stage."""
        self.network.load_state_dict(saved['network'])
        self.averaged.load_state_dict(saved['averaged'])
        self.optimiser.load_state_dict(saved['optimiser'])
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
        on_gpu = self.session.device.type == 'cuda'
        ahead = self.batches.ahead(self.step, steps, self.session.workers, on_gpu)
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
        """Return the objective; with several processes, its gradients are averaged over them."""
        if distributed.count() == 1:
            return self.objective
        device = self.session.device
        return DistributedDataParallel(
            self.objective,
            device_ids=[device] if device.type == 'cuda' else None,
            find_unused_parameters=not (self.stage.depth_weight or self.stage.distillation),
        )

    def _learn(self, batch: Batch, losses: nn.Module, progress: float) -> None:
        """Take one step."""
        # Dropout must differ from process to process.
        key = seed_of(self.config.seed, self.index, self.step)
        torch.manual_seed(key + distributed.rank())
        rate = self.stage.rate * warm_cosine(progress, self.stage.warm_up_share)
        set_rate(self.optimiser, rate)
        part = batch.split(self.stage.batch // distributed.count())[distributed.rank()]
        terms = losses(part.to(self.session.device))
        stacked = torch.stack(list(terms.values()))
        means = distributed.all_reduce_sum(stacked.detach()) / distributed.count()
        if not math.isfinite(means.sum().item()):
            self._refuse(batch, means.sum().item())
        self.optimiser.zero_grad(set_to_none=True)
        stacked.sum().backward()
        nn.utils.clip_grad_norm_(self.objective.learning(), _LARGEST_GRADIENT)
        self.optimiser.step()
        self.averaged.update_parameters(self.network)
        if self.session.log is not None:
            seen = self.before + (self.step + 1) * self.stage.batch
            self.session.log.step(seen, dict(zip(terms, means.tolist(), strict=True)), rate)

    def _refuse(self, batch: Batch, value: float) -> None:
        path = self.session.out / 'failed_batch.pt'
        if distributed.rank() == 0:
            save_checkpoint(path, {'weights': {}, **vars(batch)})
        distributed.wait()
        raise MsdepthError(
            f'the loss is {value} at image {self.step * self.stage.batch} of stage '
            f'{self.stage.trains}: lower its rate, or check the batch saved in {path}'
        )

    def _note(self, bar: tqdm) -> None:
        """Validate, and write the log."""
        session = self.session
        if session.log is None:
            return
        learned = {each.source for each in self.weighted} if self.stage.held_out else set()
        held_out = {n: frames for n, frames in session.data.validation.items() if n not in learned}
        maker, tables, sheet = session.view_maker(), {}, None
        for name, frames in held_out.items():
            if self.stage.trains == HEADS:
                tables[name] = validate_heads(self.kept, frames, maker, session.device)
            else:
                errors = validate(self.kept, frames, maker, session.device)
                tables[name] = dataclasses.asdict(errors)
        if held_out:
            sheet = draw_sheet(self.kept, held_out, maker, session.device)
        images = self.step * self.stage.batch
        line = {'stage': self.stage.trains, 'images': images}
        bar.write(session.log.validated(self.before + images, line, tables, sheet))

    def _save(self) -> None:
        if distributed.rank() != 0:
            return
        content = {
            'config': json.loads(json.dumps(dataclasses.asdict(self.config))),
            'stage': self.index,
            'step': self.step,
            'start': self.start,
            'started_from': list(self.session.started_from),
            'teachers': [teacher.metadata for teacher in self.session.teachers],
            'correction': dataclasses.asdict(self.network.correction),
            'weights': self.kept.state_dict(),
            'network': self.network.state_dict(),
            'averaged': self.averaged.state_dict(),
            'optimiser': self.optimiser.state_dict(),
        }
        save_checkpoint(self.session.out / CHECKPOINT, content)


def images_before(config: Config, index: int) -> int:
    """Return the number of images of all stages before a stage."""
    return sum(math.ceil(each.images / each.batch) * each.batch for each in config.stages[:index])


def note_start(session: Session) -> None:
    """Log the errors of the weights that a training starts from."""
    if session.log is None:
        return
    tables = {
        name: dataclasses.asdict(
            validate(session.network, frames, session.view_maker(), session.device)
        )
        for name, frames in session.data.validation.items()
    }
    session.log.validated(0, {'stage': START, 'images': 0}, tables, None)


def seed_of(*numbers: int) -> int:
    """Return a seed that depends only on these numbers, in every version of Python."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0] >> 1)


def to_channels_last(module: nn.Module, device: torch.device) -> None:
    """Move a module to a device, in the memory layout that is fastest for convolutions."""
    module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
