# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The scale-invariant loss: its three forms, what it forgives, masks."""

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='training needs torch')

from msdepth_ros.evaluation.metrics import ErrorSums  # noqa: E402
from msdepth_ros.networks.losses import (  # noqa: E402
    absolute_loss,
    gradient_loss,
    multi_scale_loss,
    scale_invariant_loss,
)


@pytest.fixture
def maps():
    """Log depth, its truth and validity: float64, 3 images, a third of the cells invalid."""
    generator = torch.Generator().manual_seed(1)
    log_depth, truth = torch.randn(2, 3, 1, 7, 9, generator=generator, dtype=torch.float64)
    valid = torch.rand(3, 1, 7, 9, generator=generator) > 1 / 3
    return log_depth, truth, valid


def aligned_form(d):
    """Equation 1 of the paper: the error after the best common shift alpha, by the mean of d."""
    alpha = -d.mean()
    return ((d + alpha) ** 2).mean()


def pairwise_form(d):
    """Equation 2: every pair of pixels is compared, prediction's difference with truth's."""
    return ((d[:, None] - d[None, :]) ** 2).sum() / (2 * len(d) ** 2)


def test_three_forms_of_the_scale_invariant_loss_agree(maps):
    log_depth, truth, valid = maps
    for index in range(3):
        d = (log_depth[index] - truth[index])[valid[index]].numpy()
        one = slice(index, index + 1)
        linear = scale_invariant_loss(log_depth[one], truth[one], valid[one], 1.0).item()
        true_depth = np.where(valid[index], np.exp(truth[index].numpy()), np.nan)
        table = ErrorSums().add(np.exp(log_depth[index].numpy()), true_depth)
        assert linear == pytest.approx(aligned_form(d), rel=1e-12)
        assert linear == pytest.approx(pairwise_form(d), rel=1e-12)
        assert linear == pytest.approx(table.scale_invariant**2, rel=1e-12)


def test_a_factor_costs_nothing_at_weight_1_and_all_at_weight_0(maps):
    log_depth, truth, valid = maps
    shifted = log_depth + np.log(3.0)
    assert scale_invariant_loss(shifted, truth, valid, 1.0).item() == pytest.approx(
        scale_invariant_loss(log_depth, truth, valid, 1.0).item(), rel=1e-12
    )
    only_scale = truth + np.log(3.0)
    for weight in (0.0, 0.5, 1.0):
        loss = scale_invariant_loss(only_scale, truth, valid, weight).item()
        assert loss == pytest.approx((1 - weight) * np.log(3.0) ** 2, abs=1e-12)


def test_at_any_weight_it_is_the_formula_of_equation_4(maps):
    log_depth, truth, valid = maps
    for weight in (0.0, 0.3, 0.5, 1.0):
        each = []
        for i in range(3):
            d = (log_depth[i] - truth[i])[valid[i]].numpy()
            each.append(np.mean(d**2) - weight * np.mean(d) ** 2)
        loss = scale_invariant_loss(log_depth, truth, valid, weight).item()
        assert loss == pytest.approx(np.mean(each), rel=1e-12)


@pytest.mark.parametrize('loss', [scale_invariant_loss, gradient_loss, absolute_loss])
def test_masked_cells_do_not_count(maps, loss):
    log_depth, truth, valid = maps
    poisoned = torch.where(valid, truth, float('nan'))
    log_depth.requires_grad_()
    value = loss(log_depth, poisoned, valid)
    value.backward()
    assert value.item() == pytest.approx(loss(log_depth, truth, valid).item(), rel=1e-12)
    assert torch.isfinite(log_depth.grad).all()
    assert (log_depth.grad[~valid] == 0).all()
    assert (log_depth.grad[valid] != 0).any()


@pytest.mark.parametrize('loss', [scale_invariant_loss, gradient_loss, absolute_loss])
def test_images_without_valid_cells_are_skipped(maps, loss):
    log_depth, truth, valid = maps
    rest = loss(log_depth[1:], truth[1:], valid[1:]).item()
    valid[0] = False
    assert loss(log_depth, truth, valid).item() == pytest.approx(rest, rel=1e-12)
    nothing = loss(log_depth.requires_grad_(), truth, torch.zeros_like(valid))
    nothing.backward()
    assert nothing.item() == 0
    assert (log_depth.grad == 0).all()


def test_the_gradient_loss_depends_on_steps_and_not_on_offsets():
    truth = torch.zeros(1, 1, 4, 5, dtype=torch.float64)
    valid = torch.ones_like(truth, dtype=torch.bool)
    assert gradient_loss(truth + 2, truth, valid).item() == 0
    ramp = truth + 0.1 * torch.arange(5)
    # 16 steps of 0.1 along rows, 15 steps of 0 along columns, two steps to a cell
    assert gradient_loss(ramp, truth, valid).item() == pytest.approx(16 * 0.01 / 15.5)


def test_absolute_loss_is_the_mean_over_valid_cells_and_images(maps):
    log_depth, truth, valid = maps
    each = [(log_depth[i] - truth[i])[valid[i]].abs().mean().item() for i in range(3)]
    loss = absolute_loss(log_depth, truth, valid).item()
    assert loss == pytest.approx(np.mean(each), rel=1e-12)


def test_multi_scale_loss_adds_weighted_scales(maps):
    log_depth, truth, _ = maps
    valid = torch.ones_like(truth, dtype=torch.bool)
    truth = truth[..., :6, :8]
    log_depth, valid = log_depth[..., :6, :8], valid[..., :6, :8]
    half = torch.nn.functional.avg_pool2d(log_depth, 2)
    half_truth = torch.nn.functional.avg_pool2d(truth, 2)
    expected = scale_invariant_loss(log_depth, truth, valid) + 0.25 * scale_invariant_loss(
        half, half_truth, torch.ones_like(half, dtype=torch.bool)
    )
    loss = multi_scale_loss([log_depth, half], truth, valid, map_weights=(1.0, 0.25))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


def test_coarse_truth_is_the_mean_of_the_valid_cells():
    truth = torch.tensor([[1.0, float('nan')], [3.0, float('nan')]])[None, None]
    valid = torch.isfinite(truth)
    coarse = torch.full((1, 1, 1, 1), 2.5)
    fine = torch.where(valid, truth, 0.0)
    loss = multi_scale_loss([fine, coarse], truth, valid, 0.0, map_weights=(1.0, 1.0))
    assert loss.item() == pytest.approx(0.5**2)


def test_terms_of_the_multi_scale_loss_have_their_weights(maps):
    plain, gradient, absolute = (
        multi_scale_loss([maps[0]], *maps[1:], gradient_weight=g, absolute_weight=a).item()
        for g, a in ((0, 0), (0.7, 0), (0, 0.2))
    )
    assert gradient - plain == pytest.approx(0.7 * gradient_loss(*maps).item())
    assert absolute - plain == pytest.approx(0.2 * absolute_loss(*maps).item())
