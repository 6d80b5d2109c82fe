# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measurements of other sensors, as depth at pixels of the camera image."""

import numpy as np

from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.metric.occlusion import visible
from msdepth_ros.metric.sparse_depth import NEAREST, SparseDepth

_ERROR = 0.02  # metres, standard deviation of a range
_RELATIVE = 0.02  # relative, standard deviation of depth by an error of the mount and a wide beam
_TILE = 40  # tiles per image width, to find hidden measurements of unknown density


def scan_points(
    ranges: np.ndarray,
    angle_min: float,
    angle_increment: float,
    range_min: float,
    range_max: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the points of a laser scan in its own frame, x forward and z up.

    Ranges outside of the scanner's limits give no point, nor do -inf (too near), +inf (too far) and
    NaN (no measurement), see REP-117.

    Parameters
    ----------
    ranges : float [beams], metres.
    angle_min, angle_increment : radians.
    range_min, range_max : metres.

    Returns
    -------
    float32 [n, 3], metres; and int [n], the indices of their beams.
    """
    ranges = np.asarray(ranges, np.float32)
    with np.errstate(invalid='ignore'):
        good = np.isfinite(ranges) & (ranges > NEAREST)
        good &= (ranges >= range_min) & (ranges <= range_max)
    beams = np.flatnonzero(good)
    angles = angle_min + angle_increment * beams
    points = np.zeros((len(beams), 3), np.float32)
    points[:, 0] = ranges[beams] * np.cos(angles)
    points[:, 1] = ranges[beams] * np.sin(angles)
    return points, beams


def project(
    points: np.ndarray,
    to_camera: np.ndarray,
    camera: Intrinsics,
    source: str,
    tile: float | None = None,
    baseline: float = np.inf,
) -> SparseDepth:
    """Return the points that the camera sees, as depth at its pixels.

    Parameters
    ----------
    points : float32 [n, 3], metres, in the sensor's frame.
    to_camera : float64 [4, 4], from that frame to the camera's optical frame.
    camera : intrinsics of the rectified camera image.
    source : name of the source.
    tile : distance of neighbouring points, pixels of the camera image, to find those that are
        hidden from the camera; None: not known.
    baseline : distance of the sensor from the camera, metres; infinite: not known.
    """
    turned = points @ to_camera[:3, :3].T.astype(np.float32)
    turned += to_camera[:3, 3].astype(np.float32)
    turned = turned[turned[:, 2] > NEAREST]
    depth = turned[:, 2]
    u = np.float32(camera.fx) * turned[:, 0] / depth + np.float32(camera.cx)
    v = np.float32(camera.fy) * turned[:, 1] / depth + np.float32(camera.cy)
    sparse = SparseDepth(u, v, depth, np.hypot(_RELATIVE, _ERROR / depth), source)
    tile = camera.width / _TILE if tile is None else tile
    size, parallax = (camera.width, camera.height), camera.fx * baseline
    return visible(sparse, size, max(1.0, tile), parallax=parallax)


def baseline(to_camera: np.ndarray) -> float:
    """Return how far a frame, from which float [4, 4] leads, is from the camera, metres."""
    return float(np.linalg.norm(to_camera[:3, 3]))
