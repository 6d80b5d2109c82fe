# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Fits a network's prior to the errors of its log depth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from msdepth_ros.metric.points import NETWORK_NOISE
from msdepth_ros.metric.prior import Prior

POINTS = 100  # cells of each frame
_STEPS = (1.4, 1.15, 1.05)  # factors of the pattern search
_LOWEST = np.array([0.03, 0.03, 3.0, 0.03])
_HIGHEST = np.array([1.5, 0.6, 80.0, 1.5])


@dataclass(frozen=True)
class Residuals:
    """The errors of one frame's log depth at some cells; float64 [n] each.

    Attributes
    ----------
    x, y : column and row.
    predicted : log depth.
    residual : true minus predicted log depth.
    width : of the grid, cells.
    """

    x: np.ndarray
    y: np.ndarray
    predicted: np.ndarray
    residual: np.ndarray
    width: int


def residuals_of(
    log_depth: np.ndarray, truth: np.ndarray, rng: np.random.Generator
) -> Residuals | None:
    """Return the residuals of a frame at random cells; None if too few cells have ground truth.

    Parameters
    ----------
    log_depth, truth : float32 [height, width], ln metres, NaN where there is none.
    rng : chooses the cells.
    """
    rows, columns = np.nonzero(np.isfinite(log_depth) & np.isfinite(truth))
    if len(rows) < POINTS:
        return None
    some = rng.choice(len(rows), POINTS, replace=False)
    rows, columns = rows[some], columns[some]
    predicted = log_depth[rows, columns].astype(np.float64)
    residual = truth[rows, columns] - predicted
    return Residuals(columns.astype(float), rows.astype(float), predicted, residual, truth.shape[1])


def fit_prior(frames: Sequence[Residuals], start: Prior | None = None) -> Prior:
    """Return the prior with the greatest marginal likelihood (Rasmussen and Williams 2006, 5.4.1).

    Parameters
    ----------
    frames : at least one; all have the same weight.
    start : of the search; None: the default.
    """
    first = start or Prior(0.3, 0.2, 25.0, 0.3)
    best = np.array([first.sg, first.sl, first.ell, first.tau])
    least = _misfit(best, frames)
    for step in _STEPS:
        better = True
        while better:
            better = False
            for place in range(len(best)):
                for factor in (step, 1 / step):
                    trial = best.copy()
                    trial[place] *= factor
                    trial = np.clip(trial, _LOWEST, _HIGHEST)
                    misfit = _misfit(trial, frames)
                    if misfit < least - 1e-4:
                        best, least, better = trial, misfit, True
    return Prior(*(round(float(value), 3) for value in best))


def _misfit(values: np.ndarray, frames: Sequence[Residuals]) -> float:
    """Return the negative log marginal likelihood per point, mean over frames."""
    prior = Prior(*(float(value) for value in values))
    total = 0.0
    for frame in frames:
        middle = np.median(frame.predicted)
        features = prior.features(frame.x, frame.y, frame.predicted - middle, frame.width)
        covariance = prior.local(features, features) + prior.sg**2
        covariance[np.diag_indices_from(covariance)] += NETWORK_NOISE**2
        root = np.linalg.cholesky(covariance)
        white = np.linalg.solve(root, frame.residual)
        total += (white @ white / 2 + np.log(np.diag(root)).sum()) / len(white)
    return total / len(frames)
