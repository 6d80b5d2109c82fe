# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Networks that know no metres: depth up to a factor, or inverse depth up to factor and shift."""

import math
from dataclasses import dataclass

import numpy as np

from msdepth_ros.metric.points import Points

KINDS = ('metric', 'scale', 'affine')
_LEAST_DEPTHS = 1.1  # ratio of farthest to nearest from which a shift can be told
_ROUNDS = 6
_TOLERANCE = 0.1  # relative error of inverse depth
_FARTHEST = 1e-3  # inverse depth, 1/m, below which there is none


@dataclass(frozen=True)
class Anchor:
    """Metres of a relative depth z: 1 / (factor / z + shift)."""

    factor: float
    shift: float = 0.0

    def log_depth(self, depth: np.ndarray) -> np.ndarray:
        """Return ln metres of relative depths, float32; NaN where there are none."""
        with np.errstate(divide='ignore', invalid='ignore', over='ignore'):
            inverse = np.float32(self.factor) / depth + np.float32(self.shift)
            return np.where(inverse > _FARTHEST, -np.log(inverse), np.float32(np.nan))


def find_anchor(kind: str, points: Points) -> Anchor | None:
    """Return what makes metres of a network's answer, None where too little was measured.

    Robust to a third of wrong measurements: medians of ratios, or of the slopes between all pairs
    (Theil 1950, Sen 1968), then least squares with weights that leave out what is far.

    Parameters
    ----------
    kind : 'scale' or 'affine'; 'affine' needs measurements at two depths.
    points : the measurements; `predicted` is the logarithm of the relative depth.
    """
    if not len(points):
        return None
    answer = np.exp(-points.predicted.astype(np.float64))
    inverse = np.exp(-(points.predicted + points.residual))
    if kind == 'scale':
        return Anchor(math.exp(-float(np.median(points.residual))))
    low, high = np.quantile(inverse, [0.1, 0.9])
    if len(points) < 2 or high < _LEAST_DEPTHS * low:
        return None
    first, second = np.triu_indices(len(points), 1)
    apart = np.abs(answer[second] - answer[first])
    far = apart > 0.1 * np.ptp(answer)
    if not far.any() or not np.ptp(answer):
        return None
    slopes = (inverse[second] - inverse[first])[far] / (answer[second] - answer[first])[far]
    factor = float(np.median(slopes))
    shift = float(np.median(inverse - factor * answer))
    for _ in range(_ROUNDS):
        off = (factor * answer + shift - inverse) / inverse
        weights = 1 / (1 + (off / _TOLERANCE) ** 2) ** 2 / inverse**2
        mean_answer, mean_inverse = (
            np.average(each, weights=weights) for each in (answer, inverse)
        )
        spread = np.average((answer - mean_answer) ** 2, weights=weights)
        if spread <= 0:
            return None
        both = np.average((answer - mean_answer) * (inverse - mean_inverse), weights=weights)
        factor = float(both / spread)
        shift = float(mean_inverse - factor * mean_answer)
    return Anchor(factor, shift) if factor > 0 else None
