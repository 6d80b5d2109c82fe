# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The coarse-to-fine network of Eigen, Puhrsch and Fergus (NIPS 2014), NYU Depth geometry.

A global network sees the whole image, and its two fully connected layers predict a coarse map. A
local network refines that map with the edges in the image. Both predict log depth.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from msdepth_ros.geometry.pinhole import Grid
from msdepth_ros.networks.depth_network import HEADS, DepthNetwork, Supervised
from msdepth_ros.networks.heads import check_names

_HEAD_CHANNELS = 32
_COARSE_SHIFT = 3.0  # log depth is above -3 (5 cm): with this added, a ReLU does not change it


class Coarse(nn.Module):
    """The global network: from 3x228x304 to a 1x55x74 map of log depth."""

    def __init__(self, hidden: int, dropout: float) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(3, 96, 11, stride=4),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(96, 256, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(256, 384, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 384, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, 3, stride=2),
            nn.ReLU(inplace=True),
        )
        self.full = nn.Linear(256 * 6 * 8, hidden)
        self.dropout = nn.Dropout(dropout)
        self.map = nn.Linear(hidden, 55 * 74)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return log depth, float [N, 1, 55, 74], and its features, float [N, 256, 6, 8].

        Parameters
        ----------
        image : float [N, 3, 228, 304].
        """
        features = self.convolutions(image)
        hidden = self.dropout(functional.relu(self.full(features.flatten(1))))
        return self.map(hidden).view(-1, 1, 55, 74), features


class Fine(nn.Module):
    """The local network: from the image and a coarse map to a refined map; zero padding."""

    def __init__(self) -> None:
        super().__init__()
        self.edges = nn.Conv2d(3, 63, 9, stride=2)
        self.mix = nn.Conv2d(64, 64, 5, padding=2)
        self.map = nn.Conv2d(64, 1, 5, padding=2)

    def forward(self, image: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor]:
        """Return log depth, refined from `coarse`, and its features, float [N, 64, 55, 74].

        Both maps of log depth are float [N, 1, 55, 74].
        """
        edges = functional.max_pool2d(functional.relu(self.edges(image)), 2)
        mixed = functional.relu(self.mix(torch.cat([edges, coarse], dim=1)))
        return self.map(mixed), mixed

    @torch.no_grad()
    def start_as_identity(self) -> None:
        """Set the weights so that the output is the coarse map: training starts from it."""
        assert self.mix.bias is not None
        assert self.map.bias is not None
        self.mix.weight[63] = 0
        self.mix.weight[63, 63, 2, 2] = 1
        self.mix.bias[63] = _COARSE_SHIFT
        self.mix.weight[:63, 63] *= 0.1  # the coarse map has larger values than the edges
        nn.init.normal_(self.map.weight, std=1e-4)
        self.map.weight[0, 63] = 0
        self.map.weight[0, 63, 2, 2] = 1
        self.map.bias[0] = -_COARSE_SHIFT


class Heads(nn.Module):
    """Joins the features of both networks and the log depth; the paper has no such outputs.

    Parameters
    ----------
    names : of `msdepth_ros.networks.heads.NAMES`; each has one map.
    """

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self._names = check_names(names)
        width = _HEAD_CHANNELS
        self.coarse = nn.Conv2d(256, width, 1)
        self.fine = nn.Conv2d(65, width, 1)
        self.mix = nn.Conv2d(width, width, 5, padding=2)
        self.maps = nn.Conv2d(width, len(names), 3, padding=1)

    def forward(self, coarse: Tensor, fine: Tensor, log_depth: Tensor) -> dict[str, Tensor]:
        """Return a map for each head, float32 [N, 1, 55, 74].

        Parameters
        ----------
        coarse, fine : features, float [N, 256, 6, 8] and [N, 64, 55, 74].
        log_depth : float [N, 1, 55, 74].
        """
        value = functional.interpolate(self.coarse(coarse), size=(55, 74), mode='bilinear')
        value = functional.relu(value + self.fine(torch.cat([fine, log_depth], dim=1)))
        maps = self.maps(functional.relu(self.mix(value)))
        return dict(zip(self._names, maps.float().split(1, dim=1), strict=True))


class Eigen2014(DepthNetwork):
    """Coarse and fine network, 70.9 M weights at the paper's hidden width.

    Parameters
    ----------
    hidden : width of the fully connected layer; the paper's is 4096.
    dropout : fraction of its units that is dropped in training.
    heads : names of its outputs other than depth, see `msdepth_ros.networks.heads`.
    """

    image_size = (304, 228)
    focal = 259.4  # the paper's centre crop of half-size Kinect images: 518.9 / 2
    grid = Grid(width=74, height=55, origin=(5.0, 5.0), step=(4.0, 4.0))
    stages: tuple[str, ...] = ('coarse', 'fine')
    precise = ('fine.mix', 'fine.map')

    def __init__(self, hidden: int = 4096, dropout: float = 0.5, heads: Sequence[str] = ()) -> None:
        super().__init__()
        self.coarse = Coarse(hidden, dropout)
        self.fine = Fine()
        if heads:
            self.heads = tuple(heads)
            self.stages = (*self.stages, HEADS)
            self.head = Heads(heads)
        self.stage = 'coarse'
        self._initialise()

    def _initialise(self) -> None:
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity='relu')
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)
        nn.init.normal_(self.coarse.map.weight, std=1e-3)
        self.fine.start_as_identity()

    def begin_stage(self, stage: str) -> None:
        """Train only the coarse network, only the fine one, or only the heads.

        What comes before them is frozen.

        Raises
        ------
        ValueError
            If `stage` is none of 'coarse', 'fine' and 'heads'.
        """
        if stage not in self.stages:
            raise ValueError(f"stage '{stage}' must be one of {self.stages}")
        self.stage = stage
        self.coarse.requires_grad_(stage == 'coarse')
        self.fine.requires_grad_(stage == 'fine')
        if self.heads:
            self.head.requires_grad_(stage == HEADS)
        self.train(self.training)

    def train(self, mode: bool = True) -> 'Eigen2014':
        """Set the training mode; a frozen coarse network has no dropout."""
        super().train(mode)
        if self.stage != 'coarse':
            self.coarse.eval()
        return self

    def supervised(self, image: Tensor) -> Supervised:
        """Return the map of the current stage; in the stage 'heads' their maps, too."""
        if self.stage == HEADS:
            return self.complete(image)
        log_depth, _ = self.coarse(image)
        if self.stage == 'fine':
            log_depth, _ = self.fine(image, log_depth)
        return Supervised((self.correction(log_depth),))

    def complete(self, image: Tensor) -> Supervised:
        """Return the refined log depth, float [N, 1, 55, 74], and the heads' maps."""
        coarse, coarse_features = self.coarse(image)
        log_depth, features = self.fine(image, coarse)
        found = self.head(coarse_features, features, log_depth) if self.heads else {}
        return Supervised((self.correction(log_depth),), found)

    def plain_layers(self) -> list[nn.Conv2d | nn.Linear]:
        """Return every layer that is followed by a ReLU, except the fine network's `mix`."""
        layers = [layer for layer in self.coarse.convolutions if isinstance(layer, nn.Conv2d)]
        return [*layers, self.coarse.full, self.fine.edges]

    @torch.no_grad()
    def set_mean_log_depth(self, mean: Tensor) -> None:
        """Set the last bias of the coarse network to `mean`, ln metres [55, 74]."""
        self.coarse.map.bias.copy_(mean.flatten())
