# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Aligns depth with measurements: a Gaussian process over the error of a prediction's log depth.

The prediction m(x) is the mean of the process, `Prior` its covariance, and the measured log depths
are its observations (Rasmussen and Williams 2006, chapter 2). Its constant part is the alpha of the
scale-invariant error, computed from measurements instead of the ground truth. Its local part
corrects the rest. Its posterior gives the standard deviation of each cell. It needs no training and
works with any network.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from msdepth_ros.geometry.pinhole import Grid
from msdepth_ros.metric.detail import detail
from msdepth_ros.metric.median import median
from msdepth_ros.metric.points import NETWORK_NOISE, Points, choose, points_on, resized
from msdepth_ros.metric.prior import Prior
from msdepth_ros.metric.sparse_depth import SparseDepth

MOST_POINTS = 100  # measurements in the exact solution; further ones add detail
_LEAST_NOISE = 0.005  # least standard deviation of ln(depth) of a sensor
_FREEDOM = 6  # degrees of freedom of Student's t
_ROUNDS = 3
_LEAST_FOR_LAPACK = 100  # rows
_COARSE_WIDTH = 32  # cells across the image that the process is evaluated at


@dataclass(frozen=True)
class Scale:
    """The log scale of a whole image, its mean and variance; mean 0 is the prediction."""

    mean: float
    variance: float


class Alignment:
    """Aligns predictions of one network with measurements.

    Parameters
    ----------
    prior : the expected error of that network; None: the default.
    """

    def __init__(self, prior: Prior | None = None) -> None:
        self.prior = prior or Prior()

    def align(
        self, log_depth: np.ndarray, cells: Grid, sparse: Sequence[SparseDepth]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Align one prediction.

        Parameters
        ----------
        log_depth : float32 [height, width], ln metres; NaN where there is none.
        cells : its cells, in pixels of the rectified camera image.
        sparse : the measurements, of any number of sources.

        Returns
        -------
        (log depth, its standard deviation), float32 [height, width] each. Without a usable
        measurement the log depth is `log_depth` itself.
        """
        fit = self.fit(log_depth, cells, sparse)
        return log_depth + fit.correction() if len(fit.points) else log_depth, fit.spread()

    def fit(
        self,
        log_depth: np.ndarray,
        cells: Grid,
        sparse: Sequence[SparseDepth],
        scale: Scale | None = None,
    ) -> 'Fit':
        """Fit the process to the measurements.

        Parameters
        ----------
        log_depth, cells, sparse : see `align`.
        scale : the expected log scale of the image; None: that of the prior.
        """
        points = points_on(log_depth, cells, sparse)
        chosen = points[choose(points, self.prior, log_depth.shape[1], MOST_POINTS)]
        before = scale or Scale(0.0, self.prior.sg**2)
        return Fit(self.prior, log_depth, before, points, chosen)

    def chosen(self, log_depth: np.ndarray, cells: Grid, sparse: Sequence[SparseDepth]) -> Points:
        """Return the measurements of the exact solution, at most MOST_POINTS."""
        points = points_on(log_depth, cells, sparse)
        return points[choose(points, self.prior, log_depth.shape[1], MOST_POINTS)]


class Fit:
    """The Gaussian process of one image.

    Attributes
    ----------
    points : the measurements on the grid.
    chosen : those of them in the exact solution.
    weights : float64 [chosen], near 1 for those that agree with the others and the prior.
    scale : the image's log scale after the measurements.
    """

    def __init__(
        self, prior: Prior, log_depth: np.ndarray, before: Scale, points: Points, chosen: Points
    ) -> None:
        self._prior, self._log_depth, self._before = prior, log_depth, before
        self.points, self.chosen = points, chosen
        self._centre = median(chosen.predicted) if len(chosen) else 0.0
        self._features = self._featured(chosen.x, chosen.y, chosen.predicted)
        features = self._features.astype(np.float64)
        self._covariance = prior.local(features, features)
        solved = _solve(self._covariance, chosen, before, prior.sl**2)
        self.weights, self._inverse, self._solution, self.scale = solved

    def scale_by(self, some: np.ndarray, before: Scale) -> Scale:
        """Return the image's log scale by only `some`, bool [chosen], of the measurements."""
        covariance = self._covariance[np.ix_(some, some)]
        return _solve(covariance, self.chosen[some], before, self._prior.sl**2)[-1]

    def _featured(self, x: np.ndarray, y: np.ndarray, m: np.ndarray) -> np.ndarray:
        return self._prior.features(x, y, m - np.float32(self._centre), self._log_depth.shape[1])

    def correction(self) -> np.ndarray:
        """Return the correction of each cell's log depth, float32 [height, width]."""
        return self.local() + np.float32(self.scale.mean)

    def local(self) -> np.ndarray:
        """Return the correction without that of the whole image, float32 [height, width]."""
        return self._smooth if self._detail is None else self._smooth + self._detail[0]

    def spread(self) -> np.ndarray:
        """Return the standard deviation of the corrected log depth, float32 [height, width]."""
        shape = self._log_depth.shape
        free = np.float32(self._before.variance + self._prior.sl**2)
        if not len(self.chosen):
            return np.full(shape, (free + NETWORK_NOISE**2) ** 0.5, np.float32)
        cells = self._coarse
        known = cells.far + cells.near + np.float32(self._before.variance)
        explained = np.einsum('ck,ck->c', known @ self._inverse.astype(np.float32), known)
        variance = np.maximum(free - explained, 0) + np.float32(NETWORK_NOISE**2)
        wide = resized(variance.reshape(cells.shape), shape)
        return np.sqrt(wide if self._detail is None else 1 / (1 / wide + self._detail[1]))

    @functools.cached_property
    def _smooth(self) -> np.ndarray:
        """The local correction from the chosen measurements, float32 [height, width]."""
        shape = self._log_depth.shape
        if not len(self.chosen):
            return np.zeros(shape, np.float32)
        cells, solution = self._coarse, self._solution.astype(np.float32)
        far = cells.far @ solution
        # At depth edges the far term differs between near cells: it follows the log depth there.
        slope = cells.far @ (solution * self._features[:, 2]) - far * cells.m
        value, slope, m = (
            resized(field.reshape(cells.shape), shape)
            for field in (far + cells.near @ solution, slope, cells.m)
        )
        own = (self._log_depth - np.float32(self._centre)) / np.float32(self._prior.tau)
        return value + slope * np.clip(own - m, -1, 1)

    @functools.cached_property
    def _detail(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The correction from the measurements that were not chosen, and its precision."""
        if len(self.points) == len(self.chosen):
            return None
        rows, columns = self.points.cells()
        left = self.points.residual - self.scale.mean - self._smooth[rows, columns]
        noise = np.maximum(self.points.noise - NETWORK_NOISE**2, _LEAST_NOISE**2)
        return detail(self._log_depth.shape, rows, columns, left, noise)

    @functools.cached_property
    def _coarse(self) -> '_Coarse':
        """What is computed at some of the cells and interpolated between them."""
        height, width = self._log_depth.shape
        step = max(round(width / _COARSE_WIDTH), 1)
        rows, columns = np.arange(step // 2, height, step), np.arange(step // 2, width, step)
        m = self._log_depth[rows[:, None], columns]
        m = np.where(np.isfinite(m), m, np.float32(self._centre))  # for the cells around it
        y, x = np.meshgrid(rows.astype(np.float32), columns.astype(np.float32), indexing='ij')
        features = self._featured(x.ravel(), y.ravel(), m.ravel())
        far, near = self._prior.local_parts(features, self._features)
        return _Coarse(m.shape, features[:, 2], far, near)


@dataclass(frozen=True)
class _Coarse:
    """Some cells of a grid, and their covariance with the chosen measurements.

    Attributes
    ----------
    shape : how many cells high and wide, n together.
    m : float32 [n], log depth as in `Prior.features`.
    far, near : float32 [n, chosen], see `Prior.local_parts`.
    """

    shape: tuple[int, ...]
    m: np.ndarray
    far: np.ndarray
    near: np.ndarray


def raised_noise(noise: np.ndarray, others: np.ndarray | float, off: np.ndarray) -> np.ndarray:
    """Return the noise of measurements, raised where they differ from what the others predict.

    `off` is that difference, with the variance noise + others.
    """
    return noise + excess_variance(noise + others, off)


def excess_variance(variance: np.ndarray | float, off: np.ndarray | float) -> np.ndarray:
    """Return what to add to the variance of a difference that is larger than this lets expect.

    The variance is divided by the squared weight of Student's t for such a difference.
    """
    weights = np.minimum(1.0, (_FREEDOM + 1) / (_FREEDOM + off**2 / variance)) ** 2
    return np.asarray(variance * (1 / weights - 1))


def _solve(
    local: np.ndarray, points: Points, before: Scale, free: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Scale]:
    """Solve (K + N) a = r, with Student's t as the noise.

    A measurement far from what the others predict for it (its leave-one-out residual, Rasmussen and
    Williams, section 5.4.2) has its noise raised, from round to round. The first round starts from
    the median, which a third of wrong measurements moves little.

    Parameters
    ----------
    local : float64 [n, n], the local part of K.
    before : the image's log scale without the measurements.
    free : variance of the local part where nothing is measured.

    Returns
    -------
    The measurements' weights [n], the inverse of K + N [n, n], a [n], and the image's log scale.
    """
    if not len(points):
        nothing = np.zeros(0)
        return nothing, np.zeros((0, 0)), nothing, before
    noise, residual = points.noise, points.residual - before.mean
    covariance = local + before.variance
    diagonal = covariance.ravel()[:: len(noise) + 1]  # a view
    own = diagonal.copy()
    raised = raised_noise(noise, free, residual - median(residual))
    for turn in range(_ROUNDS):
        diagonal[:] = own + raised
        inverse = _inverse(covariance)
        solution = inverse @ residual
        if turn < _ROUNDS - 1:
            precision = inverse.diagonal()
            raised = raised_noise(
                noise, np.maximum(1 / precision - raised, 0), solution / precision
            )
    variance = before.variance
    scale = Scale(
        float(before.mean + variance * solution.sum()),
        float(max(variance - variance**2 * inverse.sum(), 1e-8)),
    )
    return noise / raised, inverse, solution, scale


def _inverse(covariance: np.ndarray) -> np.ndarray:
    """Return the inverse of a covariance, float64 [n, n], by what is fastest for its size.

    OpenCV gives matrices of 100 rows and more to LAPACK's Cholesky; smaller ones it decomposes
    itself, in four times the time of NumPy's general inverse.
    """
    if len(covariance) < _LEAST_FOR_LAPACK:
        return np.linalg.inv(covariance)
    return cv2.invert(covariance, flags=cv2.DECOMP_CHOLESKY)[1]
