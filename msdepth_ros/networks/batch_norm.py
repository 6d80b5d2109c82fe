# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Batch normalisation over the whole batch, also if it is divided among several processes."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from msdepth_ros.networks import distributed


class BatchNorm2d(nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d` over the images of all processes.

    It is `torch.nn.SyncBatchNorm`, which needs GPUs, for CPUs, too. Each process must have the same
    number of images.
    """

    def forward(self, value: Tensor) -> Tensor:
        """Return float [N, C, H, W], normalised."""
        if not self.training or distributed.count() == 1:
            return super().forward(value)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        precise = value.float()
        number = precise[:, 0].numel() * distributed.count()
        mean = distributed.all_reduce_sum(precise.sum(dim=(0, 2, 3))) / number
        centred = precise - mean[:, None, None]
        variance = distributed.all_reduce_sum(centred.square().sum(dim=(0, 2, 3))) / number
        unbiased = variance.detach() * (number / max(1, number - 1))
        self.running_mean.lerp_(mean.detach(), self.momentum)
        self.running_var.lerp_(unbiased, self.momentum)
        self.num_batches_tracked.add_(1)
        scale = self.weight * (variance + self.eps).rsqrt()
        result = centred * scale[:, None, None] + self.bias[:, None, None]
        return result.to(value.dtype)


@torch.no_grad()
def fold(layer: nn.Conv2d, convolution: Tensor, norm: Mapping[str, Tensor], epsilon: float) -> None:
    """Set a layer so that it equals a convolution without bias, followed by a normalisation.

    Parameters
    ----------
    layer : to be set; it has a bias.
    convolution : weights, float [out, in, h, w].
    norm : `weight`, `bias`, `running_mean` and `running_var` of the normalisation.
    epsilon : of the normalisation.
    """
    gain = norm['weight'] / torch.sqrt(norm['running_var'] + epsilon)
    layer.weight.copy_(convolution * gain.view(-1, 1, 1, 1))
    assert layer.bias is not None
    layer.bias.copy_(norm['bias'] - norm['running_mean'] * gain)
