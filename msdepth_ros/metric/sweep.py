# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A plane sweep at points: the depth at which a point looks the same in several views.

It is like MVSNet (Yao et al., ECCV 2018), but only at points with texture, at depths around the
network's prediction, and with patches instead of learned features. A coarse search on images of
half the size is followed by a fine one. The slope of a patch is that of the prediction.
"""

import functools
from dataclasses import dataclass

import numpy as np

from msdepth_ros.metric.patches import likeness, patches_at, peak, textured_points
from msdepth_ros.metric.projection import Prediction, Projection

_POINTS = 170
_COARSE_VIEWS = 3  # the first views, which have the shortest baselines
_FINE = 7  # number of depths of the fine search
_COARSE_RADIUS, _FINE_RADIUS = 2, 4  # pixels; patches within 5x5 and 9x9
_LEAST_CONTRAST = 1.5  # grey levels
_COARSE_LIKENESS, _LIKENESS, _SURE_LIKENESS = 0.65, 0.75, 0.9
_SECOND_BEST = 0.08  # least difference of likeness between the best depth and all others
_NEAR_PEAK = 3  # coarse steps that belong to a peak
_DISAGREEMENT = 1.5, 0.05  # pixels, and ln(depth): largest difference of one view from all
# The offset that all points of an image have in common: the temperature of the likelihoods, the
# width of the vote, the scatter of points around it, and the cost of that scatter.
_TEMPERATURE, _KERNEL, _SCATTER, _COST = 0.06, 0.15, 0.35, 0.12
_LARGEST_SIGMA = 0.25
_MATCHING = 0.1  # pixels, standard deviation of a match
_FLOOR = 0.012  # of ln(depth), standard deviation of what is not modelled
_EDGE = 0.4  # of the difference of ln(depth) around a point: a patch on an edge shows two depths


@dataclass(frozen=True)
class Search:
    """The depths of a search.

    Attributes
    ----------
    span : of ln(depth) on each side of the prediction.
    count : number of depths, odd.
    shared : whether all points of an image have about the same error of the prediction.
    """

    span: float
    count: int
    shared: bool

    @functools.cached_property
    def steps(self) -> np.ndarray:
        """The offsets of ln(depth), float32 [count], ascending."""
        return np.linspace(-self.span, self.span, self.count, dtype=np.float32)


AROUND_PREDICTION = Search(1.1, 31, True)  # a factor of 3
ANYWHERE = Search(1.8, 45, False)


@dataclass(frozen=True)
class PoseNoise:
    """The errors of odometry.

    Attributes
    ----------
    translation : standard deviation of a position along each axis, metres.
    rotation : standard deviation of an orientation about each axis, radians.
    share : standard deviation of the length of all ways, relative to it: an error that all points
        have in common, so it is in the sigma of none.
    """

    translation: float = 0.004
    rotation: float = 0.002
    share: float = 0.03


@dataclass(frozen=True)
class View:
    """An image with its pose, ready to be compared.

    Attributes
    ----------
    image : uint8 [height, width], grey, rectified. `half` has half its size.
    pose : float64 [4, 4], camera (optical frame) to a fixed frame, metres.
    """

    image: np.ndarray
    half: np.ndarray
    pose: np.ndarray


@dataclass(frozen=True)
class Found:
    """Points whose depth was found: u, v in pixels of the view, ln(depth) and its sigma, [n]."""

    u: np.ndarray
    v: np.ndarray
    log_depth: np.ndarray
    sigma: np.ndarray
    tried: int


def sweep(
    view: View,
    others: list[View],
    projection: Projection,
    prediction: Prediction,
    search: Search,
    noise: PoseNoise,
    focal: float,
) -> Found | None:
    """Find the depth of a view's points from earlier views of the same camera.

    Parameters
    ----------
    others : up to four; the nearest ones first.
    projection : from the view to those others.
    search : which depths are tried around the prediction.
    noise : of their poses.
    focal : focal length of the views, pixels.

    Returns
    -------
    What was found, or None where nothing was.
    """
    u, v = textured_points(view.image, _POINTS)
    start = prediction(u, v)
    known = np.isfinite(start)
    u, v, start = u[known], v[known], start[known]
    tried = len(u)
    if not tried:
        return None
    rays, slope = projection.rays(u, v), prediction.slope(u, v)
    few, there = others[:_COARSE_VIEWS], projection.first(_COARSE_VIEWS)
    log_depth, chosen = _coarse(view, few, there, (u, v), rays, start, slope, search)
    if not chosen.any():
        return None
    u, v, rays, slope, start = u[chosen], v[chosen], rays[chosen], slope[:, chosen], start[chosen]
    log_depth, motion, share, good = _fine(
        view, others, projection, (u, v), rays, log_depth[chosen], slope, search
    )
    variance = _variance(log_depth, motion, share, noise, focal)
    variance += (_EDGE * prediction.unevenness(u, v)) ** 2
    sigma = np.sqrt(variance)
    good &= sigma < _LARGEST_SIGMA
    if not good.any():
        return None
    return Found(u[good], v[good], log_depth[good], sigma[good], tried)


def _coarse(
    view: View,
    others: list[View],
    projection: Projection,
    pixels: tuple[np.ndarray, np.ndarray],
    rays: np.ndarray,
    start: np.ndarray,
    slope: np.ndarray,
    search: Search,
) -> tuple[np.ndarray, np.ndarray]:
    """Search all depths on images of half the size; return the best ln(depth), and if it is good.

    If all points of an image have about the same error of the prediction, depths near their common
    offset are preferred.
    """
    u, v = (_halved(each) for each in pixels)
    patches, contrast = patches_at(view.half, u, v, _COARSE_RADIUS)
    shape = projection.patch_shape(rays, np.exp(-start), slope, 0.5, _COARSE_RADIUS)
    steps = search.steps
    there = projection(rays, np.exp(-(start[:, None] + steps)))
    centres = _halved(there[0]), _halved(there[1])
    images = [other.half for other in others]
    alike = likeness(patches, contrast, images, centres, shape, _COARSE_RADIUS)
    score = _mean_of_seen(alike)
    preferred = score
    if search.shared:
        off = steps - _shared_offset(score, steps)
        preferred = score - _COST * np.log1p((off / _SCATTER) ** 2)
    index = preferred.argmax(axis=1)
    row = np.arange(len(index))
    elsewhere = np.abs(np.arange(len(steps)) - index[:, None]) > _NEAR_PEAK
    second = np.where(elsewhere, preferred, -2).max(axis=1)
    good = score[row, index] > _COARSE_LIKENESS
    good &= preferred[row, index] - second > _SECOND_BEST
    good &= (index > 0) & (index < len(steps) - 1) & (contrast > _LEAST_CONTRAST)
    return start + steps[index], good


def _shared_offset(score: np.ndarray, steps: np.ndarray) -> float:
    """Return the offset with the largest sum of the points' likelihoods; `score` is [n, steps]."""
    best = score.max(axis=1, keepdims=True)
    likelihood = np.exp((score - best) / _TEMPERATURE)
    likelihood *= (best > 0.5) / likelihood.sum(axis=1, keepdims=True)
    half = len(steps) // 2
    around = np.arange(-half, half + 1) * (steps[1] - steps[0])
    votes = np.convolve(likelihood.sum(axis=0), np.exp(-0.5 * (around / _KERNEL) ** 2), 'same')
    return float(steps[votes.argmax()])


def _fine(
    view: View,
    others: list[View],
    projection: Projection,
    pixels: tuple[np.ndarray, np.ndarray],
    rays: np.ndarray,
    start: np.ndarray,
    slope: np.ndarray,
    search: Search,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Refine ln(depth) on the full images.

    Returns
    -------
    log_depth : float32 [n].
    motion : float32 [V, n, 2], pixels by which a point moves in a view, per unit of ln(depth), 0
        where it is not seen.
    share : float32 [V, n], the weight of each view; they add up to 1.
    good : bool [n], whether the match is good and no view contradicts it.
    """
    patches, contrast = patches_at(view.image, *pixels, _FINE_RADIUS)
    shape = projection.patch_shape(rays, np.exp(-start), slope, 1.0, _FINE_RADIUS)
    reach = 1.25 * 2 * search.span / (search.count - 1)
    steps = np.linspace(-reach, reach, _FINE, dtype=np.float32)
    u, v = projection(rays, np.exp(-(start[:, None] + steps)))
    images = [other.image for other in others]
    alike = likeness(patches, contrast, images, (u, v), shape, _FINE_RADIUS)
    seen = np.isfinite(alike).all(axis=-1)
    alike[~seen] = 0
    ends = np.stack([u[..., -1] - u[..., 0], v[..., -1] - v[..., 0]], axis=-1)
    moves = np.where(seen[..., None], ends / (steps[-1] - steps[0]), 0)
    motion = np.linalg.norm(moves, axis=-1)
    weight = motion / np.maximum(motion.sum(axis=0), 1e-6)
    score = (alike * weight[..., None]).sum(axis=0)
    index, position = peak(score)
    own = alike.argmax(axis=-1)
    pixels_off = np.abs(steps[own] - steps[index]) * motion
    allowed = _DISAGREEMENT[0] + _DISAGREEMENT[1] * motion
    likeness_there = np.take_along_axis(alike, index[None, :, None], axis=2)[..., 0]
    agrees = ~seen | (pixels_off < allowed) | (likeness_there > _SURE_LIKENESS)
    good = agrees.all(axis=0) & seen.any(axis=0) & (index > 0) & (index < _FINE - 1)
    good &= (score[np.arange(len(index)), index] > _LIKENESS) & (contrast > 1)
    offset = np.interp(position, np.arange(_FINE), steps).astype(np.float32)
    # Likeness falls off over pixels, so a peak over depths is the sharper the more pixels they are.
    say = weight * motion**2
    return start + offset, moves, say / np.maximum(say.sum(axis=0), 1e-6), good


def _variance(
    log_depth: np.ndarray, motion: np.ndarray, share: np.ndarray, noise: PoseNoise, focal: float
) -> np.ndarray:
    """Return the variance of ln(depth) by the matching and the poses, float32 [n].

    A pose that is off moves points by some pixels in any direction. Those of the earlier views are
    off by themselves; this view's own is off against all of them, which cancels where the camera
    came from both sides.

    Parameters
    ----------
    log_depth, motion, share : of `_fine`.
    noise : of the poses.
    focal : focal length, pixels.
    """
    squared = np.maximum(np.square(motion).sum(axis=-1), 1e-6)
    off = focal**2 * (noise.translation**2 * np.exp(-2 * log_depth) + noise.rotation**2)  # pixels^2
    single = (share**2 / squared).sum(axis=0)
    together = ((share / squared)[..., None] * motion).sum(axis=0)
    own = np.square(together).sum(axis=-1)
    return (_MATCHING**2 + off) * single + off * own + _FLOOR**2


def _mean_of_seen(alike: np.ndarray) -> np.ndarray:
    """Return the mean over the views that see the point, -1 where none does."""
    seen = np.isfinite(alike)
    count = seen.sum(axis=0)
    total = np.where(seen, alike, 0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.float32(-1))


def _halved(position: np.ndarray) -> np.ndarray:
    """Return pixel positions in the image of half the size."""
    return (position + np.float32(0.5)) * np.float32(0.5) - np.float32(0.5)
