# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The floor as a measurement: the mount says how far it is, the image which cells show it."""

from dataclasses import dataclass

import numpy as np

from msdepth_ros.geometry.cloud import point_cloud
from msdepth_ros.geometry.floor import FloorError, fit_floor
from msdepth_ros.geometry.pinhole import Grid, Intrinsics
from msdepth_ros.metric.sparse_depth import SparseDepth

SOURCE = 'floor'
_LEVELEST = 0.02  # slope of a ray below the horizon from which the floor's depth is told
_FARTHEST = 12.0  # metres
_SURE = 0.8  # probability of the network from which a cell counts as floor
_LEAST_SHARE = 0.03  # of the image that must show floor
_WIDEST = 0.3  # spread of ln(plane / prediction) over the floor's cells
_LARGEST = 1.6  # ln of the largest correction that is believed
_LARGEST_BY_SHAPE = 0.6  # so that a table is not taken for the floor
_SIGMA = 0.12  # of ln(depth) of a cell: it may be none of the floor
_SIGMA_OF_MOUNT = 0.075  # of ln(depth): what the mount is off by, the same for all cells
_STRIDE = 4  # cells; of the points that the shape of the floor is sought in
_SCATTER = 0.04  # of a prediction's floor, relative
_SHARE_BY_SHAPE = 0.4
_TOLERANCE = 0.06
_MOST = 40  # cells


@dataclass(frozen=True)
class FloorPlane:
    """Where the floor lies: from the mount of the camera.

    Attributes
    ----------
    up : float64 [3], of length 1, upwards in the optical frame (x right, y down, z forward).
    height : of the camera above the floor, metres.
    """

    up: np.ndarray
    height: float

    def depth(self, intrinsics: Intrinsics) -> np.ndarray:
        """Return the floor's depth, float32 [height, width], metres; NaN where none is seen."""
        x, y = intrinsics.ray_slopes()
        falling = -(x[None] * self.up[0] + y[:, None] * self.up[1] + self.up[2])
        with np.errstate(divide='ignore', invalid='ignore'):
            depth = self.height / falling
        seen = (falling > _LEVELEST) & (depth < _FARTHEST)
        return np.where(seen, depth, np.nan).astype(np.float32)


def measure_floor(
    depth: np.ndarray,
    cells: Grid,
    camera: Intrinsics,
    plane: FloorPlane,
    probability: np.ndarray | None = None,
) -> SparseDepth:
    """Return the floor's depth at cells that show it; none where that is in doubt.

    A network with the output `floor` says which cells these are. For others the prediction's shape
    does: a level plane of the mount's direction through a large part of it.

    Parameters
    ----------
    depth : float32 [height, width], the network's depth, metres.
    cells : where its cells lie in the rectified camera image.
    camera : of the rectified camera image.
    plane : the floor, from the mount.
    probability : float32 [height, width], that a cell shows the floor; None: not known.
    """
    expected = plane.depth(camera.sampled(cells))
    if probability is None:
        shows = _by_shape(depth, camera.sampled(cells), plane)
        probability = np.where(shows, np.float32(_SURE), np.float32(0))
        least, largest = _SHARE_BY_SHAPE, _LARGEST_BY_SHAPE
    else:
        least, largest = _LEAST_SHARE, _LARGEST
    with np.errstate(divide='ignore', invalid='ignore'):
        off = np.log(expected / depth)
    found = (probability >= _SURE) & np.isfinite(off)
    nothing = SparseDepth([], [], [], [], SOURCE)  # type: ignore[arg-type]
    if found.sum() < least * found.size:
        return nothing
    quarter, middle, three_quarters = np.quantile(off[found], [0.25, 0.5, 0.75])
    if three_quarters - quarter > 1.35 * _WIDEST or abs(middle) > largest:
        return nothing
    rows, columns = np.nonzero(found)
    if len(rows) > _MOST:
        some = np.linspace(0, len(rows) - 1, _MOST).astype(np.intp)
        rows, columns = rows[some], columns[some]
    # An error that n cells share weighs as n errors of their own that are sqrt(n) times as large.
    shared = _SIGMA_OF_MOUNT * len(rows) ** 0.5
    return SparseDepth(
        cells.origin[0] + cells.step[0] * columns,
        cells.origin[1] + cells.step[1] * rows,
        expected[rows, columns],
        np.hypot(_SIGMA / probability[rows, columns], shared),
        SOURCE,
    )


def _by_shape(depth: np.ndarray, intrinsics: Intrinsics, plane: FloorPlane) -> np.ndarray:
    """Return which cells lie on the level plane that a prediction has below the camera, bool."""
    points = point_cloud(depth, intrinsics)
    try:
        floor = fit_floor(points[::_STRIDE, ::_STRIDE], plane.up)
    except FloorError:
        return np.zeros(depth.shape, bool)
    if floor.scatter > _SCATTER:
        return np.zeros(depth.shape, bool)
    return np.abs(points[..., :3] @ floor.normal / floor.height + 1) <= _TOLERANCE
