# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Batch normalisation by the whole batch, however many processes it is divided among."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from msdepth_ros.networks import distributed


class BatchNorm2d(nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d` that counts the images of all processes.

    What `torch.nn.SyncBatchNorm` does, which runs on GPUs only. Each process must have as many
    images.
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
    """Set a layer to a convolution without a bias and the normalisation that follows it.

    Parameters
    ----------
    layer : with a bias; gives what both together give when they are not trained.
    convolution : weights, float [out, in, h, w].
    norm : `weight`, `bias`, `running_mean` and `running_var` of the normalisation.
    """
    gain = norm['weight'] / torch.sqrt(norm['running_var'] + epsilon)
    layer.weight.copy_(convolution * gain.view(-1, 1, 1, 1))
    assert layer.bias is not None
    layer.bias.copy_(norm['bias'] - norm['running_mean'] * gain)
