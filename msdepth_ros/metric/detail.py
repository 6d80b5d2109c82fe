# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Detail from many measurements: residuals averaged over neighbouring cells."""

import cv2
import numpy as np

_SCALES = ((4.0, 0.08), (1.5, 0.06), (0.6, 0.1))  # cells, and standard deviation of ln(depth)
_FREEDOM = 2
_ROUNDS = 3
_NEIGHBOURS = 1.0  # cells
_CROWD = 2.0  # least number of neighbours, of at most 5.3, that outweigh the surroundings


def detail(
    shape: tuple[int, int],
    rows: np.ndarray,
    columns: np.ndarray,
    residual: np.ndarray,
    noise: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Spread residuals over neighbouring cells, from the coarsest scale to single cells.

    At each scale a cell's correction is the mean of the residuals around it, weighted by precision
    and by distance, with a prior of 0 (normalised convolution, Knutsson and Westin 1993). At the
    coarsest scale, cells that disagree with their surroundings lose weight, as in `alignment`. If
    most of a cell's neighbours disagree with them, too, they are not outliers but a separate
    object, such as a chair leg, and the finer scales show it.

    Parameters
    ----------
    shape : (height, width) of the grid.
    rows, columns : int [n], cells.
    residual, noise : float64 [n], remaining error of log depth, and its variance.

    Returns
    -------
    (correction of log depth, its precision), float32 [height, width] each.
    """
    whole = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    if len(rows):
        reach = _reach(_SCALES[0][0])  # beyond it the measurements tell nothing
        top, left = max(rows.min() - reach, 0), max(columns.min() - reach, 0)
        box = slice(top, rows.max() + reach + 1), slice(left, columns.max() + reach + 1)
        parts = _detail(whole[0][box].shape, rows - top, columns - left, residual, noise)
        whole[0][box], whole[1][box] = parts
    return whole


def _detail(
    shape: tuple[int, int],
    rows: np.ndarray,
    columns: np.ndarray,
    residual: np.ndarray,
    noise: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Do the work of `detail` on the part of the grid that it changes."""
    place = rows * shape[1] + columns
    size = shape[0] * shape[1]
    precision = np.bincount(place, 1 / noise, size).reshape(shape).astype(np.float32)
    total = np.bincount(place, residual / noise, size).reshape(shape).astype(np.float32)
    left = total / np.maximum(precision, np.float32(1e-6))
    (radius, spread), *finer = _SCALES
    trust = _agreement(left, precision, radius, spread)
    correction, around = _mean(left, precision * trust, radius, spread)
    doubted = precision * (1 - trust)
    near = _blurred(precision, _NEIGHBOURS) - precision
    share = (_blurred(doubted, _NEIGHBOURS) - doubted) / np.maximum(near, np.float32(1e-3))
    there = (precision > 0).astype(np.float32)
    crowd = _blurred(there, _NEIGHBOURS) - there
    believed = np.clip(10 * share - 5, 0, 1) * np.clip(crowd - _CROWD, 0, 1)
    weights = precision * np.maximum(trust, believed)
    for radius, spread in finer:
        step, around = _mean(left - correction, weights, radius, spread)
        correction += step
    return correction, around


def _agreement(left: np.ndarray, precision: np.ndarray, radius: float, spread: float) -> np.ndarray:
    """Return how much each cell agrees with those around it, from 0 to 1."""
    variance = np.float32(spread**2) + 1 / np.maximum(precision, np.float32(1e-6))
    weights = precision
    for _ in range(_ROUNDS):
        sums, around = _blurred(weights * left, radius), _blurred(weights, radius)
        others = (sums - weights * left) / (around - weights + np.float32(1 / spread**2))
        squares = (left - others) ** 2 / variance
        trust = np.minimum(1, (_FREEDOM + 1) / (_FREEDOM + squares)) ** 2
        weights = precision * trust
    return trust


def _mean(
    left: np.ndarray, weights: np.ndarray, radius: float, spread: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean around each cell with a prior of 0, and the precision there."""
    around = _blurred(weights, radius)
    return _blurred(weights * left, radius) / (around + np.float32(1 / spread**2)), around


def _blurred(field: np.ndarray, radius: float) -> np.ndarray:
    """Return each cell's sum over its neighbours, weighted by a Gaussian that is 1 at itself."""
    reach = _reach(radius)
    line = np.exp(
        -(np.arange(-reach, reach + 1, dtype=np.float32) ** 2) / np.float32(2 * radius**2)
    )
    return cv2.sepFilter2D(field, -1, line, line, borderType=cv2.BORDER_CONSTANT)


def _reach(radius: float) -> int:
    """Return how many cells on each side are neighbours."""
    return int(3 * radius + 0.5)
