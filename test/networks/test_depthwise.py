# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Depthwise convolutions: the same values and gradients as torch's own, padded as SAME."""

import pytest

torch = pytest.importorskip('torch', reason='training needs torch')

from msdepth_ros.networks.depthwise import DepthwiseConv2d, same_padding  # noqa: E402


def run(layer, value, bfloat16):
    layer.zero_grad()
    value = value.clone().requires_grad_()
    with torch.autocast('cpu', torch.bfloat16, enabled=bfloat16):
        output = layer(value)
    output.float().square().sum().backward()
    return output.float(), value.grad, layer.weight.grad.clone(), layer.bias.grad.clone()


@pytest.mark.parametrize(('kernel', 'stride'), [(3, 1), (3, 2), (5, 1), (5, 2)])
def test_bfloat16_agrees_with_float32(kernel, stride):
    torch.manual_seed(0)
    layer, value = DepthwiseConv2d(6, kernel, stride), torch.randn(2, 6, 12, 17)
    exact, low = run(layer, value, False), run(layer, value, True)
    assert exact[0].shape == (2, 6, -(-12 // stride), -(-17 // stride))
    for first, second in zip(exact, low, strict=True):
        assert second.dtype == torch.float32
        assert (second - first).norm() < 0.01 * first.norm()
        assert not torch.equal(first, second)


def test_padding_is_tensorflows_same():
    assert same_padding(torch.empty(1, 1, 12, 17), 3, 2) == [1, 1, 0, 1]
    assert same_padding(torch.empty(1, 1, 12, 16), 5, 2) == [1, 2, 1, 2]
