# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The optimiser of a stage, and its learning rate over time."""

import math
from collections.abc import Collection, Sequence

import torch
from torch import nn

from msdepth_ros.training.config import Stage


def create_optimiser(
    stage: Stage, parameters: Sequence[nn.Parameter], pretrained: Collection[nn.Parameter] = ()
) -> torch.optim.Optimizer:
    """Return a stage's optimiser; biases have no weight decay.

    Each group has an entry 'share', its learning rate relative to the stage's rate.

    Parameters
    ----------
    stage : with the rates.
    parameters : the weights that are trained.
    pretrained : those of them that are pretrained.
    """
    slow = set(pretrained)
    groups = []
    for share, kept in (
        (1.0, [p for p in parameters if p not in slow]),
        (stage.pretrained_rate, [p for p in parameters if p in slow]),
    ):
        for decay, some in (
            (stage.weight_decay, [p for p in kept if p.ndim > 1]),
            (0.0, [p for p in kept if p.ndim <= 1]),
        ):
            if some:
                groups.append({'params': some, 'weight_decay': decay, 'share': share})
    return torch.optim.AdamW(groups, lr=stage.rate, fused=True)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of the next step, for each group by its share."""
    for group in optimiser.param_groups:
        group['lr'] = rate * group['share']


def warm_cosine(progress: float, warm_up: float) -> float:
    """Return the learning rate, relative to the largest.

    Parameters
    ----------
    progress : through the stage, from 0 to 1.
    warm_up : progress at which the rate is largest.
    """
    if progress < warm_up:
        return (progress + 1e-3) / (warm_up + 1e-3)
    return 0.5 * (1 + math.cos(math.pi * (progress - warm_up) / max(1e-9, 1 - warm_up)))
