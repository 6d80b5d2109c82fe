# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The scale-invariant log depth loss and its extensions, in torch.

`msdepth_ros.evaluation.metrics` has the error table in NumPy.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from msdepth_ros.networks import distributed


def scale_invariant_loss(
    log_depth: Tensor, log_truth: Tensor, valid: Tensor, scale_weight: float = 0.5
) -> Tensor:
    """Return the training loss of Eigen et al. 2014, equation 4, averaged over images.

    ``L = mean(d^2) - scale_weight * mean(d)^2`` with ``d = log_depth - log_truth`` over an image's
    valid cells. A weight of 0 is the squared error; with 1, an error of scale costs nothing. The
    paper uses 0.5.

    Parameters
    ----------
    log_depth, log_truth : float [N, 1, h, w]; the truth of invalid cells is ignored, also NaN.
    valid : bool [N, 1, h, w].
    scale_weight : the paper's lambda.

    Returns
    -------
    Scalar. Images without a valid cell do not count; if no image has one, it is 0.
    """
    difference = _difference(log_depth, log_truth, valid)
    count = valid.sum(dim=(1, 2, 3))
    safe = count.clamp(min=1)
    mean = difference.sum(dim=(1, 2, 3)) / safe
    mean_square = difference.square().sum(dim=(1, 2, 3)) / safe
    return _mean_over_seen(mean_square - scale_weight * mean.square(), count)


def absolute_loss(log_depth: Tensor, log_truth: Tensor, valid: Tensor) -> Tensor:
    """Return the mean absolute error of log depth, averaged over images.

    Cells with large errors count less than in the squared error, as they do in abs rel and delta1
    of the error table. Parameters and units as in `scale_invariant_loss`.
    """
    count = valid.sum(dim=(1, 2, 3))
    total = _difference(log_depth, log_truth, valid).abs().sum(dim=(1, 2, 3))
    return _mean_over_seen(total / count.clamp(min=1), count)


def gradient_loss(log_depth: Tensor, log_truth: Tensor, valid: Tensor) -> Tensor:
    """Return the mean squared gradient of the error: the term of Eigen and Fergus 2015.

    It compares the depth steps between neighbouring valid cells, along rows and along columns.
    Parameters and units as in `scale_invariant_loss`.
    """
    difference = _difference(log_depth, log_truth, valid)
    total = difference.new_zeros(len(difference))
    count = total.clone()
    for axis in (2, 3):
        size = difference.shape[axis] - 1
        both = valid.narrow(axis, 0, size) & valid.narrow(axis, 1, size)
        step = difference.diff(dim=axis) * both
        total = total + step.square().sum(dim=(1, 2, 3))
        count = count + both.sum(dim=(1, 2, 3)) / 2  # each cell has one step along each axis
    return _mean_over_seen(total / count.clamp(min=1), count)


def floor_loss(logit: Tensor, floor: Tensor, known: Tensor) -> Tensor:
    """Return the cross-entropy of the floor's probability, averaged over images.

    Parameters
    ----------
    logit : float [N, 1, h, w], of the probability that a cell shows the floor.
    floor, known : bool [N, 1, h, w]: whether it does, and whether that is known.
    """
    each = functional.binary_cross_entropy_with_logits(
        logit, floor.to(logit.dtype), reduction='none'
    )
    count = known.sum(dim=(1, 2, 3))
    return _mean_over_seen((each * known).sum(dim=(1, 2, 3)) / count.clamp(min=1), count)


def laplace_loss(log_spread: Tensor, log_depth: Tensor, log_truth: Tensor, valid: Tensor) -> Tensor:
    """Return the negative log likelihood of the error of log depth under a Laplace density.

    The density is exp(-|e| / b) / 2b (Kendall and Gal 2017); the constant ln 2 is omitted.

    Parameters
    ----------
    log_spread : ln b, float [N, 1, h, w].
    log_depth, log_truth, valid : as in `scale_invariant_loss`.
    """
    error = _difference(log_depth, log_truth, valid).abs()
    count = valid.sum(dim=(1, 2, 3))
    each = (error * torch.exp(-log_spread) + log_spread) * valid
    return _mean_over_seen(each.sum(dim=(1, 2, 3)) / count.clamp(min=1), count)


def multi_scale_loss(
    maps: Sequence[Tensor],
    log_truth: Tensor,
    valid: Tensor,
    scale_weight: float = 0.5,
    gradient_weight: float = 0.0,
    map_weights: Sequence[float] = (1.0, 0.6, 0.4, 0.3, 0.3, 0.3),
    absolute_weight: float = 0.0,
) -> Tensor:
    """Return the weighted sum of the losses of one network's maps, finest first.

    A coarser map is compared with the mean of the truth over the valid cells in each of its cells.

    Parameters
    ----------
    maps : log depth, float [N, 1, h, w] each.
    log_truth, valid : of the finest map's size, as in `scale_invariant_loss`.
    scale_weight : see `scale_invariant_loss`.
    gradient_weight, absolute_weight : weights of `gradient_loss` and `absolute_loss`, relative to
        the scale-invariant loss.
    map_weights : weight of each map.

    Raises
    ------
    ValueError
        If there are more maps than map_weights.
    """
    if len(maps) > len(map_weights):
        raise ValueError(f'{len(maps)} maps but only {len(map_weights)} map_weights')
    total = maps[0].new_zeros(())
    for log_depth, weight in zip(maps, map_weights, strict=False):
        truth, seen = _shrink(log_truth, valid, log_depth.shape[-2:])
        loss = scale_invariant_loss(log_depth, truth, seen, scale_weight)
        if gradient_weight:
            loss = loss + gradient_weight * gradient_loss(log_depth, truth, seen)
        if absolute_weight:
            loss = loss + absolute_weight * absolute_loss(log_depth, truth, seen)
        total = total + weight * loss
    return total


def _difference(log_depth: Tensor, log_truth: Tensor, valid: Tensor) -> Tensor:
    return torch.where(valid, log_depth - torch.where(valid, log_truth, 0.0), 0.0)


def _mean_over_seen(losses: Tensor, count: Tensor) -> Tensor:
    """Return the mean over images with a valid cell; the processes' mean is that of the batch."""
    seen = count > 0
    number = distributed.all_reduce_sum(seen.sum()).clamp(min=1)
    return torch.where(seen, losses, 0.0).sum() * distributed.count() / number


def _shrink(log_truth: Tensor, valid: Tensor, size: torch.Size) -> tuple[Tensor, Tensor]:
    if log_truth.shape[-2:] == size:
        return log_truth, valid
    cells = (size[0], size[1])
    share = functional.adaptive_avg_pool2d(valid.to(log_truth.dtype), cells)
    total = functional.adaptive_avg_pool2d(torch.where(valid, log_truth, 0.0), cells)
    return total / share.clamp(min=1e-6), share > 0
