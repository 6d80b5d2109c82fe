# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which points of a depth image are obstacles, which are floor, and where the floor is missing.

The camera's height h over a flat floor and its tilt are known. A point at depth z on a ray that
falls by f per metre of depth lies h - z * f above the floor. If it is of the floor in truth, a
depth whose logarithm is wrong by e lifts it by h * (1 - exp(-e)), and a tilt that is wrong by an
angle a by z * a. It is an obstacle if it is higher than two standard deviations of these explain.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from msdepth_ros.geometry.pinhole import Intrinsics

TILT_ERROR = 0.0125  # radians, standard deviation: the mount's tilt, and a robot that nods
UNEVEN = 0.01  # metres, standard deviation: rugs, sills, the mount's height
_SIGMAS = np.float32(2.0)
_FLOOR = 0.8  # probability from which the network is sure that a cell shows the floor
_SURE_FLOOR = 0.02  # relative depth error that a floor always has
_PLAUSIBLE = 0.4  # largest error of ln(depth) with which a cell may still be of the floor
_BANDS = (1.0, 2.0, 3.0)  # metres of floor depth between which its error is looked at apart
_SHARE = 0.05  # of the cells that must lie near the plane for their scatter to say anything
_LIP = np.float32(0.15)  # metres before a drop at which it is marked: Nav2's rays end that early
_HOLE = np.ones((3, 3), np.uint8)  # cells; a smaller hole in the floor is noise


@dataclass(frozen=True)
class Obstacles:
    """What stands in the way, cell by cell of a depth image.

    Attributes
    ----------
    depth : float32 [height, width], metres along Z: of obstacles their own, of a drop just less
        than that of the floor that is missing there; NaN everywhere else.
    drops : bool [height, width], the cells of `depth` that are drops.
    scatter : relative error of depth that the floor in view shows, or that was assumed, float32,
        for each band of distances (_BANDS).
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
    """Tell obstacles and drops from the floor.

    Where enough of the image lies near the floor's plane, the scatter of these very cells says how
    wrong the depth of floor is; it replaces `error` where it is smaller.

    Parameters
    ----------
    depth : float32 [height, width], metres along Z, NaN invalid.
    intrinsics : of that image.
    height : of the camera above the floor, metres.
    up : float [3], of length 1, in the optical frame.
    error : standard deviation of the logarithm of depth, one or float32 [height, width].
    beyond : bool [height, width], where the depth is known to exceed the model's range; such a
        cell below the horizon is a drop. None = nowhere.
    min_height : metres above the floor from which something can be an obstacle at all.
    farthest : distance along Z in metres within which a floor must be seen; beyond it nothing is a
        drop.
    floor : float32 [height, width], the network's own probability that a cell shows the floor;
        where it is sure, the depth must be twice as sure of the contrary. None = not known.
    """
    x, y = intrinsics.ray_slopes()
    falls = -(x * np.float32(up[0]) + (y * np.float32(up[1]) + np.float32(up[2]))[:, None])
    below = depth * falls  # metres under the camera
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

    It grows with the distance, as errors do. `ratio` is the depth of each cell over that of the
    floor on its ray, `floor_depth`.
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
    found = _SURE_FLOOR
    for number in range(len(scatter)):
        own = deviation[band == number]
        if len(own) > _SHARE / 5 * ratio.size:
            found = max(found, 1.4826 * float(np.partition(own, len(own) // 2)[len(own) // 2]))
        scatter[number] = min(assumed, found)
    return scatter


class Confirmation:
    """Keeps obstacles that were seen twice: a lone wrong frame then marks nothing.

    An obstacle counts if the frame before had one within a few cells at a similar depth, or if it
    is sure. How many cells follows from the time between the frames and how fast a robot turns.
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
        memory : seconds after which the frame before says nothing any more; 0 = confirm all.
        sure : bool [height, width], obstacles that need no second look; None = none.
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
