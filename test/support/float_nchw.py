# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Exports a shipped network as other projects do: float NCHW in, a map of the same size out."""

import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from msdepth_ros.networks.depth_network import DepthNetwork, normalise

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class FloatNchw(nn.Module):
    """Takes images normalised as for ImageNet; predicts scale * inverse depth + shift."""

    def __init__(self, network: DepthNetwork, scale: float, shift: float) -> None:
        super().__init__()
        self.network, self.scale, self.shift = network, scale, shift
        width, height = network.image_size
        grid = network.grid
        pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1)
        cells = (pixels - grid.origin) / grid.step
        places = 2 * cells / (grid.width - 1, grid.height - 1) - 1
        self.register_buffer('places', torch.from_numpy(places).float()[None])
        self.register_buffer('mean', torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer('std', torch.tensor(STD).view(1, 3, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        bytes_like = 255 * (image * self.std + self.mean)
        log_depth = self.network(normalise(bytes_like.permute(0, 2, 3, 1)))
        full = functional.grid_sample(
            log_depth, self.places, 'bilinear', padding_mode='border', align_corners=True
        )
        return self.scale * torch.exp(-full) + self.shift


def export_float_nchw(
    network: DepthNetwork, path: Path, scale: float = 1.0, shift: float = 0.0
) -> Path:
    """Write scale / depth + shift of a network as `image` [1, 3, H, W] -> `depth` [1, 1, H, W]."""
    width, height = network.image_size
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.onnx.export(
            FloatNchw(network.eval(), scale, shift).eval(),
            (torch.randn(1, 3, height, width),),
            path,
            input_names=['image'],
            output_names=['depth'],
            opset_version=17,
            dynamo=False,
        )
    return path
