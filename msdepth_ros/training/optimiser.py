# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How a stage's weights move: the optimiser and the rate's course."""

import math

import torch
from torch import nn

from msdepth_ros.errors import MsdepthError
from msdepth_ros.training.config import Stage


def create_optimiser(stage: Stage, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    """Return a stage's optimiser; biases do not decay.

    Raises
    ------
    MsdepthError : the stage names none that there is.

    """
    groups = [
        {'params': [p for p in parameters if p.ndim > 1], 'weight_decay': stage.weight_decay},
        {'params': [p for p in parameters if p.ndim <= 1], 'weight_decay': 0.0},
    ]
    if stage.optimiser == 'adamw':
        return torch.optim.AdamW(groups, lr=stage.rate, fused=True)
    if stage.optimiser == 'sgd':
        return torch.optim.SGD(groups, lr=stage.rate, momentum=0.9, nesterov=True)
    raise MsdepthError(f"optimiser is '{stage.optimiser}' but must be adamw or sgd")


def warm_cosine(progress: float, warm_up: float) -> float:
    """Return the share of the largest rate at `progress` (0 to 1) through a stage."""
    if progress < warm_up:
        return (progress + 1e-3) / (warm_up + 1e-3)
    return 0.5 * (1 + math.cos(math.pi * (progress - warm_up) / max(1e-9, 1 - warm_up)))
