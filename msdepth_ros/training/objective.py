# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The loss that a stage of the training minimises."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from msdepth_ros.networks.depth_network import HEADS, DepthNetwork, Supervised
from msdepth_ros.networks.heads import CONFIDENCE, FLOOR
from msdepth_ros.networks.losses import floor_loss, laplace_loss, multi_scale_loss
from msdepth_ros.training.augmentation import UNKNOWN
from msdepth_ros.training.batches import Batch, cutmix, prepare
from msdepth_ros.training.config import Config, Stage
from msdepth_ros.training.devices import computes_bfloat16
from msdepth_ros.training.model_teacher import ModelTeacher
from msdepth_ros.training.teachers import DepthTeacher


class Objective(nn.Module):
    """The weighted terms of a stage's loss, and the weights that it trains.

    If several processes train together, each has a part of the batch, and the mean of their terms
    is the term of the whole batch.
    """

    def __init__(
        self,
        network: DepthNetwork,
        stage: Stage,
        config: Config,
        teachers: Sequence[DepthNetwork | ModelTeacher] = (),
    ) -> None:
        super().__init__()
        self.network = network
        self.depth_teacher = DepthTeacher(network, teachers) if stage.distillation else None
        self._stage = stage
        self._config = config

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms of the loss, scalars, for a batch on the network's device."""
        device = batch.image.device
        image, valid = prepare(batch.image, device), batch.valid
        if self._stage.trains == HEADS:
            with autocast(device, self._config):
                predicted = self.network.supervised(image)
            return self._of_heads(predicted, batch)
        teacher_image = None
        if batch.teacher_image is not None:
            teacher_image = prepare(batch.teacher_image, device)
            if self._stage.cutmix:
                image, teacher_image, valid = cutmix(
                    image, teacher_image, valid, self._stage.cutmix
                )
        with autocast(device, self._config):
            predicted = self.network.supervised(image)
        maps = [each.float() for each in predicted.maps]
        losses = {}
        if self._stage.depth_weight:
            losses['depth'] = self._stage.depth_weight * self._compare(maps, batch.log_depth, valid)
        if self.depth_teacher is not None:
            assert teacher_image is not None
            with autocast(device, self._config):
                taught = self.depth_teacher(teacher_image, batch.log_depth, valid, maps[0].detach())
            loss = self._compare(maps, taught, torch.isfinite(taught))
            losses['distillation'] = self._stage.distillation * loss
        return losses

    def _compare(self, maps: Sequence[Tensor], log_depth: Tensor, valid: Tensor) -> Tensor:
        weights = self._config.loss
        return multi_scale_loss(
            maps,
            log_depth,
            valid,
            weights.scale_weight,
            weights.gradient_weight,
            absolute_weight=weights.absolute_weight,
        )

    def _of_heads(self, predicted: Supervised, batch: Batch) -> dict[str, Tensor]:
        losses = {}
        if FLOOR in predicted.heads:
            known = batch.floor != UNKNOWN
            losses[FLOOR] = floor_loss(predicted.heads[FLOOR], batch.floor == 1, known)
        if CONFIDENCE in predicted.heads:
            log_depth = predicted.maps[0].float().detach()
            losses[CONFIDENCE] = laplace_loss(
                predicted.heads[CONFIDENCE], log_depth, batch.log_depth, batch.valid
            )
        return losses

    def learning(self) -> list[nn.Parameter]:
        """Return the weights that are trained."""
        return [parameter for parameter in self.parameters() if parameter.requires_grad]


def autocast(device: torch.device, config: Config) -> torch.autocast:
    """Return the context of mixed precision, if configured and supported by the device."""
    mixed = config.bfloat16 and computes_bfloat16(device)
    return torch.autocast(device.type, torch.bfloat16, enabled=mixed)
