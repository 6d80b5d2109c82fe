# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A two-stage depth network small enough to train in a test, and a training of it."""

import torch
from torch import Tensor, nn

from msdepth_ros.geometry.pinhole import Grid
from msdepth_ros.networks.depth_network import DepthNetwork, Supervised
from msdepth_ros.training.config import Config, Data, Source, Stage

RAMPS = Source(('set',), 'ramps', 'none', blocks=2, validation_share=0.25)
SMALL = Config(
    name='small',
    network={'name': 'tiny', 'channels': 4},
    data=Data({'ramps': RAMPS}, cached_width=80),
    stages=(Stage('coarse', images=8, rate=1e-3, batch=4, warm_up=0),),
    averaging=0.5,
    bfloat16=False,
    validate_every=8,
)


class Tiny(DepthNetwork):
    image_size = (40, 30)
    focal = 30.0
    grid = Grid(10, 7, (2.0, 2.5), (4.0, 4.0))
    stages = ('coarse', 'fine')

    def __init__(self, channels: int = 6, dropout: float = 0.2) -> None:
        super().__init__()
        self.encode = nn.Conv2d(3, channels, 4, stride=4)
        self.dropout = nn.Dropout(dropout)
        self.coarse = nn.Linear(channels * 70, 70)
        self.fine = nn.Conv2d(channels + 1, 1, 3, padding=1)
        self.stage = 'coarse'

    def begin_stage(self, stage: str) -> None:
        self.stage = stage
        self.encode.requires_grad_(stage == 'coarse')
        self.coarse.requires_grad_(stage == 'coarse')
        self.fine.requires_grad_(stage == 'fine')

    def supervised(self, image: Tensor) -> Supervised:
        features = self.encode(image).relu()
        log_depth = self.coarse(self.dropout(features.flatten(1))).view(-1, 1, 7, 10)
        if self.stage == 'fine':
            log_depth = log_depth + self.fine(torch.cat([features, log_depth], dim=1))
        return Supervised((self.correction(log_depth),))

    def plain_layers(self) -> list[nn.Conv2d | nn.Linear]:
        return [self.encode]

    def set_mean_log_depth(self, mean: Tensor) -> None:
        with torch.no_grad():
            self.coarse.bias.copy_(mean.flatten())
