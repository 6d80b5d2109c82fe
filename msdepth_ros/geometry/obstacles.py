# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which points of a depth image are obstacles, which are floor, and where the floor is missing.

The camera's height h over a flat floor and its tilt are known. A point at depth z on a ray that
falls by f per metre of depth lies h - z * f above the floor. Errors lift a point of the floor: an
error e of the logarithm of depth by h * (1 - exp(-e)), an error a of the tilt by z * a. A point is
an obstacle if it is higher than two standard deviations of these errors, or than four where the
network is sure of floor.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from msdepth_ros.geometry.pinhole import Intrinsics

TILT_ERROR = 0.0125  # radians, standard deviation: of the mount, and of a robot that pitches
UNEVEN = 0.01  # metres, standard deviation: rugs, sills, the mount's height
_SIGMAS = np.float32(2.0)
_FLOOR = 0.8  # least probability of floor with which the network is sure
_LEAST_ERROR = 0.02  # relative depth error that a floor always has
_PLAUSIBLE = 0.4  # largest error of ln(depth) of a cell on the floor
_BANDS = (1.0, 2.0, 3.0)  # limits in metres of the bands in which the floor's error is measured
_SHARE = 0.05  # fraction of the cells that must lie near the plane to measure its error
_LIP = np.float32(0.15)  # a drop is marked so many metres before it: there Nav2's rays end
_HOLE = np.ones((3, 3), np.uint8)  # cells; a smaller hole in the floor is noise


@dataclass(frozen=True)
class Obstacles:
    """The obstacles and drops in a depth image, cell by cell.

    Attributes
    ----------
    depth : float32 [height, width], metres along Z: an obstacle's own depth; for a drop, a little
        less than the depth of the missing floor; NaN elsewhere.
    drops : bool [height, width], the cells of `depth` that are drops.
    scatter : float32 [4], relative depth error for each band of distances: measured on the floor
        in view, or as assumed.
    """

    depth: np.ndarray
    drops: np.ndarray
    scatter: np.ndarray


def find_obstacles(
    depth: np.ndarray,
    intrinsics: Intrinsics,
    height: float,
    up: np.ndarray,
    error: float | np.ndarray = 0.3,
    beyond: np.ndarray | None = None,
    min_height: float = 0.05,
    farthest: float = 4.5,
    floor: np.ndarray | None = None,
) -> Obstacles:
    """Find obstacles and drops.

    If enough of the image lies near the floor's plane, the depth error is measured on these cells;
    it replaces `error` where it is smaller.

    Parameters
    ----------
    depth : float32 [height, width], metres along Z, NaN invalid.
    intrinsics : of that image.
    height : of the camera above the floor, metres.
    up : float [3], of length 1, in the optical frame.
    error : standard deviation of the logarithm of depth, one number or float32 [height, width].
    beyond : bool [height, width], where the depth is above the model's range; such a cell below
        the horizon is a drop. None: nowhere.
    min_height : least height of an obstacle above the floor, metres.
    farthest : metres along Z; beyond it nothing is a drop.
    floor : float32 [height, width], the network's probability that a cell shows the floor. Where
        the network is sure, the limit is four standard deviations instead of two. None: not
        known.
    """
    x, y = intrinsics.ray_slopes()
    falls = -(x * np.float32(up[0]) + (y * np.float32(up[1]) + np.float32(up[2]))[:, None])
    below = depth * falls  # metres below the camera
    with np.errstate(invalid='ignore', divide='ignore'):
        floor_depth = np.float32(height) / falls
        scatter = _scatter(below / np.float32(height), floor_depth, error)
        known = scatter[np.digitize(floor_depth, _BANDS).clip(0, len(_BANDS))]
        sigma = np.minimum(np.asarray(error, np.float32), known)
        sigmas = _SIGMAS if floor is None else _SIGMAS * np.where(floor >= _FLOOR, 2, 1)
        lift, sink = height * -np.expm1(-sigmas * sigma), height * np.expm1(sigmas * sigma)
        other = np.hypot(depth * np.float32(TILT_ERROR), np.float32(UNEVEN)) * sigmas
        above = np.float32(height) - below
        stands = above > np.maximum(np.hypot(lift, other), np.float32(min_height))
        drops = -above > np.maximum(np.hypot(sink, other), np.float32(min_height))
        if beyond is not None:
            drops |= beyond
        drops &= (falls > 0) & (floor_depth < farthest)
    if drops.any():
        drops = cv2.morphologyEx(drops.view(np.uint8), cv2.MORPH_OPEN, _HOLE).view(bool)
    found = np.where(stands, depth, np.float32(np.nan))
    np.copyto(found, np.maximum(floor_depth - _LIP, floor_depth / 2), where=drops)
    return Obstacles(found, drops, scatter)


def _scatter(ratio: np.ndarray, floor_depth: np.ndarray, error: float | np.ndarray) -> np.ndarray:
    """Return the relative depth error of the floor in each band, at most what was assumed.

    A farther band never has a smaller error. `ratio` is each cell's depth divided by the depth of
    the floor on its ray, `floor_depth`.
    """
    assumed = float(np.median(error)) if isinstance(error, np.ndarray) else error
    plausible = np.abs(ratio - 1) < 0.6
    deviation = np.abs(np.log(ratio[plausible]))
    band = np.digitize(floor_depth[plausible], _BANDS)
    plausible = deviation < min(2.5 * assumed, _PLAUSIBLE)
    deviation, band = deviation[plausible], band[plausible]
    scatter = np.full(len(_BANDS) + 1, assumed, np.float32)
    if len(deviation) < max(1, _SHARE * ratio.size):
        return scatter
    found = _LEAST_ERROR
    for number in range(len(scatter)):
        own = deviation[band == number]
        if len(own) > _SHARE / 5 * ratio.size:
            found = max(found, 1.4826 * float(np.partition(own, len(own) // 2)[len(own) // 2]))
        scatter[number] = min(assumed, found)
    return scatter


class Confirmation:
    """Keeps obstacles that were seen in two frames: a single wrong frame marks nothing.

    An obstacle is confirmed if the last frame had one within a few cells at a similar depth. The
    number of cells follows from the time between the frames and the speed at which a robot turns.
    """

    TURN = 1.0  # radians per second, about the vertical
    SIMILAR = 0.25  # relative difference of depth

    def __init__(self) -> None:
        self._last: np.ndarray | None = None
        self._stamp = -math.inf

    def confirm(
        self,
        depth: np.ndarray,
        focal: float,
        stamp: float,
        memory: float,
        sure: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return `depth` with NaN where an obstacle was not confirmed.

        Parameters
        ----------
        depth : float32 [height, width] of `Obstacles`, metres, NaN where nothing is.
        focal : focal length of that image in pixels.
        stamp : its time in seconds.
        memory : seconds; an older frame confirms nothing. 0: all are confirmed.
        sure : bool [height, width], obstacles that need no confirmation; None: none.

        Returns
        -------
        float32 [height, width]; a new array unless all are confirmed.
        """
        last, gap = self._last, stamp - self._stamp
        self._last, self._stamp = depth, stamp
        if memory <= 0:
            return depth
        known = np.zeros(depth.shape, bool) if sure is None else sure.copy()
        if last is not None and last.shape == depth.shape and 0 <= gap <= memory:
            aside = min(depth.shape[1] // 8, 2 + math.ceil(self.TURN * gap * focal))
            window = np.ones((5, 2 * aside + 1), np.uint8)
            seen = np.isfinite(last)
            nearest = cv2.erode(np.where(seen, last, np.float32(np.inf)), window)
            farthest = cv2.dilate(np.where(seen, last, np.float32(0)), window)
            factor = np.float32(1 + self.SIMILAR)
            with np.errstate(invalid='ignore'):
                known |= (depth * factor >= nearest) & (depth <= farthest * factor)
        return np.where(known, depth, np.float32(np.nan))
