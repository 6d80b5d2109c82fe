# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measures each frame of a sequence by the frames before it, and how right that is."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from msdepth_ros.datasets import Frame
from msdepth_ros.inference.frame import FrameGeometry
from msdepth_ros.inference.measured_views import measure_views
from msdepth_ros.metric.sparse_depth import SparseDepth
from msdepth_ros.metric.views import Views

_WITHIN = 0.05, 0.15  # bounds of the relative error


@dataclass(frozen=True)
class PointErrors:
    """How many points the earlier views gave, and how right they are.

    Attributes
    ----------
    points : mean number of points per frame.
    without : share of the frames without any point.
    within_5, within_15 : of the points with a true depth, the share within 5 % and within 15 % of
        it.
    over_sigma : the 68th percentile of the error of ln(depth), divided by its estimated standard
        deviation; 1 if that estimate is right.
    p50, p95 : processor time of one thread that a frame took, milliseconds; with --threads 1 that
        of one core.
    memory : of the kept views at most, megabytes.
    """

    points: float
    without: float
    within_5: float
    within_15: float
    over_sigma: float
    p50: float
    p95: float
    memory: float

    def document(self) -> dict[str, Any]:
        """Return everything as plain values, rounded to four decimals."""
        return {name: round(value, 4) for name, value in vars(self).items()}

    def lines(self) -> str:
        """Return all of it in two lines of text."""
        return (
            f'views: {self.points:.0f} points a frame, none in {100 * self.without:.0f} % of the '
            f'frames; {100 * self.within_5:.0f} % of them within 5 % of the truth and '
            f'{100 * self.within_15:.0f} % within 15 %; 68 % within {self.over_sigma:.2f} of the '
            f'estimated standard deviations\nviews: {self.p50:.1f} ms of a thread at p50, '
            f'{self.p95:.1f} ms at p95; {self.memory:.2f} MB of memory'
        )


class EarlierViews:
    """Measures the frames of a dataset, in order, by the frames before them in the same scene."""

    def __init__(self) -> None:
        self._views = Views()
        self._scene: str | None = None
        self._counts: list[int] = []
        self._errors: list[np.ndarray] = []
        self._scores: list[np.ndarray] = []
        self._times: list[float] = []
        self._memory = 0

    def measure(
        self,
        frame: Frame,
        depth: np.ndarray,
        metric: bool,
        geometry: FrameGeometry,
        image: np.ndarray,
    ) -> list[SparseDepth]:
        """Return the points that earlier frames give; parameters as in `measure_views`."""
        if frame.scene != self._scene:
            self._views.clear()
            self._scene = frame.scene
        found = None
        if frame.pose is not None:
            start = time.thread_time()
            found = measure_views(self._views, depth, metric, geometry, image, frame.pose)
            self._times.append(time.thread_time() - start)
            self._memory = max(self._memory, self._views.memory)
        self._counts.append(0 if found is None else len(found))
        if found is None:
            return []
        rows, columns = np.rint(found.v).astype(np.intp), np.rint(found.u).astype(np.intp)
        height, width = frame.depth.shape
        truth = frame.depth[rows.clip(0, height - 1), columns.clip(0, width - 1)]
        known = truth > 0
        ratio = found.depth[known] / truth[known]
        self._errors.append(np.abs(ratio - 1))
        self._scores.append(np.abs(np.log(ratio)) / found.sigma[known])
        return [found]

    def errors(self) -> PointErrors:
        """Return how many points there were in all frames, and how right they are."""
        counts = np.array(self._counts or [0])
        errors, scores = (
            np.concatenate([np.zeros(0), *each]) for each in (self._errors, self._scores)
        )
        close, fair = (float((errors < bound).mean()) if errors.size else 0.0 for bound in _WITHIN)
        p50, p95 = np.percentile(self._times or [0.0], [50, 95]) * 1e3
        return PointErrors(
            points=float(counts.mean()),
            without=float((counts == 0).mean()),
            within_5=close,
            within_15=fair,
            over_sigma=float(np.percentile(scores, 68)) if scores.size else 0.0,
            p50=float(p50),
            p95=float(p95),
            memory=self._memory / 1e6,
        )
