# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a source is off by as a whole, as odometry that lies, told by the sources beside it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from msdepth_ros.geometry.pinhole import Grid
from msdepth_ros.metric.alignment import Fit, Scale
from msdepth_ros.metric.points import Points, choose, points_on
from msdepth_ros.metric.prior import Prior
from msdepth_ros.metric.sparse_depth import SparseDepth

_MOST_POINTS = 35  # of the source, and of the others
_FREEDOM = 6  # degrees of freedom of Student's t
_FREE = 1.0  # standard deviation of an offset while it is looked for
_FORGETTING = 0.01  # standard deviation of an offset after a second
_LEAST = 0.01  # standard deviation that is always left
_BEYOND = 2.0  # standard deviations that a source promised


@dataclass(frozen=True)
class Offset:
    """ln(measured / true) that all points of a source share.

    Attributes
    ----------
    scale : as it is believed to be.
    beyond : whether it is more than the source promised.
    """

    scale: Scale
    beyond: bool


class Offsets:
    """Takes away what sources of an uncertain scale (`SparseDepth.shared`) are off by.

    While another source measures too, it tells the offset; what was learned of it stays.

    Attributes
    ----------
    known : the offsets that were learned, by the sources' names.
    """

    def __init__(self, prior: Prior) -> None:
        self._prior = prior
        self.known: dict[str, Offset] = {}
        self.forget()

    def forget(self) -> None:
        """Forget all that was learned, as when time went back."""
        self._time = -math.inf
        self.known.clear()

    def correct(
        self, log_depth: np.ndarray, cells: Grid, sparse: Sequence[SparseDepth], now: float
    ) -> tuple[list[SparseDepth], float, float]:
        """Correct what was measured of a frame.

        Parameters
        ----------
        log_depth : float32 [height, width], ln metres as predicted.
        cells : where its cells lie in the rectified camera image.
        sparse : what was measured.
        now : the frame's time, seconds.

        Returns
        -------
        The sources, corrected; the standard deviation of ln(depth) that all of them share, 0 if one
        of them shares none; and by how much an offset that was believed before has changed.
        """
        if now < self._time:
            self.forget()
        passed, self._time = now - self._time, now
        corrected, left, changed = [], [], 0.0
        for part in sparse:
            if not part.shared or not len(part):
                corrected.append(part)
                left += [0.0] * bool(len(part))
                continue
            before = self._before(part, passed)
            others = [other for other in sparse if other is not part and len(other)]
            offset = before
            if others:
                found = apart(self._prior, log_depth, cells, part, others)
                offset = _joined(before, found, part.source not in self.known)
                beyond = abs(offset.mean) > _BEYOND * part.shared
                self.known[part.source] = Offset(offset, beyond)
                changed = offset.mean - before.mean
            factor = np.float32(math.exp(-offset.mean))
            corrected.append(replace(part, depth=part.depth * factor))
            left.append(math.sqrt(offset.variance))
        return corrected, min(left, default=0.0), changed

    def _before(self, part: SparseDepth, passed: float) -> Scale:
        known = self.known.get(part.source)
        if known is None:
            return Scale(0.0, part.shared**2)
        variance = known.scale.variance + _FORGETTING**2 * passed
        return Scale(known.scale.mean, min(variance, part.shared**2))


def apart(
    prior: Prior,
    log_depth: np.ndarray,
    cells: Grid,
    part: SparseDepth,
    others: Sequence[SparseDepth],
) -> Scale:
    """Return the offset of one source from the others, by one frame alone.

    The Gaussian process of `alignment`, in which the points of that source share an offset of their
    own (generalised least squares); outliers among each side's own points count as little as there.
    """
    width = log_depth.shape[1]
    sides = [_chosen(prior, log_depth, cells, side) for side in ([part], others)]
    if not all(len(points) for points, _ in sides):
        return Scale(0.0, _FREE**2)
    share = np.repeat([1.0, 0.0], [len(points) for points, _ in sides])
    noise = np.concatenate([noise for _, noise in sides])
    x, y, m, residual = (
        np.concatenate([getattr(points, name) for points, _ in sides])
        for name in ('x', 'y', 'predicted', 'residual')
    )
    features = prior.features(x, y, m - m.mean(), width).astype(np.float64)
    covariance = prior.local(features, features) + prior.sg**2 + np.diag(noise)
    told = np.linalg.solve(covariance, np.column_stack([share, residual]))
    precision = 1 / _FREE**2 + float(share @ told[:, 0])
    return Scale(float(share @ told[:, 1]) / precision, max(1 / precision, _LEAST**2))


def _chosen(
    prior: Prior, log_depth: np.ndarray, cells: Grid, sparse: Sequence[SparseDepth]
) -> tuple[Points, np.ndarray]:
    """Return some points that stand for all of some sources, and their noise, raised by outliers.

    The noise is the variance of ln(depth), float64 [n].
    """
    points = points_on(log_depth, cells, sparse)
    chosen = points[choose(points, prior, log_depth.shape[1], _MOST_POINTS)]
    fit = Fit(prior, log_depth, Scale(0.0, prior.sg**2), chosen, chosen)
    return chosen, chosen.noise / fit.weights


def _joined(before: Scale, found: Scale, first: bool) -> Scale:
    """Return what is believed after a frame.

    By Student's t the first frame may show a promise to be a plain lie; later on it is a frame
    that may be wrong.
    """
    off = found.mean - before.mean
    old, new = before.variance, found.variance
    total = old + new
    weight = min(1.0, (_FREEDOM + 1) / (_FREEDOM + off**2 / total)) ** 2
    more = total * (1 / weight - 1)
    old, new = (old + more, new) if first else (old, new + more)
    gain = old / (old + new)
    return Scale(before.mean + gain * off, max((1 - gain) * old, _LEAST**2))
