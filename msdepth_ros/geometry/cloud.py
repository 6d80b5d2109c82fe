# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Depth to points, in the optical frame (REP-103: x right, y down, z forward)."""

import numpy as np

from msdepth_ros.geometry.pinhole import Intrinsics

_SMALLEST_VOXEL = 1e-3  # metres; with smaller ones, voxel numbers may overflow int64


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
    float32 [height, width, 3]: x, y, z in metres, optical frame; all NaN where the depth is NaN.
    With colours [height, width, 4]: the fourth is PCL's packed `rgb` (0x00RRGGBB as a float).
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


def limit_range(points: np.ndarray, nearest: float, farthest: float) -> np.ndarray:
    """Set points to NaN, in place, whose distance from the camera is outside the limits.

    Parameters
    ----------
    points : float32 [height, width, fields] or [count, fields], x, y, z first, metres.
    nearest, farthest : metres; 0: no limit.

    Returns
    -------
    `points` itself.
    """
    if nearest <= 0 and farthest <= 0:
        return points
    x, y, z = (points[..., axis] for axis in range(3))
    squared = x * x + y * y + z * z
    outside = squared < nearest * nearest
    if farthest > 0:
        outside |= squared > farthest * farthest
    points[outside, :3] = np.nan
    return points


def pull_in_range(
    points: np.ndarray, intrinsics: Intrinsics, farthest: float, beyond: np.ndarray | None = None
) -> np.ndarray:
    """Move points that are farther than `farthest` along their rays to that distance, in place.

    Nav2's costmap clears the whole ray up to such a point, and marks nothing at it if its
    obstacle_max_range is smaller. Without these points (`limit_range`), obstacles that are gone
    would stay in the costmap.

    Parameters
    ----------
    points : float32 [height, width, 3 or 4], an organised cloud in the optical frame, metres.
    intrinsics : of that cloud's image.
    farthest : distance from the camera in metres; 0 moves nothing.
    beyond : bool [height, width], where the depth is above the model's range; those points are
        moved, too. None: nowhere.

    Returns
    -------
    `points` itself.
    """
    if farthest <= 0:
        return points
    x, y = intrinsics.ray_slopes()
    length = np.sqrt(1 + x * x + (y * y)[:, None])  # of a ray up to depth 1
    at_most = np.float32(farthest) / length
    far = points[..., 2] > at_most
    if beyond is not None:
        far |= beyond
    row, column = np.nonzero(far)
    depth = at_most[row, column]
    points[row, column, 0] = x[column] * depth
    points[row, column, 1] = y[row] * depth
    points[row, column, 2] = depth
    return points


def reduced(points: np.ndarray, voxel_size: float, organized: bool) -> np.ndarray:
    """Return a cloud as it is published: organised, or its valid points, or one for each voxel.

    Parameters
    ----------
    points : float32 [height, width, 3 or 4], an organised cloud, NaN invalid.
    voxel_size : metres; above 0, `organized` is ignored and each voxel has one point.
    organized : whether the cloud stays organised.

    Returns
    -------
    float32 [height, width, 3 or 4] or [count, 3 or 4].
    """
    if voxel_size > 0:
        return voxel_downsample(dense_points(points), voxel_size)
    return points if organized else dense_points(points)


def voxel_downsample(points: np.ndarray, size: float) -> np.ndarray:
    """Return the mean of the points in each voxel, as PCL's VoxelGrid does.

    Parameters
    ----------
    points : float32 [count, 3 or 4], valid points as `dense_points` returns them.
    size : edge of a voxel in metres, at least 1 mm; the grid is aligned with the origin.

    Returns
    -------
    float32 [voxels, 3 or 4].
    """
    size = max(size, _SMALLEST_VOXEL)
    if len(points) == 0:
        return points
    cube = np.floor(points[:, :3] / np.float32(size)).astype(np.int64)
    cube -= cube.min(axis=0)
    _, ny, nz = cube.max(axis=0) + 1
    key = (cube[:, 0] * ny + cube[:, 1]) * nz + cube[:, 2]
    _, voxel, counts = np.unique(key, return_inverse=True, return_counts=True)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(voxel, weights=values) / counts

    means = np.empty((len(counts), points.shape[1]), np.float32)
    for axis in range(3):
        means[:, axis] = mean(points[:, axis])
    if points.shape[1] == 4:
        packed = np.ascontiguousarray(points[:, 3]).view(np.uint32)
        mixed = np.zeros(len(counts), np.uint32)
        for shift in (16, 8, 0):
            mixed |= np.rint(mean(packed >> shift & 255)).astype(np.uint32) << shift
        means.view(np.uint32)[:, 3] = mixed
    return means


def dense_points(points: np.ndarray) -> np.ndarray:
    """Return the valid points of an organised cloud as float32 [count, fields]."""
    return points[np.isfinite(points[..., 2])]
