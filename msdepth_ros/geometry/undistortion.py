# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a lens to a pinhole: where each pixel of an ideal image lies in the raw one."""

import functools
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from msdepth_ros.geometry.camera import Camera
from msdepth_ros.geometry.pinhole import Intrinsics

_NOWHERE = -1e4  # pixel coordinate outside of any image
_STEEPEST = 100.0  # tangent of the largest angle off the optical axis that a pinhole image shows
_SAMPLES = 4096


class Undistortion:
    """Takes whole images of one calibrated camera, and depths on them, to a pinhole image.

    The maps are made at the first use, since few users need them.

    Parameters
    ----------
    camera : of the images' size, usable (Camera.check).
    intrinsics : of the pinhole image; None = the camera's own rectified image.
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
        """Return uint8 [height, width(, channels)], undistorted; black where nothing was seen."""
        return cv2.remap(image, *self._fixed_point, cv2.INTER_LINEAR, None, cv2.BORDER_CONSTANT)

    def depth(self, depth: np.ndarray) -> np.ndarray:
        """Return float32 [height, width], undistorted, no depth mixed with another; else 0."""
        return cv2.remap(depth, *self._pixels, cv2.INTER_NEAREST)


def raw_pixels(camera: Camera, ideal: Intrinsics) -> tuple[np.ndarray, np.ndarray]:
    """Return the raw image's pixel (u, v) for each pixel of an ideal image, float32 each.

    Rays that the lens cannot see get a pixel far outside of any image.
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
    """Return for which pixels of an ideal image the lens model can be believed.

    Past some angle, farther than was calibrated, a lens polynomial turns back and shows the image
    a second time; and it knows no rays from behind.
    """
    x, y = np.meshgrid(*ideal.ray_slopes())
    across, down, ahead = np.moveaxis(np.stack([x, y, np.ones_like(x)], axis=-1) @ r, -1, 0)
    slope = np.full_like(ahead, np.inf)
    np.divide(np.hypot(across, down), ahead, out=slope, where=ahead > 0)
    steepest = slope[slope < _STEEPEST].max(initial=0.0)
    if not steepest or not camera.distorted:
        return slope < np.inf
    # The lens as a function of the slope alone, as one row of an image with the lens's own axes.
    axis = Intrinsics(_SAMPLES, 1, (_SAMPLES - 1) / steepest, 1.0, 0.0, 0.0)
    lens = replace(camera, k=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
    falling = np.diff(_lens_map(lens, np.eye(3), axis)[0][0]) <= 0
    turn = np.argmax(falling) if falling.any() else _SAMPLES
    return slope <= turn / axis.fx
