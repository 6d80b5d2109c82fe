# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The outputs of a depth network other than depth: floor and confidence.

They are computed by a small network from the features of the depth network, which it does not
change: depth is the same with and without it.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

FLOOR, CONFIDENCE = 'floor', 'confidence'
NAMES = (FLOOR, CONFIDENCE)
PREFIX = 'head.'  # prefix of the names of the heads' weights in a network
WITHIN = 1.25  # largest ratio of a right depth to the truth: the paper's delta1
_CHANNELS = (64, 48)  # at 1/16 and 1/8 of the input's size
_FINER = 4  # output cells along each side of a cell at 1/8


class Heads(nn.Module):
    """Joins features at 1/32, 1/16 and 1/8 of the input's size, from coarse to fine.

    The last convolution predicts 4x4 output cells for each of its own (sub-pixel convolution, Shi
    et al. 2016): an upsampling with nearly no cost.

    Parameters
    ----------
    names : of NAMES; each has one map.
    skips : channels of the encoder's features at 1/32, 1/16 and 1/8.
    features : channels of the fine network's features at 1/8.
    """

    def __init__(self, names: Sequence[str], skips: Sequence[int], features: int) -> None:
        super().__init__()
        self._names = check_names(names)
        coarse, fine = _CHANNELS
        self.below = nn.ModuleList([nn.Conv2d(skips[0], coarse, 1), nn.Conv2d(coarse, fine, 1)])
        self.skips = nn.ModuleList([nn.Conv2d(skips[1], coarse, 1), nn.Conv2d(skips[2], fine, 1)])
        self.own = nn.Conv2d(features, fine, 1)
        self.mix = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for width in _CHANNELS)
        self.maps = nn.Conv2d(fine, len(names) * _FINER**2, 3, padding=1)

    def forward(self, skips: Sequence[Tensor], features: Tensor) -> dict[str, Tensor]:
        """Return a map for each head, float32 [N, 1, H / 2, W / 2]; see `probability`.

        Parameters
        ----------
        skips : the encoder's features, float [N, C, h, w] each, at 1/32, 1/16 and 1/8.
        features : the fine network's, float [N, C, h, w], at 1/8.
        """
        value = functional.interpolate(self.below[0](skips[0]), scale_factor=2.0, mode='nearest')
        value = functional.relu(value + self.skips[0](skips[1]))
        value = self.below[1](functional.relu(self.mix[0](value)))
        value = functional.interpolate(value, scale_factor=2.0, mode='nearest')
        value = functional.relu(value + self.skips[1](skips[2]) + self.own(features))
        maps = functional.pixel_shuffle(self.maps(functional.relu(self.mix[1](value))), _FINER)
        return dict(zip(self._names, maps.float().split(1, dim=1), strict=True))


def check_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of heads.

    Raises
    ------
    ValueError
        If one is not of NAMES.
    """
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        raise ValueError(f"there is no head '{unknown[0]}': known are {', '.join(NAMES)}")
    return tuple(names)


def probability(name: str, value: Tensor) -> Tensor:
    """Return a head's map as a probability of the same shape, as it is exported.

    `floor` is the logit of the probability that a cell shows the floor. `confidence` is the
    logarithm of b in the Laplace density exp(-|e| / b) / 2b of the error e of log depth. The
    probability that the depth is within a ratio of WITHIN of the truth is 1 - exp(-ln(WITHIN) / b).

    Parameters
    ----------
    name : of the head.
    value : its map, float32 [N, 1, h, w].
    """
    if name == FLOOR:
        return value.sigmoid()
    return 1 - torch.exp(-math.log(WITHIN) * torch.exp(-value))
