# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a stage of the training minimises."""

import torch
from torch import Tensor, nn

from msdepth_ros.networks.depth_network import DepthNetwork
from msdepth_ros.networks.losses import multi_scale_loss
from msdepth_ros.training.config import Config, Stage
from msdepth_ros.training.devices import computes_bfloat16
from msdepth_ros.training.teacher import FeatureTeacher


class Objective(nn.Module):
    """The weighted terms of a stage's loss, and all the weights that learn from it.

    Where several processes train together, each has its part of the batch's images, and the mean
    of their terms is the term of the whole batch.
    """

    def __init__(self, network: DepthNetwork, stage: Stage, config: Config) -> None:
        super().__init__()
        self.network = network
        self.teacher = FeatureTeacher(network) if stage.features_weight else None
        self._stage = stage
        self._config = config

    def forward(self, image: Tensor, log_depth: Tensor, valid: Tensor) -> dict[str, Tensor]:
        """Return the terms, scalars.

        Parameters
        ----------
        image : float32 [N, 3, height, width], from `prepare`.
        log_depth, valid : float32 and bool [N, 1, h, w], of the network's grid.

        """
        losses = {}
        with autocast(image.device, self._config):
            answer = self.network.supervised(image)
            if self.teacher is not None:
                hints = self.teacher(image, answer.features)
                losses['features'] = self._stage.features_weight * hints
        if self._stage.depth_weight:
            depth_loss = multi_scale_loss(
                [each.float() for each in answer.maps],
                log_depth,
                valid,
                self._config.loss.scale_weight,
                self._config.loss.gradient_weight,
                absolute_weight=self._config.loss.absolute_weight,
            )
            losses['depth'] = self._stage.depth_weight * depth_loss
        return losses

    def learning(self) -> list[nn.Parameter]:
        """Return the weights that learn."""
        return [parameter for parameter in self.parameters() if parameter.requires_grad]


def autocast(device: torch.device, config: Config) -> torch.autocast:
    """Return the context of a configuration's mixed precision, where the device is made for it."""
    mixed = config.bfloat16 and computes_bfloat16(device)
    return torch.autocast(device.type, torch.bfloat16, enabled=mixed)
