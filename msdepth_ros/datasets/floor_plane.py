# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The floor in a frame, from the shape of its ground truth alone.

No labels are needed: the floor is the lowest level plane, at a plausible distance below the camera
(of a hand-held camera 1 to 2 m; of a robot's camera the height of its mount). As in
`msdepth_ros.geometry.floor`, a plane is q . p = -1 for its points p.
"""

import numpy as np

from msdepth_ros.datasets.base import Frame

TOLERANCE = 0.05  # largest relative depth error of a point on the plane
_SIZE = (96, 72)  # width and height of the depth image that is searched, about
_REACH = (4, 14)  # pixels between the three points of a hypothesis
_HYPOTHESES = 3000
_ROLL, _UP, _DOWN = 25.0, 20.0, 60.0  # largest roll and pitch of a camera, degrees
_SURE, _NONE = 0.03, 0.01  # fractions of the valid points: a floor has more; below: no floor
_UNDER = 0.02  # largest fraction of the valid points below a floor
_ROUNDS = 6


def floor_plane(frame: Frame, heights: tuple[float, float]) -> np.ndarray | None:
    """Return the plane of the floor in a frame.

    Parameters
    ----------
    frame : with its ground truth.
    heights : smallest and largest height of the camera above the floor, metres.

    Returns
    -------
    q, float64 [3], in the optical frame (x right, y down, z forward), 1/metres; zeros: no floor is
    seen; None: not certain.
    """
    points = _points(frame)
    if points is None:
        return None
    valid = points[np.isfinite(points[..., 2])]
    planes = _hypotheses(points, heights)
    if not len(planes) or len(valid) < 100:
        return np.zeros(3)
    error = valid[:: 1 + len(valid) // 1500] @ planes.T + 1
    score = (np.abs(error) <= TOLERANCE).mean(0) - 3 * (error < -3 * TOLERANCE).mean(0)
    best = score.argmax()
    if score[best] < _NONE:
        found = (np.abs(error) <= TOLERANCE).mean(0).max()
        return np.zeros(3) if found < _NONE else None
    plane = planes[best]
    for _ in range(_ROUNDS):
        on = valid[np.abs(valid @ plane + 1) <= TOLERANCE]
        if len(on) < 3:
            return None
        # In this form, the residual of a point is the relative error of its depth.
        plane = np.linalg.lstsq(on, -np.ones(len(on)), rcond=None)[0]
    error = valid @ plane + 1
    share = (np.abs(error) <= TOLERANCE).mean()
    under = (error < -3 * TOLERANCE).mean()
    if share < _SURE or under > _UNDER or not _plausible(plane[None], heights)[0]:
        return None
    return np.asarray(plane)


def _points(frame: Frame) -> np.ndarray | None:
    """Return a small image of points, float64 [h, w, 3], optical frame; NaN where invalid."""
    i = frame.intrinsics
    step = max(1, min(i.width // _SIZE[0], i.height // _SIZE[1]))
    depth = frame.depth[step // 2 :: step, step // 2 :: step].astype(np.float64)
    depth = np.where(np.isfinite(depth) & (depth > 0), depth, np.nan)
    if not np.isfinite(depth).any():
        return None
    rows, columns = np.mgrid[step // 2 : i.height : step, step // 2 : i.width : step]
    x, y = (columns - i.cx) / i.fx, (rows - i.cy) / i.fy
    return np.stack([x * depth, y * depth, depth], axis=-1)


def _hypotheses(points: np.ndarray, heights: tuple[float, float]) -> np.ndarray:
    """Return plausible planes, float64 [n, 3], each through three neighbouring points."""
    rng = np.random.default_rng(0)
    height, width = points.shape[:2]
    rows = rng.integers(height, size=_HYPOTHESES)
    columns = rng.integers(width, size=_HYPOTHESES)
    corners = [points[rows, columns]]
    aside = rng.integers(*_REACH, _HYPOTHESES) * rng.choice([-1, 1], _HYPOTHESES)
    above = rng.integers(*_REACH, _HYPOTHESES) * rng.choice([-1, 1], _HYPOTHESES)
    corners.append(points[rows, np.clip(columns + aside, 0, width - 1)])
    corners.append(points[np.clip(rows + above, 0, height - 1), columns])
    a, b, c = corners
    normals = np.cross(b - a, c - a)
    with np.errstate(divide='ignore', invalid='ignore'):
        planes = -normals / np.einsum('ij,ij->i', normals, a)[:, None]
        good = np.isfinite(planes).all(1)
        good[good] = _plausible(planes[good], heights)
    return planes[good]


def _plausible(planes: np.ndarray, heights: tuple[float, float]) -> np.ndarray:
    """Return which planes can be a floor by their height and slope, bool [n]."""
    height = 1 / np.linalg.norm(planes, axis=1)
    right, down, ahead = planes.T
    roll = np.degrees(np.arctan2(right, -down))
    pitch = np.degrees(np.arctan2(-ahead, -down))
    level = (np.abs(roll) <= _ROLL) & (pitch >= -_UP) & (pitch <= _DOWN) & (down < 0)
    return np.asarray(level & (height >= heights[0]) & (height <= heights[1]))
