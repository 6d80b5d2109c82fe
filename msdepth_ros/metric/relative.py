# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Relative depth: known up to a factor, or inverse depth known up to factor and shift."""

import math
from dataclasses import dataclass

import numpy as np

from msdepth_ros.metric.points import Points

KINDS = ('metric', 'scale', 'affine')
_LEAST_DEPTHS = 1.1  # least ratio of farthest to nearest measurement for a shift
_ROUNDS = 6
_TOLERANCE = 0.1  # relative error of inverse depth
_FARTHEST = 1e-3  # 1/m; a smaller inverse depth is invalid


@dataclass(frozen=True)
class Anchor:
    """Converts relative depth z to metres: 1 / (factor / z + shift)."""

    factor: float
    shift: float = 0.0

    def log_depth(self, depth: np.ndarray) -> np.ndarray:
        """Return ln metres of relative depth, float32 of the same shape; NaN where invalid."""
        with np.errstate(divide='ignore', invalid='ignore', over='ignore'):
            inverse = np.float32(self.factor) / depth + np.float32(self.shift)
            return np.where(inverse > _FARTHEST, -np.log(inverse), np.float32(np.nan))


def find_anchor(kind: str, points: Points) -> Anchor | None:
    """Return the conversion of relative depth to metres; None if too little was measured.

    A third of the measurements may be wrong. It uses the median of the ratios, or of the slopes
    between all pairs (Theil 1950, Sen 1968), then least squares with low weights for outliers.

    Parameters
    ----------
    kind : 'scale' or 'affine'; 'affine' needs measurements at two depths.
    points : the measurements; `predicted` is the logarithm of the relative depth.
    """
    if not len(points):
        return None
    predicted = np.exp(-points.predicted.astype(np.float64))
    inverse = np.exp(-(points.predicted + points.residual))
    if kind == 'scale':
        return Anchor(math.exp(-float(np.median(points.residual))))
    low, high = np.quantile(inverse, [0.1, 0.9])
    if len(points) < 2 or high < _LEAST_DEPTHS * low:
        return None
    first, second = np.triu_indices(len(points), 1)
    apart = np.abs(predicted[second] - predicted[first])
    far = apart > 0.1 * np.ptp(predicted)
    if not far.any() or not np.ptp(predicted):
        return None
    slopes = (inverse[second] - inverse[first])[far] / (predicted[second] - predicted[first])[far]
    factor = float(np.median(slopes))
    shift = float(np.median(inverse - factor * predicted))
    for _ in range(_ROUNDS):
        off = (factor * predicted + shift - inverse) / inverse
        weights = 1 / (1 + (off / _TOLERANCE) ** 2) ** 2 / inverse**2
        mean_predicted, mean_inverse = (
            np.average(each, weights=weights) for each in (predicted, inverse)
        )
        spread = np.average((predicted - mean_predicted) ** 2, weights=weights)
        if spread <= 0:
            return None
        both = np.average((predicted - mean_predicted) * (inverse - mean_inverse), weights=weights)
        factor = float(both / spread)
        shift = float(mean_inverse - factor * mean_predicted)
    return Anchor(factor, shift) if factor > 0 else None
