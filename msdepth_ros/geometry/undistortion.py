# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Undistortion: where each pixel of a pinhole image lies in the raw one."""

import functools
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from msdepth_ros.geometry.camera import Camera
from msdepth_ros.geometry.pinhole import Intrinsics

_NOWHERE = -1e4  # pixel coordinate outside of any image
_STEEPEST = 100.0  # tangent of the largest angle from the optical axis in a pinhole image
_SAMPLES = 4096


class Undistortion:
    """Undistorts images of one calibrated camera, and depth images of the same size.

    The maps are computed at the first use, as not every user needs them.

    Parameters
    ----------
    camera : of the images' size; `Camera.check` accepts it.
    intrinsics : of the pinhole image; None: the camera's own rectified image.
    """

    def __init__(self, camera: Camera, intrinsics: Intrinsics | None = None) -> None:
        self.camera = camera
        self.intrinsics = intrinsics or camera.rectified_intrinsics()

    @functools.cached_property
    def _pixels(self) -> tuple[np.ndarray, np.ndarray]:
        return raw_pixels(self.camera, self.intrinsics)

    @functools.cached_property
    def _fixed_point(self) -> tuple[np.ndarray, np.ndarray]:
        return cv2.convertMaps(*self._pixels, cv2.CV_16SC2)

    def image(self, image: np.ndarray) -> np.ndarray:
        """Undistort uint8 [height, width(, channels)]; black where the camera sees nothing."""
        return cv2.remap(image, *self._fixed_point, cv2.INTER_LINEAR, None, cv2.BORDER_CONSTANT)

    def depth(self, depth: np.ndarray) -> np.ndarray:
        """Undistort float32 [height, width], metres; 0 where the camera sees nothing.

        The nearest pixel is taken, so that no depth is mixed with another.
        """
        return cv2.remap(depth, *self._pixels, cv2.INTER_NEAREST)


def raw_pixels(camera: Camera, ideal: Intrinsics) -> tuple[np.ndarray, np.ndarray]:
    """Return where each pixel of a pinhole image lies in the raw image.

    Parameters
    ----------
    camera : of the raw image's size.
    ideal : intrinsics of the pinhole image.

    Returns
    -------
    u, v : float32 [height, width] each, pixels of the raw image; far outside of any image where
        the lens does not see the ray.
    """
    r = np.array(camera.r).reshape(3, 3)
    r = r if np.any(r) else np.eye(3)
    u, v = _lens_map(camera, r, ideal)
    u[~_in_view(camera, r, ideal)] = _NOWHERE
    return u, v


def _lens_map(camera: Camera, r: np.ndarray, ideal: Intrinsics) -> tuple[np.ndarray, np.ndarray]:
    k = np.array(camera.k).reshape(3, 3)
    size = (ideal.width, ideal.height)
    d = np.array(camera.d if camera.distorted else (0.0,) * 4)
    fisheye = camera.distorted and camera.distortion_model in ('equidistant', 'fisheye')
    lens: Any = cv2.fisheye if fisheye else cv2
    return lens.initUndistortRectifyMap(k, d, r, ideal.matrix(), size, cv2.CV_32FC1)


def _in_view(camera: Camera, r: np.ndarray, ideal: Intrinsics) -> np.ndarray:
    """Return the pixels of a pinhole image for which the lens model is valid.

    Beyond some angle, outside of what was calibrated, a lens polynomial decreases again and would
    show the image a second time. It is not valid for rays from behind, either.
    """
    x, y = np.meshgrid(*ideal.ray_slopes())
    across, down, ahead = np.moveaxis(np.stack([x, y, np.ones_like(x)], axis=-1) @ r, -1, 0)
    slope = np.full_like(ahead, np.inf)
    np.divide(np.hypot(across, down), ahead, out=slope, where=ahead > 0)
    steepest = slope[slope < _STEEPEST].max(initial=0.0)
    if not steepest or not camera.distorted:
        return slope < np.inf
    # The lens as a function of the slope alone: one row of an image with the lens's own axes.
    axis = Intrinsics(_SAMPLES, 1, (_SAMPLES - 1) / steepest, 1.0, 0.0, 0.0)
    lens = replace(camera, k=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
    falling = np.diff(_lens_map(lens, np.eye(3), axis)[0][0]) <= 0
    turn = np.argmax(falling) if falling.any() else _SAMPLES
    return slope <= turn / axis.fx
