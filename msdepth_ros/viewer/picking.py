# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a click on the page to a point in front of the camera."""

import math
from dataclasses import dataclass

import numpy as np

from msdepth_ros.geometry.pinhole import Intrinsics

_REACH = math.radians(1.5)  # greatest angle between a click's ray and a point of the cloud
_NEAR_PIXELS = 2  # distance in which a pixel with depth is searched


@dataclass(frozen=True)
class Pick:
    """A point that was clicked on.

    Attributes
    ----------
    depth : metres along the optical axis.
    position : float64 [3] in the optical frame, metres; None without calibration.
    pixel : (u, v) in the depth image; None for a point of the cloud.
    """

    depth: float
    position: np.ndarray | None
    pixel: tuple[int, int] | None = None

    @property
    def distance(self) -> float | None:
        """Distance from the lens to the point, metres; None without calibration."""
        return None if self.position is None else float(np.linalg.norm(self.position))


def letterbox(size: tuple[int, int], aspect: float) -> tuple[int, int, int, int]:
    """Fit a picture into the middle of a page with another aspect ratio.

    Parameters
    ----------
    size : (width, height) of the picture, pixels.
    aspect : width / height of the page.

    Returns
    -------
    (width, height) of the page in the picture's pixels, then (left, top) of the picture in it.
    """
    width, height = size
    page = max(width, round(height * aspect)), max(height, round(width / aspect))
    return *page, (page[0] - width) // 2, (page[1] - height) // 2


def pixel_at(
    place: tuple[float, float], shown: tuple[int, int], aspect: float, size: tuple[int, int]
) -> tuple[int, int] | None:
    """Return the pixel of an image at a place of the page.

    Parameters
    ----------
    place : (x, y) on the page, 0 to 1 from its left and top.
    shown : (width, height) of the picture that was sent to the page.
    aspect : width / height of the page.
    size : (width, height) of the original image.

    Returns
    -------
    (u, v), or None beside the picture.
    """
    page_width, page_height, left, top = letterbox(shown, aspect)
    u = math.floor((place[0] * page_width - left) * size[0] / shown[0])
    v = math.floor((place[1] * page_height - top) * size[1] / shown[1])
    return (u, v) if 0 <= u < size[0] and 0 <= v < size[1] else None


def pick_pixel(
    depth: np.ndarray, intrinsics: Intrinsics | None, pixel: tuple[int, int]
) -> Pick | None:
    """Return the point at a pixel, None if it has no depth.

    Parameters
    ----------
    depth : float32 [height, width], metres along Z, NaN invalid.
    intrinsics : intrinsics of the depth image; None: no calibration.
    pixel : (u, v); if it has no depth, the nearest pixel within 2 pixels is used.
    """
    u0, v0 = pixel
    u_first, v_first = max(0, u0 - _NEAR_PIXELS), max(0, v0 - _NEAR_PIXELS)
    around = depth[v_first : v0 + _NEAR_PIXELS + 1, u_first : u0 + _NEAR_PIXELS + 1]
    rows, columns = np.nonzero(np.isfinite(around))
    if not len(rows):
        return None
    nearest = np.argmin((columns + u_first - u0) ** 2 + (rows + v_first - v0) ** 2)
    u, v = int(columns[nearest]) + u_first, int(rows[nearest]) + v_first
    z = float(depth[v, u])
    position = None
    if intrinsics is not None:
        i = intrinsics
        position = z * np.array([(u - i.cx) / i.fx, (v - i.cy) / i.fy, 1.0])
    return Pick(z, position, (u, v))


def pick_point(points: np.ndarray, origin: np.ndarray, direction: np.ndarray) -> Pick | None:
    """Return the first point of a cloud on a ray, None if there is none.

    Points within 1.5 degrees of the ray are candidates. Of those whose distance is within 10 % of
    the nearest one, the point closest to the ray is returned.

    Parameters
    ----------
    points : float32 [count, 3] in the optical frame, metres, valid ones only.
    origin, direction : float [3], the ray, in the same frame.
    """
    direction = np.asarray(direction, np.float64) / np.linalg.norm(direction)
    offsets = points.astype(np.float64) - np.asarray(origin, np.float64)
    along = offsets @ direction
    aside = np.linalg.norm(offsets - along[:, None] * direction, axis=1)
    near = np.flatnonzero((along > 0) & (aside <= math.tan(_REACH) * along))
    if not len(near):
        return None
    surface = near[along[near] <= 1.1 * along[near].min()]
    best = points[surface[np.argmin(aside[surface] / along[surface])]].astype(np.float64)
    return Pick(float(best[2]), best)
