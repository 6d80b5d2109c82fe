# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measurements on a network's grid, and a choice of a few that represent all."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from msdepth_ros.geometry.pinhole import Grid
from msdepth_ros.metric.prior import Prior
from msdepth_ros.metric.sparse_depth import SparseDepth

NETWORK_NOISE = 0.03  # standard deviation of ln(depth), independent from cell to cell
_SMOOTH = 0.1  # largest difference of log depth within a surface
_COARSER = 1.15  # factor on the bins' size from one try to the next
_CANDIDATES = 1500


@dataclass(frozen=True)
class Points:
    """Measurements on the grid of a prediction; all arrays are [n].

    Attributes
    ----------
    x, y : float32, column and row in cells.
    predicted : float32, log depth of the prediction there.
    residual : float64, measured minus predicted log depth.
    noise : float64, variance of the residual from the sensor and the cell.
    source : int, index into the list of sparse depths.
    """

    x: np.ndarray
    y: np.ndarray
    predicted: np.ndarray
    residual: np.ndarray
    noise: np.ndarray
    source: np.ndarray

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, chosen: np.ndarray) -> 'Points':
        return Points(*(column[chosen] for column in vars(self).values()))

    def cells(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the row and the column of the cell nearest to each point, intp [n]."""
        return np.rint(self.y).astype(np.intp), np.rint(self.x).astype(np.intp)


def points_on(log_depth: np.ndarray, cells: Grid, sparse: Sequence[SparseDepth]) -> Points:
    """Return the measurements that lie on a prediction's grid, where it is not NaN.

    Parameters
    ----------
    log_depth : float32 [height, width], ln metres.
    cells : its cells, in pixels of the rectified camera image.
    sparse : the measurements.
    """
    usable = [part.usable() for part in sparse]
    columns = [
        np.concatenate([getattr(part, name) for part in usable] or [np.empty(0, np.float32)])
        for name in ('u', 'v', 'depth', 'sigma')
    ]
    u, v, depth, sigma = columns
    source = np.repeat(np.arange(len(usable)), [len(part) for part in usable])
    x = (u - np.float32(cells.origin[0])) / np.float32(cells.step[0])
    y = (v - np.float32(cells.origin[1])) / np.float32(cells.step[1])
    height, width = log_depth.shape
    inside = (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5)
    x, y, depth, sigma, source = (part[inside] for part in (x, y, depth, sigma, source))
    predicted = _at(log_depth, x, y)
    known = np.isfinite(predicted)
    residual = np.log(depth.astype(np.float64)) - predicted
    noise = np.square(sigma, dtype=np.float64) + NETWORK_NOISE**2
    return Points(x, y, predicted, residual, noise, source)[known]


def choose(points: Points, prior: Prior, width: int, most: int) -> np.ndarray:
    """Return the indices, [k], of at most `most` points that represent all of them.

    Image and log depth are divided into equal bins, of a size with about `most` bins that have
    points; each source has its own bins. In each bin the point with the median residual is chosen:
    it is not an outlier, unless most points of the bin are.

    Parameters
    ----------
    points : on the grid.
    prior : its distances set the proportions of the bins.
    width : of the grid, cells.
    most : largest number of points.
    """
    if len(points) <= most:
        return np.arange(len(points))
    candidates = np.arange(len(points))
    if len(points) > _CANDIDATES:
        candidates = np.linspace(0, len(points) - 1, _CANDIDATES).astype(np.intp)
    some = points[candidates]
    features = prior.features(some.x, some.y, some.predicted, width).T
    features = features - features.min(axis=1, keepdims=True)
    size = 0.1
    while True:
        column, row, layer = np.minimum(features / size, 1e5).astype(np.int64)
        bins = ((some.source * 100_003 + layer) * 100_003 + row) * 100_003 + column
        ordered = np.sort(bins)
        first = np.flatnonzero(np.diff(ordered, prepend=-1))
        if len(first) <= most:
            break
        size *= max(_COARSER, (len(first) / most) ** 0.33)
    order = np.lexsort((some.residual, bins))
    counts = np.diff(first, append=len(bins))
    return np.sort(candidates[order[first + (counts - 1) // 2]])


def _at(log_depth: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return log depth at (x, y): interpolated within a surface, else that of the nearest cell."""
    if not x.size:
        return np.empty(0, np.float32)
    nearest = log_depth[np.rint(y).astype(np.intp), np.rint(x).astype(np.intp)]
    left = np.clip(np.floor(x), 0, log_depth.shape[1] - 2).astype(np.intp)
    top = np.clip(np.floor(y), 0, log_depth.shape[0] - 2).astype(np.intp)
    right, down = x - left, y - top
    corners = [log_depth[top + j, left + i] for j in (0, 1) for i in (0, 1)]
    between = (corners[0] * (1 - right) + corners[1] * right) * (1 - down)
    between += (corners[2] * (1 - right) + corners[3] * right) * down
    smooth = np.max(corners, axis=0) - np.min(corners, axis=0) < _SMOOTH
    return np.where(smooth, between, nearest).astype(np.float32)


def resized(field: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return float32 [h, w] enlarged to `shape` by linear interpolation."""
    if field.shape == shape:
        return field
    return cv2.resize(field, shape[::-1], interpolation=cv2.INTER_LINEAR)
