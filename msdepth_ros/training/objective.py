# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a stage of the training minimises."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from msdepth_ros.networks.depth_network import DepthNetwork
from msdepth_ros.networks.losses import multi_scale_loss
from msdepth_ros.training.config import Config, Stage
from msdepth_ros.training.devices import computes_bfloat16
from msdepth_ros.training.distillation import DepthTeacher, cutmix
from msdepth_ros.training.teacher import FeatureTeacher


class Objective(nn.Module):
    """The weighted terms of a stage's loss, and all the weights that learn from it.

    Where several processes train together, each has its part of the batch's images, and the mean
    of their terms is the term of the whole batch.
    """

    def __init__(
        self,
        network: DepthNetwork,
        stage: Stage,
        config: Config,
        teachers: Sequence[DepthNetwork] = (),
    ) -> None:
        super().__init__()
        self.network = network
        self.depth_teacher = DepthTeacher(network, teachers) if stage.distillation else None
        self.feature_teacher = FeatureTeacher(network) if stage.features_weight else None
        self._stage = stage
        self._config = config

    def forward(
        self, image: Tensor, log_depth: Tensor, valid: Tensor, shown: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Return the terms, scalars.

        Parameters
        ----------
        image : float32 [N, 3, height, width], from `prepare`.
        log_depth, valid : float32 and bool [N, 1, h, w], of the network's grid.
        shown : float32 [N, 3, H, W], from `prepare`: what the teachers see (see `DepthTeacher`).

        """
        losses = {}
        if self._stage.cutmix and shown is not None:
            image, shown, valid = cutmix(image, shown, valid, self._stage.cutmix)
        with autocast(image.device, self._config):
            answer = self.network.supervised(image)
            if self.feature_teacher is not None:
                hints = self.feature_teacher(image, answer.features)
                losses['features'] = self._stage.features_weight * hints
        maps = [each.float() for each in answer.maps]
        if self._stage.depth_weight:
            losses['depth'] = self._stage.depth_weight * self._compare(maps, log_depth, valid)
        if self.depth_teacher is not None:
            with autocast(image.device, self._config):
                taught = self.depth_teacher(shown)
            loss = self._compare(maps, taught, torch.ones_like(valid))
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

    def learning(self) -> list[nn.Parameter]:
        """Return the weights that learn."""
        return [parameter for parameter in self.parameters() if parameter.requires_grad]


def autocast(device: torch.device, config: Config) -> torch.autocast:
    """Return the context of a configuration's mixed precision, where the device is made for it."""
    mixed = config.bfloat16 and computes_bfloat16(device)
    return torch.autocast(device.type, torch.bfloat16, enabled=mixed)
