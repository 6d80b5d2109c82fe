# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The default network: the paper's coarse-to-fine idea on a compact pretrained encoder.

The global network is EfficientNet-Lite. As in the paper, fully connected layers on its deepest map
predict a coarse depth map. The fine network refines that map from scale to scale, up to half of the
input's size. At every scale its inputs are the map so far, its own features from the scale before,
and the global network's features of that scale. The map of every scale is compared with the ground
truth.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from msdepth_ros.geometry.pinhole import Grid
from msdepth_ros.networks.batch_norm import BatchNorm2d, fold
from msdepth_ros.networks.depth_network import HEADS, DepthNetwork, Supervised
from msdepth_ros.networks.efficientnet_lite import EfficientNetLite
from msdepth_ros.networks.heads import Heads

_REDUCTION = 32  # the input's size divided by the coarse map's
_FOCAL = 207.5  # Kinect's colour camera at a width of 256: 518.9 * 256 / 640
_GLOBAL = 16  # channels of features from the fully connected layers for the fine network


class Coarse(nn.Module):
    """Predicts the coarse map from the encoder's deepest features, of the whole image.

    Parameters
    ----------
    inputs : channels of those features.
    size : (width, height) of the map.
    reduced : channels of each cell as input of the fully connected layer.
    hidden : width of that layer.
    dropout : fraction of its units that is dropped in training.
    normalised : see `MultiScaleDepth`.
    """

    def __init__(
        self,
        inputs: int,
        size: tuple[int, int],
        reduced: int,
        hidden: int,
        dropout: float,
        normalised: bool,
    ) -> None:
        super().__init__()
        self.size = size
        cells = size[0] * size[1]
        self.reduce = _convolution(inputs, reduced, 1, normalised)
        self.full = nn.Linear(reduced * cells, hidden)
        self.dropout = nn.Dropout(dropout)
        self.map = nn.Linear(hidden, cells)
        self.context = nn.Linear(hidden, _GLOBAL * cells)
        nn.init.normal_(self.map.weight, std=1e-3)

    def forward(self, deepest: Tensor) -> tuple[Tensor, Tensor]:
        """Return the map of log depth, float [N, 1, h, w], and features, float [N, C, h, w].

        Parameters
        ----------
        deepest : the encoder's features, float [N, inputs, h, w].
        """
        width, height = self.size
        hidden = functional.relu(self.full(self.reduce(deepest).flatten(1)))
        hidden = self.dropout(hidden)
        log_depth = self.map(hidden).view(-1, 1, height, width)
        return log_depth, self.context(hidden).view(-1, _GLOBAL, height, width)


class Refine(nn.Module):
    """One scale of the fine network, which corrects the map of the scale before.

    Parameters
    ----------
    below : channels of the fine network's features from the scale before.
    skip : channels of the encoder's features.
    channels : of its output features.
    normalised : see `MultiScaleDepth`.
    """

    def __init__(self, below: int, skip: int, channels: int, normalised: bool) -> None:
        super().__init__()
        self.mix = _convolution(below + skip + 1, channels, 3, normalised)
        self.correct = nn.Conv2d(channels, 1, 3, padding=1)
        nn.init.normal_(self.correct.weight, std=1e-2)
        assert self.correct.bias is not None
        nn.init.zeros_(self.correct.bias)

    def forward(self, log_depth: Tensor, features: Tensor, skip: Tensor) -> tuple[Tensor, Tensor]:
        """Return the corrected map [N, 1, h, w] and the features [N, C, h, w].

        The features and the skip connection given are of the same size as `log_depth`.
        """
        features = self.mix(torch.cat([features, skip, log_depth.to(features.dtype)], dim=1))
        return log_depth + self.correct(features).float(), features


class MultiScaleDepth(DepthNetwork):
    """The default network: about 4 M weights; by default 256x192 pixels to 128x96 cells.

    Parameters
    ----------
    version : of EfficientNet-Lite.
    reduced, hidden, dropout : of the fully connected layers, see `Coarse`.
    channels : of the fine network at 1/32, 1/16, 1/8, 1/4 and 1/2 of the input's size.
    normalised : whether layers that are not pretrained are followed by batch normalisation. A
        network that starts from an exported file has none: it is folded into the convolutions.
    size : (width, height) of the input, pixels, multiples of 32; the output has half of it.
    heads : names of its outputs other than depth, see `msdepth_ros.networks.heads`.
    """

    stages: tuple[str, ...] = ('joint', 'settled')
    pretrained = ('encoder',)
    precise = ('encoder.stem', 'encoder.blocks.0')  # int8 costs accuracy there

    def __init__(
        self,
        version: int = 0,
        reduced: int = 48,
        hidden: int = 256,
        dropout: float = 0.2,
        channels: tuple[int, ...] = (128, 96, 64, 32, 16),
        normalised: bool = True,
        size: tuple[int, int] = (256, 192),
        heads: Sequence[str] = (),
    ) -> None:
        super().__init__()
        if len(size) != 2 or any(side < _REDUCTION or side % _REDUCTION for side in size):
            raise ValueError(f'size is {size} but must be two multiples of {_REDUCTION}')
        width, height = size
        self.image_size = (width, height)
        self.focal = _FOCAL * width / 256
        self.grid = Grid(width=width // 2, height=height // 2, origin=(0.5, 0.5), step=(2.0, 2.0))
        self.normalised = normalised
        self._stage = self.stages[0]
        self._options: dict[str, Any] = {
            'version': version,
            'reduced': reduced,
            'hidden': hidden,
            'dropout': dropout,
            'channels': tuple(channels),
            'size': tuple(size),
            'heads': tuple(heads),
        }
        self.encoder = EfficientNetLite(version, pretrained=False)
        self.pretrained_on = f'ImageNet ({self.encoder.package}, Apache-2.0)'
        skips = self.encoder.channels[::-1]
        self.coarse = Coarse(
            skips[0],
            (width // _REDUCTION, height // _REDUCTION),
            reduced,
            hidden,
            dropout,
            normalised,
        )
        below = (_GLOBAL, *channels[:-1])
        self.fine = nn.ModuleList(
            Refine(*widths, normalised) for widths in zip(below, skips, channels, strict=True)
        )
        if heads:
            self.heads = tuple(heads)
            self.stages = (*self.stages, HEADS)
            self.head = Heads(heads, skips[:3], channels[2])

    def load_pretrained(self) -> None:
        """Load the encoder's ImageNet weights."""
        self.encoder.load_imagenet()

    def begin_stage(self, stage: str) -> None:
        """Choose what is trained: everything ('joint' and 'settled'), or only the heads ('heads').

        'settled' does not change the statistics of the normalisations, so that training has the
        same normalisation as inference. 'heads' does not change the depth.

        Raises
        ------
        ValueError
            If `stage` is none of these.
        """
        if stage not in self.stages:
            raise ValueError(f"stage '{stage}' must be one of {self.stages}")
        self._stage = stage
        self.requires_grad_(stage != HEADS)
        if self.heads:
            self.head.requires_grad_(stage == HEADS)

    def train(self, mode: bool = True) -> 'MultiScaleDepth':
        """Set the training mode of dropout and, in the stage 'joint', of the normalisations."""
        super().train(mode and self._stage != HEADS)
        if self._stage == 'settled':
            for module in self.modules():
                if isinstance(module, BatchNorm2d):
                    module.eval()
        return self

    def supervised(self, image: Tensor) -> Supervised:
        """Return the map of every scale, finest first; in the stage 'heads' their maps, too."""
        return self._predict(image, heads=self._stage == HEADS)

    def complete(self, image: Tensor) -> Supervised:
        """Return the map of every scale, finest first, and the heads' maps."""
        return self._predict(image, heads=True)

    def _predict(self, image: Tensor, heads: bool) -> Supervised:
        skips = self.encoder(image)
        log_depth, features = self.coarse(skips[-1])
        log_depth = log_depth.float()
        maps = [log_depth]
        fine = []  # features of the fine network, from coarse to fine
        for refine, skip in zip(self.fine, reversed(skips), strict=True):
            if skip.shape[-1] != log_depth.shape[-1]:
                log_depth = functional.interpolate(log_depth, scale_factor=2.0, mode='bilinear')
                features = functional.interpolate(features, scale_factor=2.0, mode='nearest')
            log_depth, features = refine(log_depth, features, skip)
            maps.append(log_depth)
            fine.append(features)
        found = self.head(skips[:1:-1], fine[2]) if heads and self.heads else {}
        corrected = tuple(map(self.correction, reversed(maps)))
        return Supervised(corrected, found)

    def folded(self) -> 'MultiScaleDepth':
        """Return the network with its normalisations folded into the convolutions before them."""
        if not self.normalised:
            return self
        network = MultiScaleDepth(**self._options, normalised=False)
        network.correction = self.correction
        weights = self.state_dict()
        kept = network.state_dict().keys() & weights.keys()
        network.load_state_dict({name: weights[name] for name in kept}, strict=False)
        for name, module in self.named_modules():
            if isinstance(module, BatchNorm2d):
                layer = f'{name.rpartition(".")[0]}.0'
                convolution = network.get_submodule(layer)
                assert isinstance(convolution, nn.Conv2d)
                fold(convolution, weights[f'{layer}.weight'], module.state_dict(), module.eps)
        return network

    def plain_layers(self) -> list[nn.Conv2d | nn.Linear]:
        """Return an empty list: the encoder is pretrained, the other layers are normalised."""
        return []

    @torch.no_grad()
    def set_mean_log_depth(self, mean: Tensor) -> None:
        """Set the last bias of the coarse network to `mean`, ln metres [h, w], at its size."""
        width, height = self.coarse.size
        cells = functional.adaptive_avg_pool2d(mean[None], (height, width))
        self.coarse.map.bias.copy_(cells.flatten())


def _convolution(inputs: int, outputs: int, kernel: int, normalised: bool) -> nn.Sequential:
    layer = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=not normalised)
    return nn.Sequential(layer, *[BatchNorm2d(outputs)] * normalised, nn.ReLU())
