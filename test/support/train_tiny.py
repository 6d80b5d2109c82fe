# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command `msdepth` with the tests' small networks: a program for torchrun to start."""

import sys
from collections.abc import Sequence

import torch
from tiny import Tiny
from torch import Tensor

from msdepth_ros import networks
from msdepth_ros.cli import main
from msdepth_ros.networks.batch_norm import BatchNorm2d
from msdepth_ros.networks.depth_network import Supervised
from msdepth_ros.training import stage as training_stage
from msdepth_ros.training.config import Stage


class Normalised(Tiny):
    """With batch normalisation, which sees more than one process's images."""

    def __init__(self, channels: int = 6, dropout: float = 0.2) -> None:
        super().__init__(channels, dropout)
        self.normalise = BatchNorm2d(channels)

    def supervised(self, image: Tensor) -> Supervised:
        features = self.normalise(self.encode(image)).relu()
        log_depth = self.coarse(self.dropout(features.flatten(1))).view(-1, 1, 7, 10)
        if self.stage == 'fine':
            log_depth = log_depth + self.fine(torch.cat([features, log_depth], dim=1))
        return Supervised((log_depth,))


def plain_descent(
    stage: Stage, parameters: Sequence[torch.nn.Parameter], _pretrained: object
) -> torch.optim.Optimizer:
    """Take steps as large as the gradient: Adam makes rounding as large as what is learned."""
    groups = [{'params': parameters, 'share': 1.0}]
    return torch.optim.SGD(groups, lr=stage.rate, momentum=0.9, nesterov=True)


if __name__ == '__main__':
    training_stage.create_optimiser = plain_descent
    networks.NETWORKS = {**networks.NETWORKS, 'tiny': Tiny, 'normalised': Normalised}
    sys.exit(main())
