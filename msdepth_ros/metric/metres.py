# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Depth of one camera in metres: from the network, and from measurements now and before."""

import collections
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from msdepth_ros.geometry.pinhole import Grid
from msdepth_ros.metric.alignment import Alignment, Fit, Scale
from msdepth_ros.metric.filter import ScaleFilter
from msdepth_ros.metric.median import median
from msdepth_ros.metric.offsets import Offset, Offsets
from msdepth_ros.metric.prior import Prior
from msdepth_ros.metric.relative import Anchor, find_anchor
from msdepth_ros.metric.sparse_depth import SparseDepth

_LEAST_WEIGHT = 0.25  # least weight of a measurement that counts as used
_COARSE = 8  # cells; every 8th is compared to find changes of the view


@dataclass(frozen=True)
class Aligned:
    """One frame's depth after the alignment.

    Attributes
    ----------
    log_depth, std : float32 [height, width], ln metres and its standard deviation.
    scale : log scale of the whole image that was applied.
    measured : whether measurements, now or within the hold, decide it; otherwise the network.
    used : number of used measurements of each source.
    rejected : number of rejected measurements of each source and cause: 'disagrees' (with others),
        'contradicts' (the scale that is held).
    measurements : float32 [n, 4], at most 100: column and row in cells, metres along Z, and 1 for a
        used one, 0 for a rejected one.
    offsets : common errors of sources, as estimated from other sources; those sources were
        corrected by them.
    """

    log_depth: np.ndarray
    std: np.ndarray
    scale: Scale
    measured: bool
    used: dict[str, int] = field(default_factory=dict)
    rejected: dict[tuple[str, str], int] = field(default_factory=dict)
    measurements: np.ndarray = field(default_factory=lambda: np.empty((0, 4), np.float32))
    offsets: dict[str, Offset] = field(default_factory=dict)


class Metres:
    """Aligns a camera's frames, one after the other.

    Parameters
    ----------
    prior : of the network; None: the default.
    kind : of the network's depth: 'metric'; 'scale', up to a factor; or 'affine', inverse depth up
        to factor and shift.
    hold : seconds that the scale is kept after the last measurement; None: frames are independent.
    """

    def __init__(
        self, prior: Prior | None = None, kind: str = 'metric', hold: float | None = None
    ) -> None:
        self.kind = kind
        self._alignment = Alignment(prior)
        self._offsets = Offsets(self._alignment.prior)
        self._filter = None
        if hold is not None:
            self._filter = ScaleFilter(self._alignment.prior.sg**2, hold)
        self._anchor: Anchor | None = None
        self._before: np.ndarray | None = None

    @property
    def hold(self) -> float:
        """Seconds that the scale is kept after the last measurement."""
        return 0.0 if self._filter is None else self._filter.hold

    @hold.setter
    def hold(self, seconds: float) -> None:
        if self._filter is not None:
            self._filter.hold = seconds

    def align(
        self, depth: np.ndarray, cells: Grid, sparse: Sequence[SparseDepth], now: float = 0.0
    ) -> Aligned | None:
        """Align one frame.

        Parameters
        ----------
        depth : float32 [height, width], the network's depth, in metres or relative.
        cells : its cells, in pixels of the rectified camera image.
        sparse : the measurements for this frame.
        now : the frame's time, seconds.

        Returns
        -------
        The aligned depth. None if nothing was measured, now or within the hold: then the network's
        depth stays unchanged, and is metric only if the network is.
        """
        nothing = not any(len(part) for part in sparse)
        if self.kind == 'metric' and nothing and self._idle(now):
            return None
        with np.errstate(divide='ignore', invalid='ignore'):
            log_depth = np.log(depth)
        log_depth[~np.isfinite(log_depth)] = np.nan
        if self.kind != 'metric':
            points = self._alignment.chosen(log_depth, cells, sparse)
            found = find_anchor(self.kind, points)
            lasting = self._filter is not None and self._filter.age(now) <= self._filter.hold
            self._anchor = found or (self._anchor if lasting else None)
            if self._anchor is None:
                return None
            log_depth = self._anchor.log_depth(depth)
        if self._filter is None:
            self._offsets.forget()
        sparse, shared, changed = self._offsets.correct(log_depth, cells, sparse, now)
        offsets = dict(self._offsets.known)
        if self._filter is None:
            fit = self._alignment.fit(log_depth, cells, sparse)
            scale = Scale(fit.scale.mean, fit.scale.variance + shared**2)
            return _aligned(log_depth, fit, scale, bool(len(fit.chosen)), sparse, offsets)
        self._filter.correct(-changed)
        before = self._filter.predict(now, self._change(log_depth))
        fit, believed, contradicting = self._fit(log_depth, cells, sparse, before)
        if len(fit.chosen):
            self._filter.update(fit.scale, shared)
        scale = self._filter.publish()
        applies = self._filter.informed or scale.mean != 0
        aligned = _aligned(log_depth, fit, scale, applies, believed, offsets)
        for part in contradicting:
            aligned.rejected[part.source, 'contradicts'] = len(part)
        return aligned

    def _idle(self, now: float) -> bool:
        """Return whether no earlier measurement decides the scale of this frame."""
        if self._filter is None:
            return True
        self._before = None if not self._filter.informed else self._before
        return self._filter.skip(now)

    def _fit(
        self,
        log_depth: np.ndarray,
        cells: Grid,
        sparse: Sequence[SparseDepth],
        before: Scale,
    ) -> tuple[Fit, Sequence[SparseDepth], list[SparseDepth]]:
        """Fit the sources that do not contradict the held scale; return these and the rest."""
        assert self._filter is not None
        fit = self._alignment.fit(log_depth, cells, sparse, before)
        if not self._filter.informed or not len(fit.chosen):
            return fit, sparse, []
        wrong = [self._contradicts(fit, index, before) for index in range(len(sparse))]
        if not any(wrong):
            return fit, sparse, []
        good = [part for part, bad in zip(sparse, wrong, strict=True) if not bad]
        rest = [part for part, bad in zip(sparse, wrong, strict=True) if bad]
        return self._alignment.fit(log_depth, cells, good, before), good, rest

    def _contradicts(self, fit: Fit, index: int, before: Scale) -> bool:
        """Return whether the scale by one source alone contradicts the held one."""
        assert self._filter is not None
        own = fit.chosen.source == index
        if not own.any():
            return False
        # First what is quick: with nothing else in doubt the median would have to contradict.
        if not self._filter.contradicts(Scale(median(fit.chosen.residual[own]), 0.0)):
            return False
        free = Scale(before.mean, self._alignment.prior.sg**2)
        return self._filter.contradicts(fit.scale_by(own, free))

    def _change(self, log_depth: np.ndarray) -> float:
        """Return the median change of the predicted log depth since the last frame."""
        now = log_depth[_COARSE // 2 :: _COARSE, _COARSE // 2 :: _COARSE]
        last, self._before = self._before, now
        if last is None or last.shape != now.shape:
            return 0.0
        change = np.abs(now - last)
        known = change[np.isfinite(change)]
        return median(known) if known.size else 0.0


def _aligned(
    log_depth: np.ndarray,
    fit: Fit,
    scale: Scale,
    measured: bool,
    sparse: Sequence[SparseDepth],
    offsets: dict[str, Offset],
) -> Aligned:
    used: dict[str, int] = collections.Counter()
    rejected: dict[tuple[str, str], int] = collections.Counter()
    believed = fit.weights >= _LEAST_WEIGHT
    share = len(fit.points) / max(len(fit.chosen), 1)
    for index, part in enumerate(sparse):
        own = fit.chosen.source == index
        if own.any():
            used[part.source] += round(share * int(believed[own].sum()))
            disagree = round(share * int((~believed[own]).sum()))
            if disagree:
                rejected[part.source, 'disagrees'] += disagree
    if len(fit.chosen):
        corrected = log_depth + (fit.local() + np.float32(scale.mean))
    else:
        corrected = log_depth + np.float32(scale.mean) if scale.mean else log_depth
    more = np.float32(max(scale.variance - fit.scale.variance, 0.0))
    std = fit.spread()
    std = np.sqrt(std**2 + more) if more else std
    chosen = fit.chosen
    metres = np.exp(chosen.predicted + chosen.residual)
    measurements = np.stack([chosen.x, chosen.y, metres, believed], axis=-1).astype(np.float32)
    counts = dict(used), dict(rejected)
    return Aligned(corrected, std, scale, measured, *counts, measurements, offsets)
