# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The error that all points of a source share, such as that of wrong odometry.

It is estimated from the other sources.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from msdepth_ros.geometry.pinhole import Grid
from msdepth_ros.metric.alignment import Scale, excess_variance, raised_noise
from msdepth_ros.metric.points import choose, points_on
from msdepth_ros.metric.prior import Prior
from msdepth_ros.metric.sparse_depth import SparseDepth

_MOST_POINTS = 35  # of the source, and of the others
_FREE = 1.0  # standard deviation of an offset while it is looked for
_FORGETTING = 0.01  # standard deviation of an offset after a second
_LEAST = 0.01  # standard deviation that is always left
_BEYOND = 2.0  # standard deviations, of the stated and of the estimated uncertainty
_ALIKE = 1.0  # seconds in which the network's errors of shape are the same


@dataclass(frozen=True)
class Offset:
    """ln(measured / true) that all points of a source share.

    Attributes
    ----------
    scale : the estimate and its variance.
    beyond : whether it is larger than the uncertainty that the source states.
    """

    scale: Scale
    beyond: bool


class Offsets:
    """Corrects the common error of sources with an uncertain scale (`SparseDepth.shared`).

    It is estimated while another source also measures, and kept afterwards.

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
                first = part.source not in self.known
                offset = _joined(before, found, first, min(passed / _ALIKE, 1.0))
                spread = math.hypot(part.shared, math.sqrt(offset.variance))
                beyond = abs(offset.mean) > _BEYOND * spread
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
        return Scale(known.scale.mean, min(variance, max(known.scale.variance, part.shared**2)))


def apart(
    prior: Prior,
    log_depth: np.ndarray,
    cells: Grid,
    part: SparseDepth,
    others: Sequence[SparseDepth],
) -> Scale:
    """Return the offset of one source from the others, by one frame alone.

    The Gaussian process of `alignment`, in which the points of that source share an offset of their
    own (generalised least squares). Points count less that differ from what all others tell of
    them, the offset included. The variance is multiplied by chi^2 per degree of freedom where that
    is above 1: then the predicted shape is wrong by more than the prior says.
    """
    width = log_depth.shape[1]
    sides = [points_on(log_depth, cells, side) for side in ([part], others)]
    sides = [points[choose(points, prior, width, _MOST_POINTS)] for points in sides]
    if not all(map(len, sides)):
        return Scale(0.0, _FREE**2)
    share = np.repeat([1.0, 0.0], [len(points) for points in sides])
    x, y, m, residual, noise = (
        np.concatenate([getattr(points, name) for points in sides])
        for name in ('x', 'y', 'predicted', 'residual', 'noise')
    )
    features = prior.features(x, y, m - m.mean(), width).astype(np.float64)
    free = prior.local(features, features) + prior.sg**2
    given = noise
    for last in (False, True):
        inverse = np.linalg.inv(free + np.diag(given))
        projected = share @ inverse
        variance = 1 / (1 / _FREE**2 + projected @ share)
        offset = variance * (projected @ residual)
        left = residual - offset * share
        weighed = inverse @ left
        if not last:
            precision = inverse.diagonal()
            given = raised_noise(noise, np.maximum(1 / precision - noise, 0), weighed / precision)
    misfit = max(float(left @ weighed) / (len(left) - 1), 1.0)
    return Scale(float(offset), max(float(variance) * misfit, _LEAST**2))


def _joined(before: Scale, found: Scale, first: bool, news: float) -> Scale:
    """Return what is believed after a frame.

    With Student's t, the first frame may show that the source's stated uncertainty is wrong. Later,
    one deviating frame is taken as an outlier, until several frames agree. `news` : the share of
    the frame that is independent of the frames before; frames of the same view have the same errors
    of the network.
    """
    off = found.mean - before.mean
    old, new = before.variance, found.variance
    more = float(excess_variance(old + new, off))
    if first:
        old += more
    else:
        old, new = old + news * more, (new + more) / max(news, 1e-3)
    gain = old / (old + new)
    return Scale(before.mean + gain * off, max((1 - gain) * old, _LEAST**2))
