# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Projects points of a view to earlier views, and looks up their predicted depth."""

import copy

import cv2
import numpy as np

from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.metric.patches import offsets

_NEAREST = 0.05  # metres
_STEEPEST = 0.06  # ln(depth) per pixel; a steeper slope is an edge
_SLOPE_SHARE = 0.7  # factor on the predicted slope, as networks predict edges as slopes
# Neighbours of a cell: to the right and left, below and above; [2, 2, 1].
_BESIDE_X = np.array([[1, -1], [0, 0]])[..., None]
_BESIDE_Y = np.array([[0, 0], [1, -1]])[..., None]
_UNKNOWN = 10.0  # ln(depth) in place of NaN: an edge to every neighbour


class Projection:
    """Projects points of a view to V earlier views.

    Parameters
    ----------
    intrinsics : of all views.
    motions : float64 [V, 4, 4], from this view's optical frame to that of each earlier view.
    """

    def __init__(self, intrinsics: Intrinsics, motions: np.ndarray) -> None:
        self._focal = np.float32(intrinsics.fx), np.float32(intrinsics.fy)
        self._centre = np.float32(intrinsics.cx), np.float32(intrinsics.cy)
        self._rotation = motions[:, :3, :3].astype(np.float32)
        self._translation = motions[:, :3, 3].astype(np.float32)[:, None, :, None]

    def first(self, count: int) -> 'Projection':
        """Return the projection to only the first views."""
        part = copy.copy(self)
        part._rotation, part._translation = self._rotation[:count], self._translation[:count]
        return part

    def rays(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Return the points of depth 1 at pixels, float32 [n, 3]."""
        (fx, fy), (cx, cy) = self._focal, self._centre
        return np.stack([(u - cx) / fx, (v - cy) / fy, np.ones_like(u)], axis=1).astype(np.float32)

    def __call__(self, rays: np.ndarray, inverse: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return u, v in the earlier views, float32 [V, n, m] each, NaN behind the camera.

        Parameters
        ----------
        rays : float32 [n, 3], see `rays`.
        inverse : float32 [n, m], 1 / depth.
        """
        turned = np.matmul(rays, self._rotation.transpose(0, 2, 1))[..., None]
        x, y, z = (turned[:, :, i] + inverse * self._translation[:, :, i] for i in range(3))
        z = np.where(z > _NEAREST * inverse, z, np.float32(np.nan))
        (fx, fy), (cx, cy) = self._focal, self._centre
        return fx * (x / z) + cx, fy * (y / z) + cy

    def patch_shape(
        self, rays: np.ndarray, inverse: np.ndarray, slope: np.ndarray, scale: float, radius: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the pixels of patches in the earlier views, relative to the patches' centres.

        Parameters
        ----------
        rays : float32 [n, 3], of the patches' centres.
        inverse : float32 [n], 1 / depth of the patches' centres.
        slope : float32 [2, n], of ln(depth) per pixel along u and v.
        scale : size of the patches' images, relative to that of the intrinsics.
        radius : of the patches, pixels.

        Returns
        -------
        x, y : float32 [V, n, k].
        """
        step = np.float32(1 / scale)
        fx, fy = self._focal
        u, v = self(rays, inverse[:, None])
        sides = [np.array([step / fx, 0, 0], np.float32), np.array([0, step / fy, 0], np.float32)]
        (ux, vx), (uy, vy) = (
            self(rays + side, (inverse * np.exp(-grade * step))[:, None])
            for side, grade in zip(sides, slope)
        )
        x, y = offsets(radius)
        wide = x * np.float32(scale), y * np.float32(scale)
        dx = (ux - u) * wide[0] + (uy - u) * wide[1]
        dy = (vx - v) * wide[0] + (vy - v) * wide[1]
        return dx, dy


class Prediction:
    """A predicted depth, looked up at pixels of a view.

    Parameters
    ----------
    log_depth : float32 [h, w], ln(metres), NaN where there is none.
    cells : intrinsics of `log_depth` as an image of its own.
    intrinsics : of the view.
    """

    def __init__(self, log_depth: np.ndarray, cells: Intrinsics, intrinsics: Intrinsics) -> None:
        self._log_depth = log_depth
        self._cells, self._view = cells, intrinsics

    def __call__(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Return ln(depth) at pixels, float32 [n], NaN where there is none."""
        return _lookup(self._log_depth, *self._place(u, v))

    def slope(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Return the slope of ln(depth) per pixel of the view along u and v, float32 [2, n]."""
        smooth = cv2.blur(self._log_depth, (5, 5))
        x, y = self._place(u, v)
        there = _lookup(smooth, x + _BESIDE_X, y + _BESIDE_Y)
        cells, view = self._cells, self._view
        per_pixel = np.array([[cells.fx / view.fx], [cells.fy / view.fy]], np.float32)
        slope = (there[:, 0] - there[:, 1]) * (_SLOPE_SHARE / 2 * per_pixel)
        slope[np.isnan(slope)] = 0
        return slope.clip(-_STEEPEST, _STEEPEST)

    def unevenness(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Return the range of ln(depth) in a cell and its neighbours, float32 [n]."""
        around = np.ones((3, 3), np.uint8)
        known = np.where(np.isfinite(self._log_depth), self._log_depth, np.float32(_UNKNOWN))
        spread = cv2.dilate(known, around) - cv2.erode(known, around)
        return _lookup(spread, *self._place(u, v))

    def _place(self, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        cells, view = self._cells, self._view
        x = (u - view.cx) * (cells.fx / view.fx) + cells.cx
        y = (v - view.cy) * (cells.fy / view.fy) + cells.cy
        return np.rint(x).astype(np.intp), np.rint(y).astype(np.intp)


def _lookup(values: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the values at integer positions, which are clipped to the border."""
    height, width = values.shape
    return values[y.clip(0, height - 1), x.clip(0, width - 1)]
