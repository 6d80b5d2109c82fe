# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The interface of a depth network, for training and export."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from msdepth_ros.geometry.pinhole import Grid
from msdepth_ros.networks.correction import NONE, Correction

MEAN, DEVIATION = 0.45, 0.25  # of [0, 1] RGB, near the mean of photographs of rooms


@dataclass(frozen=True)
class Supervised:
    """A network's predictions.

    Attributes
    ----------
    maps : log depth, float [N, 1, h, w] each, finest first; a coarser map covers the same part of
        the image as the grid.
    heads : further maps by the head's name, float32 [N, 1, grid.height, grid.width]; for their
        meaning see `msdepth_ros.networks.heads.probability`.
    """

    maps: tuple[Tensor, ...]
    heads: Mapping[str, Tensor] = field(default_factory=dict)


HEADS = 'heads'  # the stage that trains only the heads, in networks that have heads


class DepthNetwork(nn.Module, ABC):
    """A network from an image to maps of log depth, trained in one or more stages.

    Attributes
    ----------
    image_size : (width, height) of the input, pixels.
    focal : focal length in input pixels at which the output is metric. The network predicts
        ``log(z * focal / f)`` for an image of focal length f.
    grid : the cells of the finest output, in input pixels.
    stages : names of the training stages, in order.
    precise : names of the submodules that an int8 export leaves in FP32.
    pretrained : names of the submodules that `load_pretrained` sets.
    pretrained_on : the data and the source of the pretrained weights; '' = there are none.
    heads : names of its outputs other than depth, see `msdepth_ros.networks.heads`.
    correction : applied to all its maps of log depth.
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
        """Load published weights into the `pretrained` submodules.

        Raises
        ------
        MsdepthError
            If the package with the weights is not installed.
        """

    def pretrained_parameters(self) -> set[nn.Parameter]:
        """Return the weights that `load_pretrained` sets."""
        parts = map(self.get_submodule, self.pretrained)
        return {parameter for part in parts for parameter in part.parameters()}

    @abstractmethod
    def begin_stage(self, stage: str) -> None:
        """Let exactly the weights that `stage` trains require gradients.

        Raises
        ------
        ValueError
            If the network has no such stage.
        """

    @abstractmethod
    def supervised(self, image: Tensor) -> Supervised:
        """Return the predictions that the current stage is trained on.

        Parameters
        ----------
        image : float32 [N, 3, height, width], from `normalise`.
        """

    def complete(self, image: Tensor) -> Supervised:
        """Return all predictions of a trained network: the finest map first; the heads' maps."""
        return self.supervised(image)

    def forward(self, image: Tensor) -> Tensor:
        """Return the finest log depth, float32 [N, 1, grid.height, grid.width]."""
        return self.complete(image).maps[0]

    def folded(self) -> 'DepthNetwork':
        """Return the network with its normalisations folded into the convolutions before them.

        In evaluation mode its predictions are the same. A network without normalisations returns
        itself.
        """
        return self

    @abstractmethod
    def plain_layers(self) -> list[nn.Conv2d | nn.Linear]:
        """Return the layers that are followed by a ReLU without a normalisation between them."""

    @abstractmethod
    def set_mean_log_depth(self, mean: Tensor) -> None:
        """Set the weights so that every prediction is this map, before training.

        Parameters
        ----------
        mean : float32 [grid.height, grid.width], ln metres at `focal`.
        """


def normalise(image: Tensor) -> Tensor:
    """Return an image as the network's input.

    Parameters
    ----------
    image : uint8 [N, H, W, 3], RGB.

    Returns
    -------
    float32 [N, 3, H, W], with about zero mean and unit standard deviation.
    """
    planes = image.permute(0, 3, 1, 2).to(torch.float32)
    return (planes - 255 * MEAN) * (1 / (255 * DEVIATION))


def denormalise(image: Tensor) -> Tensor:
    """Return the image, uint8 [N, H, W, 3], of a network input, float [N, 3, H, W]."""
    planes = image.float() * (255 * DEVIATION) + 255 * MEAN
    return planes.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
