# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Converts a teacher's relative prediction (up to a factor, or to scale and shift) to metres.

If a view has ground truth, the prediction is fitted to it. Otherwise it is fitted to the student's
own prediction: then the student learns shapes from the teacher, and its metres are not changed (the
scale- and shift-invariant loss of MiDaS, Ranftl et al. 2020, in another form).
"""

import math

import torch
from torch import Tensor

FEWEST = 32  # least number of cells with ground truth for a fit to it
_ROUNDS = 4  # of reweighting
_FARTHEST = 1e3  # metres; a fit gives no larger depth


def aligned(
    predicted: Tensor, kind: str, log_depth: Tensor, valid: Tensor, student: Tensor
) -> Tensor:
    """Return log depth in metres, float32 [N, 1, h, w], NaN where it must not be learned.

    Parameters
    ----------
    predicted : float32 [N, 1, h, w]: log depth up to a constant (kind 'scale'), or inverse depth up
        to scale and shift ('affine'); NaN where there is none.
    kind : 'scale' or 'affine'.
    log_depth, valid : the ground truth, float32 and bool [N, 1, h, w].
    student : its log depth, float32 [N, 1, h, w]; it gets no gradient.
    """
    made = torch.full_like(predicted, math.nan)
    for index, values in enumerate(predicted):
        known = torch.isfinite(values)
        truth = valid[index] & known
        by_truth = int(truth.sum()) >= FEWEST
        target = log_depth[index] if by_truth else student.detach()[index]
        cells = truth if by_truth else known
        fit = _scaled if kind == 'scale' else _scaled_and_shifted
        fitted = fit(values, target, cells) if cells.any() else None
        if fitted is not None:
            made[index] = fitted
    return made


def _scaled(values: Tensor, target: Tensor, cells: Tensor) -> Tensor:
    return values + (target[cells] - values[cells]).median()


def _scaled_and_shifted(values: Tensor, target: Tensor, cells: Tensor) -> Tensor | None:
    """Fit scale * values + shift to the inverse depth, with the least relative errors.

    Return None if the values are useless: constant, or with near and far swapped.
    """
    x, y = values[cells].double(), torch.exp(-target[cells].double())
    columns = torch.stack([x, torch.ones_like(x)], dim=1)
    weights = 1 / y
    solution = torch.zeros(2, dtype=torch.float64, device=x.device)
    for _ in range(_ROUNDS):
        weighted = columns * weights[:, None]
        normal = weighted.T @ weighted
        normal += 1e-12 * torch.eye(2, dtype=normal.dtype, device=normal.device) * normal.trace()
        solution = torch.linalg.solve(normal, weighted.T @ (weights * y))
        error = ((columns @ solution - y) / y).abs()
        weights = 1 / (y * (error + 0.02).sqrt())
    scale, shift = solution
    if scale * (x.max() - x.min()) <= 1e-3 * y.mean():
        return None
    inverse = (scale * values.double() + shift).clamp_min(1 / _FARTHEST)
    return -torch.log(inverse).to(values.dtype)
