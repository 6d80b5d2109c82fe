# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Depth to points, in the optical frame (REP-103: x right, y down, z forward)."""

import numpy as np

from msdepth_ros.camera import Intrinsics


def point_cloud(
    depth: np.ndarray, intrinsics: Intrinsics, colors: np.ndarray | None = None
) -> np.ndarray:
    """Return the organised cloud of a depth image.

    X = (u - cx) * Z / fx and Y = (v - cy) * Z / fy, as depth_image_proc computes them.

    Parameters
    ----------
    depth : float32 [height, width], metres along Z, NaN invalid.
    intrinsics : of that image.
    colors : uint8 [height, width, 3] RGB, optional.

    Returns
    -------
    float32 [height, width, 3]: x, y, z in metres, all NaN where depth is; or, with colours,
    [height, width, 4], the fourth being PCL's packed `rgb` (0x00RRGGBB in the float's bits).
    """
    x, y = intrinsics.ray_slopes()
    points = np.empty((*depth.shape, 3 if colors is None else 4), np.float32)
    np.multiply(depth, x, out=points[..., 0])
    np.multiply(depth, y[:, None], out=points[..., 1])
    points[..., 2] = depth
    if colors is not None:
        red, green, blue = (colors[..., channel].astype(np.uint32) for channel in range(3))
        points.view(np.uint32)[..., 3] = red << 16 | green << 8 | blue
    return points


def dense_points(points: np.ndarray) -> np.ndarray:
    """Return the valid points of an organised cloud as float32 [count, fields]."""
    return points[np.isfinite(points[..., 2])]
