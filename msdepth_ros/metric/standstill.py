# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a camera moves, by its poses and by its images; if these differ, one of them is wrong."""

import cv2
import numpy as np

from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.metric.median import median_of
from msdepth_ros.metric.patches import likeness, offsets, patches_at, textured_points
from msdepth_ros.metric.projection import Projection
from msdepth_ros.metric.sweep import View

ODOMETRY_STANDS, IMAGE_STANDS = 'odometry stands, image moves', 'odometry moves, image stands'
# Pixels by which most of what is seen moves while the camera stands, and while it moves for sure.
_AT_REST, _MOVES = 0.5, 4.0
_UNLIKE = 0.5  # likeness of most points that shows another image
_SHIFT = 2  # pixels of the half image
_TEXTURE = 2.0  # grey levels that such a shift must change, to be seen
_UNCHANGED = 0.3  # share of that change that is none


class Standstill:
    """Compares each image with the first one of a standstill, seen in the poses or the images."""

    def __init__(self) -> None:
        self._resting: View | None = None
        self._unchanged: View | None = None

    @property
    def views(self) -> list[View]:
        """The views that are kept."""
        return [view for view in (self._resting, self._unchanged) if view is not None]

    def clear(self) -> None:
        """Forget the views, as when the odometry jumped."""
        self._resting = self._unchanged = None

    def contradiction(
        self,
        view: View,
        intrinsics: Intrinsics,
        pixels: tuple[np.ndarray, np.ndarray],
        log_depth: np.ndarray,
    ) -> str:
        """Return which of poses and images stands while the other moves, '' if neither does.

        Parameters
        ----------
        pixels, log_depth : u, v and ln(depth) at some places of the view, float32 [n] each.
        """
        resting, unchanged = self._resting, self._unchanged
        if resting is None or not _moved(resting, view, intrinsics, pixels, log_depth) < _AT_REST:
            self._resting = view
        elif _looks_otherwise(view, resting):
            return ODOMETRY_STANDS
        if unchanged is None or not _is_unchanged(view, unchanged):
            self._unchanged = view
        elif _moved(unchanged, view, intrinsics, pixels, log_depth) > _MOVES:
            return IMAGE_STANDS
        return ''


def _moved(
    before: View,
    view: View,
    intrinsics: Intrinsics,
    pixels: tuple[np.ndarray, np.ndarray],
    log_depth: np.ndarray,
) -> float:
    """Return by how many pixels places of a view moved by the poses, the median."""
    motion = np.linalg.inv(before.pose) @ view.pose
    projection = Projection(intrinsics, motion[None])
    u, v = projection(projection.rays(*pixels), np.exp(-log_depth)[:, None])
    way = np.hypot(u[0, :, 0] - pixels[0], v[0, :, 0] - pixels[1])
    return float(median_of(way, np.isfinite(way)))


def _looks_otherwise(view: View, before: View) -> bool:
    """Return whether most points with texture are not found again where they were."""
    u, v = textured_points(view.image, 50)
    if not len(u):
        return False
    patches, contrast = patches_at(view.image, u, v, 3)
    x, y = (np.broadcast_to(each, (1, len(u), each.size)) for each in offsets(3))
    centres = u[None, :, None], v[None, :, None]
    alike = likeness(patches, contrast, [before.image], centres, (x, y), 3)
    return bool(np.nanmedian(alike) < _UNLIKE)


def _is_unchanged(view: View, before: View) -> bool:
    """Return whether an image differs from another by far less than two pixels would change it."""
    half = view.half
    shifted = float(cv2.absdiff(half[:, _SHIFT:], half[:, :-_SHIFT]).mean())
    return shifted > _TEXTURE and cv2.absdiff(half, before.half).mean() < _UNCHANGED * shifted
