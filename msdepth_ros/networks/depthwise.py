# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Depthwise convolutions that train fast enough on a CPU.

In bfloat16 on a CPU, the gradient of a depthwise convolution takes many times as long as the
convolution itself; in float32 it does not. So the gradient is computed in float32 there. The rest
of the network's arithmetic has the type that autocast chooses.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.nn import functional


class DepthwiseConv2d(nn.Conv2d):
    """A convolution with one filter per channel, padded as TensorFlow's SAME.

    Parameters
    ----------
    channels : number of channels.
    kernel, stride : in pixels, along both axes.
    """

    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(channels, channels, kernel, stride, padding, groups=channels)

    def forward(self, value: Tensor) -> Tensor:
        """Return float [N, channels, ceil(H / stride), ceil(W / stride)]."""
        if self.stride[0] > 1:
            value = functional.pad(value, same_padding(value, self.kernel_size[0], self.stride[0]))
        assert self.bias is not None
        if value.device.type == 'cpu' and torch.is_autocast_enabled('cpu'):
            kind = torch.get_autocast_dtype('cpu')
            weight, bias = self.weight.to(kind), self.bias.to(kind)
            result: Tensor = _Depthwise.apply(
                value.to(kind), weight, bias, self.stride, self.padding
            )
            return result
        return super().forward(value)


def same_padding(value: Tensor, kernel: int, stride: int) -> list[int]:
    """Return the padding (left, right, top, bottom) for an output of ceil(input / stride)."""
    sides: list[int] = []
    for size in (int(value.shape[-1]), int(value.shape[-2])):
        missing = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        sides += [missing // 2, missing - missing // 2]
    return sides


class _Depthwise(torch.autograd.Function):
    """A depthwise convolution whose gradient is computed in float32."""

    @staticmethod
    def forward(
        ctx: Any,
        value: Tensor,
        weight: Tensor,
        bias: Tensor,
        stride: tuple[int, int],
        padding: tuple[int, int],
    ) -> Tensor:
        ctx.save_for_backward(value, weight)
        ctx.stride, ctx.padding = stride, padding
        return functional.conv2d(value, weight, bias, stride, padding, groups=len(weight))

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Any) -> Any:
        (gradient,) = gradients
        value, weight = ctx.saved_tensors  # type: ignore[attr-defined]
        stride, padding = ctx.stride, ctx.padding  # type: ignore[attr-defined]
        wanted = ctx.needs_input_grad  # type: ignore[attr-defined]
        kind = value.dtype
        by_value, by_weight, by_bias = torch.ops.aten.convolution_backward(
            gradient.float(), value.float(), weight.float(), [len(weight)],
            stride, padding, [1, 1], False, [0, 0], len(weight), list(wanted[:3]),
        )  # fmt: skip
        return (
            by_value.to(kind) if wanted[0] else None,
            by_weight.to(kind) if wanted[1] else None,
            by_bias.to(kind) if wanted[2] else None,
            None,
            None,
        )
