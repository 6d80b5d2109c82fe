# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Depth from several views: earlier images of a moving camera, with their poses."""

import functools
import math

import cv2
import numpy as np

from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.metric.median import median_of
from msdepth_ros.metric.projection import Prediction, Projection
from msdepth_ros.metric.sparse_depth import SparseDepth
from msdepth_ros.metric.standstill import Standstill
from msdepth_ros.metric.sweep import (
    ANYWHERE,
    AROUND_PREDICTION,
    Found,
    PoseNoise,
    Search,
    View,
    sweep,
)

SOURCE = 'views'
# Why an image gives no points.
NO_EARLIER, NO_MOTION, NO_MATCH = 'no earlier view', 'no motion', 'no match'
NO_PREDICTION = 'no prediction'
_KEPT = 16  # views
_PIXELS = 49152  # number of pixels of the compared images: 256x192, or another aspect ratio
# Motion of a point between views, in pixels per unit of ln(depth): the least for a comparison, the
# best for each compared view, and the least for a new view to be kept.
_LEAST_MOTION, _WANTED_MOTION, _NEW_MOTION = 5.0, (15.0, 22.0, 35.0, 60.0), 3.0
_LEAST_OVERLAP, _NEW_OVERLAP = 0.4, 0.5
_LARGEST_TURN, _NEW_TURN = math.radians(35), math.radians(8)
_BORDER = 4  # pixels
_MIDDLE = math.log(1.75)  # of the search without a prediction
# Fewer matches may be chance, also where most images before had fewer: then the poses are wrong.
_FEWEST_POINTS, _FEWEST_SHARE, _FEWEST_BEFORE = 6, 0.05, 0.12  # shares of the points tried
_NEWS = 0.3  # weight of an image in the mean share


class Views:
    """Measures depth at points that earlier views of the same camera also show.

    It keeps up to 16 earlier views (about 1 MB), chosen by the motion of the camera, not by time.
    Not thread-safe.

    Parameters
    ----------
    noise : the errors of the poses; None: the default.

    Attributes
    ----------
    reason : why the last image gave no points, one of the above or of `standstill`; '' = it gave
        some.
    """

    def __init__(self, noise: PoseNoise | None = None) -> None:
        self._noise = noise or PoseNoise()
        self._views: list[View] = []
        self._standstill = Standstill()
        self._intrinsics: Intrinsics | None = None
        self._share = _FEWEST_BEFORE  # of the points tried that matched, mean over images
        self.reason = ''

    @property
    def memory(self) -> int:
        """The size of the kept views, bytes."""
        kept = {id(view): view for view in (*self._views, *self._standstill.views)}
        return sum(view.image.nbytes + view.half.nbytes for view in kept.values())

    def clear(self) -> None:
        """Forget all views; call this when the odometry jumped."""
        self._views.clear()
        self._standstill.clear()
        self._share = _FEWEST_BEFORE

    def measure(
        self,
        image: np.ndarray,
        intrinsics: Intrinsics,
        log_depth: np.ndarray | None,
        cells: Intrinsics,
        camera: Intrinsics,
        pose: np.ndarray,
    ) -> SparseDepth:
        """Measure depth in an image, and keep it for the next ones.

        Parameters
        ----------
        image : uint8 [height, width] or [height, width, 3], rectified, as the network's input.
        intrinsics : of that image.
        log_depth : float32 [h, w], predicted ln(metres), NaN where there is none. Depths within a
            factor of 3 of it are searched. None: the prediction is not in metres; depths from 0.3
            to 10 m are searched, and fewer points are found.
        cells : intrinsics of `log_depth` as an image of its own.
        camera : intrinsics of the rectified camera image, for the pixels of the result.
        pose : float64 [4, 4], from the camera's optical frame to a fixed frame, metres.

        Returns
        -------
        The measured points; there may be none, see `reason`.
        """
        image, intrinsics = _reduced(image, intrinsics)
        if intrinsics != self._intrinsics:
            self.clear()
            self._intrinsics = intrinsics
        half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        view = View(image, half, np.asarray(pose, np.float64))
        search = AROUND_PREDICTION
        if log_depth is None:
            search = ANYWHERE
            log_depth, cells = np.full((6, 8), _MIDDLE, np.float32), intrinsics.resized(8, 6)
        log_depth = np.ascontiguousarray(log_depth, np.float32)
        prediction = Prediction(log_depth, cells, intrinsics)
        found, self.reason, is_new = self._compare(view, prediction, search)
        if is_new:
            self._views = [*self._views[1 - _KEPT :], view]
        if found is None:
            nothing = np.zeros(0, np.float32)
            return SparseDepth(nothing, nothing, nothing, nothing, SOURCE)
        u = (found.u - intrinsics.cx) * (camera.fx / intrinsics.fx) + camera.cx
        v = (found.v - intrinsics.cy) * (camera.fy / intrinsics.fy) + camera.cy
        depth = np.exp(found.log_depth)
        return SparseDepth(u, v, depth, found.sigma, SOURCE, self._noise.share)

    def _compare(
        self, view: View, prediction: Prediction, search: Search
    ) -> tuple[Found | None, str, bool]:
        """Return the points found in a view, the reason for none, and whether to keep it."""
        intrinsics = self._intrinsics
        assert intrinsics is not None
        u, v = _even_pixels(intrinsics)
        start = prediction(u, v)
        known = np.isfinite(start)
        u, v, start = u[known], v[known], start[known]
        if len(u) < 4:
            return None, NO_PREDICTION, False
        contradiction = self._standstill.contradiction(view, intrinsics, (u, v), start)
        if contradiction:
            return None, contradiction, False
        if not self._views:
            return None, NO_EARLIER, True
        motions = np.linalg.inv(np.stack([other.pose for other in self._views])) @ view.pose
        overlap, motion = _overlap_and_motion(
            Projection(intrinsics, motions), u, v, start, intrinsics
        )
        trace = np.trace(motions[:, :3, :3], axis1=1, axis2=2)
        turn = np.arccos(((trace - 1) / 2).clip(-1, 1))
        is_new = bool(
            motion[-1] > _NEW_MOTION or turn[-1] > _NEW_TURN or overlap[-1] < _NEW_OVERLAP
        )
        chosen = _choose(overlap, motion, turn)
        if not chosen:
            return None, NO_MOTION, is_new
        projection = Projection(intrinsics, motions[chosen])
        focal = math.sqrt(intrinsics.fx * intrinsics.fy)
        others = [self._views[index] for index in chosen]
        found = sweep(view, others, projection, prediction, search, self._noise, focal)
        if not self._believable(found):
            return None, NO_MATCH, is_new
        return found, '', is_new

    def _believable(self, found: Found | None) -> bool:
        """Return whether so many points match, now and before, that it is not by chance."""
        count = 0 if found is None else len(found.u)
        share = 0.0 if found is None else count / found.tried
        self._share += _NEWS * (share - self._share)
        enough = count >= _FEWEST_POINTS and share >= _FEWEST_SHARE
        return enough and self._share >= _FEWEST_BEFORE


def _reduced(image: np.ndarray, intrinsics: Intrinsics) -> tuple[np.ndarray, Intrinsics]:
    """Return an image in grey, of even size and few pixels, and its intrinsics."""
    height, width = image.shape[:2]
    scale = min(1.0, math.sqrt(_PIXELS / (height * width)))
    size = max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)
    if size != (width, height):
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        intrinsics = intrinsics.resized(*size)
    return (image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)), intrinsics


@functools.lru_cache(maxsize=8)
def _even_pixels(intrinsics: Intrinsics) -> tuple[np.ndarray, np.ndarray]:
    """Return 8x6 pixels that cover an image, float32 [48] each."""
    u = (np.arange(8, dtype=np.float32) + 0.5) * (intrinsics.width / 8) - 0.5
    v = (np.arange(6, dtype=np.float32) + 0.5) * (intrinsics.height / 6) - 0.5
    u, v = np.meshgrid(u, v)
    return u.ravel().astype(np.float32), v.ravel().astype(np.float32)


def _overlap_and_motion(
    projection: Projection,
    u: np.ndarray,
    v: np.ndarray,
    start: np.ndarray,
    intrinsics: Intrinsics,
) -> tuple[np.ndarray, np.ndarray]:
    """Return, for each earlier view, the fraction of the pixels that it shows, and their motion.

    The motion is in pixels per unit of ln(depth).
    """
    rays = projection.rays(u, v)
    nearer_and_farther = np.array([0.1, -0.1], np.float32)
    x, y = projection(rays, np.exp(nearer_and_farther - start[:, None]))
    inside = (x > _BORDER) & (x < intrinsics.width - 1 - _BORDER)
    inside &= (y > _BORDER) & (y < intrinsics.height - 1 - _BORDER)
    seen = np.asarray(inside.all(axis=-1))
    motion = np.hypot(x[..., 1] - x[..., 0], y[..., 1] - y[..., 0]) / 0.2
    return seen.mean(axis=1), np.where(seen.any(axis=1), median_of(motion, seen), 0)


def _choose(overlap: np.ndarray, motion: np.ndarray, turn: np.ndarray) -> list[int]:
    """Choose the views to compare with: short baselines are robust, long ones exact."""
    usable = (overlap > _LEAST_OVERLAP) & (motion > _LEAST_MOTION) & (turn < _LARGEST_TURN)
    free = np.flatnonzero(usable).tolist()
    cost = 2 * (1 - overlap) + np.degrees(turn) / 60
    chosen: list[int] = []
    for wanted in _WANTED_MOTION[: len(free)]:
        best = min(free, key=lambda index: abs(math.log(motion[index] / wanted)) + cost[index])
        free.remove(best)
        chosen.append(best)
    return chosen
