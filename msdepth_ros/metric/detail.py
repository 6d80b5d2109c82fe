# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Detail from many measurements: residuals averaged over neighbouring cells."""

import functools
from dataclasses import dataclass

import cv2
import numpy as np

from msdepth_ros.metric.points import resized

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
    object, such as a chair leg, and the finer scales show it. The coarsest scale is computed on a
    grid of half the size, which is smooth enough.

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
        reach = _reach(_SCALES[0][0])  # beyond it the measurements have no effect
        top, left = (max(side.min() - reach, 0) // 2 * 2 for side in (rows, columns))
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
    precision = np.bincount(place, 1 / noise, size)
    total = np.bincount(place, residual / noise, size)
    cells = _Cells(shape, np.flatnonzero(precision))
    left = (total[cells.place] / precision[cells.place]).astype(np.float32)
    precision = precision[cells.place].astype(np.float32)
    (radius, spread), *finer = _SCALES
    halved = cells.halved()
    trust = _agreement(halved, left, precision, radius / 2, spread)
    correction, _ = halved.mean(left, precision * trust, radius / 2, spread)
    correction = resized(correction, (2 * halved.shape[0], 2 * halved.shape[1]))
    correction = correction[: shape[0], : shape[1]]
    doubted = precision * (1 - trust)
    near = cells.sums_at(precision, _NEIGHBOURS) - precision
    share = (cells.sums_at(doubted, _NEIGHBOURS) - doubted) / np.maximum(near, np.float32(1e-3))
    crowd = cells.sums_at(np.ones_like(trust), _NEIGHBOURS) - 1
    believed = np.clip(10 * share - 5, 0, 1) * np.clip(crowd - _CROWD, 0, 1)
    weights = precision * np.maximum(trust, believed)
    for radius, spread in finer:
        rest = left - correction.ravel()[cells.place]
        step, around = cells.mean(rest, weights, radius, spread)
        correction += step
    return correction, around


@dataclass(frozen=True)
class _Cells:
    """The measured cells of a grid.

    Attributes
    ----------
    shape : (height, width) of the grid.
    place : int [n], row * width + column.
    """

    shape: tuple[int, int]
    place: np.ndarray

    def halved(self) -> '_Cells':
        """Return the cells on a grid of half the size, on which several may share a place."""
        rows, columns = np.divmod(self.place, self.shape[1])
        height, width = ((side + 1) // 2 for side in self.shape)
        return _Cells((height, width), rows // 2 * width + columns // 2)

    def sums(self, values: np.ndarray, radius: float) -> np.ndarray:
        """Return the sum of values around each place of the grid, float32 [height, width].

        Parameters
        ----------
        values : float32 [n], of the cells.
        radius : of the Gaussian that weighs them, which is 1 at the place itself.
        """
        size = self.shape[0] * self.shape[1]
        field = np.bincount(self.place, values, size).astype(np.float32).reshape(self.shape)
        line = _gaussian(radius)
        return cv2.sepFilter2D(field, -1, line, line, borderType=cv2.BORDER_CONSTANT)

    def sums_at(self, values: np.ndarray, radius: float) -> np.ndarray:
        """Return those sums at the cells, float32 [n]."""
        return self.sums(values, radius).ravel()[self.place]

    def mean(
        self, values: np.ndarray, weights: np.ndarray, radius: float, spread: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean around each place with a prior of 0, and the sum of weights there."""
        around = self.sums(weights, radius)
        return self.sums(weights * values, radius) / (around + np.float32(1 / spread**2)), around


def _agreement(
    cells: _Cells, left: np.ndarray, precision: np.ndarray, radius: float, spread: float
) -> np.ndarray:
    """Return how much each cell agrees with those around it, from 0 to 1, float32 [n]."""
    variance = np.float32(spread**2) + 1 / precision
    weights = precision
    for _ in range(_ROUNDS):
        given = weights * left
        sums, around = cells.sums_at(given, radius), cells.sums_at(weights, radius)
        others = (sums - given) / (around - weights + np.float32(1 / spread**2))
        squares = (left - others) ** 2 / variance
        trust = np.minimum(1, (_FREEDOM + 1) / (_FREEDOM + squares)) ** 2
        weights = precision * trust
    return trust


@functools.lru_cache(maxsize=8)
def _gaussian(radius: float) -> np.ndarray:
    """Return the weights of a row of cells around one, float32."""
    steps = np.arange(-_reach(radius), _reach(radius) + 1, dtype=np.float32)
    return np.exp(-(steps**2) / np.float32(2 * radius**2))


def _reach(radius: float) -> int:
    """Return how many cells on each side are neighbours."""
    return int(3 * radius + 0.5)
