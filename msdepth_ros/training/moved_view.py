# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a camera would have seen from a nearer and lower place, out of one image with its depth.

Turning a camera and zooming keep the distance to everything. A robot stands nearer to things, and
lower, than whoever holds a camera. A moved view shows the same room from there: the points of the
image, carried into the moved camera (view synthesis by depth, as in McMillan 1997). What the image
does not show is stretched background there, and has no depth.
"""

from dataclasses import replace

import cv2
import numpy as np

from msdepth_ros.datasets import Frame
from msdepth_ros.geometry.pinhole import Intrinsics

FORWARD = 0.55  # largest step, as a share of the 10th percentile of depth in the image's middle
DOWN = 0.6  # largest step, as a share of the camera's height above the lowest visible points
SIDEWAYS = 0.15  # largest step, as a share of the median depth
_SEEN = 0.5  # least share of the frame's valid pixels that the moved view must keep
_ROUNDS = 4
_COARSE = 7  # pixels of the frame under a cell of the map that finds the way back
_SAME = 0.05  # relative difference of depth up to which it is the same surface


def moved(frame: Frame, rng: np.random.Generator) -> Frame | None:
    """Return the frame as a camera would have seen it that was moved at random.

    It moves forwards, down and sideways, and turns towards what was in the middle of the image.

    Parameters
    ----------
    frame : with depth in half of its pixels at least; else there is no moved view.

    Returns
    -------
    A frame of the same intrinsics, without a pose; its depth is 0 where `frame` has no information.
    None if that is true for too many pixels.
    """
    points = frame.depth * _rays(frame.intrinsics)
    valid = frame.depth > 0
    height, width = valid.shape
    middle = np.s_[height // 4 : height - height // 4, width // 4 : width - width // 4]
    ahead = frame.depth[middle][valid[middle]]
    if valid.mean() < _SEEN or not ahead.size:
        return None
    below = np.quantile(points[1][valid], 0.95)
    step = np.array(
        [
            rng.uniform(-SIDEWAYS, SIDEWAYS) * np.median(ahead),
            rng.uniform(0, DOWN) * max(0.0, below),
            rng.uniform(0, FORWARD) * np.quantile(ahead, 0.1),
        ]
    )
    target = np.array([np.median(axis[middle][valid[middle]]) for axis in points]) - step
    turn = _towards(target, rng.uniform(0.3, 1.0))
    result = seen_from(frame, turn, step)
    return result if (result.depth > 0).mean() >= _SEEN * valid.mean() else None


def seen_from(frame: Frame, turn: np.ndarray, step: np.ndarray) -> Frame:
    """Return a frame as a camera would have seen it from another place.

    Parameters
    ----------
    frame : with depth.
    turn : rotation from the moved camera's axes to the frame's, float64 [3, 3].
    step : place of the moved camera in the frame's optical frame, metres, float64 [3].

    Returns
    -------
    A frame of the same intrinsics. Its depth is 0 where the frame does not show what would be seen.

    """
    i = frame.intrinsics
    turn, step = turn.astype(np.float32), step.astype(np.float32)
    rays = _rays(i)  # of the moved camera, and of the frame's too
    turned = np.tensordot(turn, rays, 1)
    found = _nearest(frame.depth * rays, frame.depth > 0, turn, step, i)
    for _ in range(_ROUNDS):  # each time at the surface that the time before has found
        x, y, z = (found * axis + shift for axis, shift in zip(turned, step, strict=True))
        z = np.maximum(z, 1e-3)
        columns, rows = i.fx * x / z + i.cx, i.fy * y / z + i.cy
        there = cv2.remap(frame.depth, columns, rows, cv2.INTER_NEAREST)
        depth = there * (turn[0, 2] * x + turn[1, 2] * y + turn[2, 2] * z) / z
        depth -= (there > 0) * np.float32(turn[:, 2] @ step)
        good = (depth > 0) & (np.abs(depth - found) <= _SAME * found)
        found = np.where(depth > 0, depth, found)
    image = cv2.remap(frame.image, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    floor = frame.floor
    if floor is not None:
        floor = turn.T @ floor / (1 + floor @ step)
    return replace(frame, image=image, depth=np.where(good, depth, 0), pose=None, floor=floor)


def _nearest(
    points: np.ndarray, valid: np.ndarray, turn: np.ndarray, step: np.ndarray, i: Intrinsics
) -> np.ndarray:
    """Return how far the moved camera sees, about: float32 [H, W], everywhere positive."""
    height, width = valid.shape
    fourth = np.s_[:, ::2, ::2]  # of the points: enough for such large cells
    x, y, z = turn.T @ (points[fourth][:, valid[fourth[1:]]] - step[:, None])
    ahead = z > 0.05
    x, y, z = x[ahead], y[ahead], z[ahead]
    columns = ((i.fx * x / z + i.cx) / _COARSE).astype(int)
    rows = ((i.fy * y / z + i.cy) / _COARSE).astype(int)
    size = -(-height // _COARSE), -(-width // _COARSE)
    inside = (columns >= 0) & (columns < size[1]) & (rows >= 0) & (rows < size[0])
    coarse = np.full(size, np.inf, np.float32)
    np.minimum.at(coarse, (rows[inside], columns[inside]), z[inside].astype(np.float32))
    holes = ~np.isfinite(coarse)
    if holes.all():
        return np.ones((height, width), np.float32)
    # what is behind shows in a hole: the farther one of what is beside it
    while holes.any():
        grown = cv2.dilate(np.where(holes, 0, coarse), np.ones((3, 3), np.uint8))
        coarse = np.where(holes & (grown > 0), grown, coarse)
        holes = ~np.isfinite(coarse)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)


def _rays(i: Intrinsics) -> np.ndarray:
    """Return the points at a depth of 1 m of all pixels, float32 [3, H, W], optical frame."""
    x, y = np.meshgrid(*i.ray_slopes())
    return np.stack([x, y, np.ones_like(x)])


def _towards(target: np.ndarray, share: float) -> np.ndarray:
    """Return the rotation that turns the optical axis a share of the way to a point."""
    direction = target / np.linalg.norm(target)
    axis = np.cross([0.0, 0.0, 1.0], direction)
    return np.asarray(cv2.Rodrigues(share * axis)[0])  # the angles are small: sin a is about a
