# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the training loop and the export ask of a network."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from msdepth_ros.geometry.pinhole import Grid
from msdepth_ros.networks.correction import NONE, Correction

_MEAN, _DEVIATION = 0.45, 0.25  # of [0, 1] RGB, near the mean of photographs of rooms


@dataclass(frozen=True)
class Supervised:
    """What a network predicts in training.

    Attributes
    ----------
    maps : log depth, float [N, 1, h, w] each, finest first; cells of a coarser map cover the same
        field as the grid.
    heads : further maps by the head's name, float32 [N, 1, grid.height, grid.width]; see
        `msdepth_ros.networks.heads.probability` for what they mean.
    """

    maps: tuple[Tensor, ...]
    heads: Mapping[str, Tensor] = field(default_factory=dict)


HEADS = 'heads'  # the stage that trains the heads alone, of networks that have some


class DepthNetwork(nn.Module, ABC):
    """An image in, maps of log depth out, trained in one or more stages.

    Attributes
    ----------
    image_size : (width, height) of the input, pixels.
    focal : focal length in input pixels at which the output is metric. The network predicts
        ``log(z * focal / f)`` for an image of focal length f.
    grid : the cells of the finest output, in input pixels.
    stages : names of the training stages, in order.
    precise : names of the submodules that an int8 export leaves in FP32.
    pretrained : names of the submodules that `load_pretrained` sets.
    pretrained_on : on what, and where its weights come from; '' where there are none.
    heads : names of its outputs beside depth, see `msdepth_ros.networks.heads`.
    correction : that all its maps of log depth have gone through.
    """

    image_size: tuple[int, int]
    focal: float
    grid: Grid
    stages: tuple[str, ...]
    precise: tuple[str, ...] = ()
    pretrained: tuple[str, ...] = ()
    pretrained_on: str = ''
    heads: tuple[str, ...] = ()
    correction: Correction = NONE

    def load_pretrained(self) -> None:
        """Start the `pretrained` submodules from published weights.

        Raises
        ------
        MsdepthError
            If the package that holds the weights is not installed.
        """

    def pretrained_parameters(self) -> set[nn.Parameter]:
        """Return the weights that `load_pretrained` sets."""
        parts = map(self.get_submodule, self.pretrained)
        return {parameter for part in parts for parameter in part.parameters()}

    @abstractmethod
    def begin_stage(self, stage: str) -> None:
        """Let exactly the weights that `stage` trains require gradients."""

    @abstractmethod
    def supervised(self, image: Tensor) -> Supervised:
        """Return what the present stage learns from.

        Parameters
        ----------
        image : float32 [N, 3, height, width], from `normalise`.
        """

    def complete(self, image: Tensor) -> Supervised:
        """Return what a trained network predicts: its finest map first, and its heads' maps."""
        return self.supervised(image)

    def forward(self, image: Tensor) -> Tensor:
        """Return the finest log depth, float32 [N, 1, grid.height, grid.width]."""
        return self.complete(image).maps[0]

    def folded(self) -> 'DepthNetwork':
        """Return the network with its normalisations folded into the convolutions before them.

        It predicts what this one does when it is not trained. This one itself where it has none.
        """
        return self

    @abstractmethod
    def plain_layers(self) -> list[nn.Conv2d | nn.Linear]:
        """Return the layers that a ReLU follows with no normalisation between."""

    @abstractmethod
    def set_mean_log_depth(self, mean: Tensor) -> None:
        """Start from a mean map: float32 [grid.height, grid.width], log metres at `focal`."""


def normalise(image: Tensor) -> Tensor:
    """Return the network's view of an image.

    Parameters
    ----------
    image : uint8 [N, H, W, 3], RGB.

    Returns
    -------
    float32 [N, 3, H, W], about zero mean and unit deviation.
    """
    planes = image.permute(0, 3, 1, 2).to(torch.float32)
    return (planes - 255 * _MEAN) * (1 / (255 * _DEVIATION))


def denormalise(image: Tensor) -> Tensor:
    """Return the image, uint8 [N, H, W, 3], that `normalise` made float [N, 3, H, W] of."""
    planes = image.float() * (255 * _DEVIATION) + 255 * _MEAN
    return planes.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
