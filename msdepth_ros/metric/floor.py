# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The floor as a measurement: its depth from the mount, at the cells of the image that show it."""

from dataclasses import dataclass

import numpy as np

from msdepth_ros.geometry.cloud import point_cloud
from msdepth_ros.geometry.floor import FloorError, fit_floor
from msdepth_ros.geometry.pinhole import Grid, Intrinsics
from msdepth_ros.metric.sparse_depth import SparseDepth

SOURCE = 'floor'
_LEVELEST = 0.02  # least slope of a ray below the horizon
_FARTHEST = 12.0  # metres
_SURE = 0.8  # least probability of a cell that counts as floor
_LEAST_SHARE = 0.03  # least fraction of the image that shows floor
_WIDEST = 0.3  # largest spread of ln(plane / prediction) over the floor's cells
_LARGEST = 1.6  # ln of the largest plausible correction
_LARGEST_BY_SHAPE = 0.6  # the same by shape, so that a table is not taken for the floor
_SIGMA = 0.12  # standard deviation of ln(depth) of a cell, which may not be floor
_SIGMA_OF_MOUNT = 0.075  # standard deviation of ln(depth) by the mount, the same for all cells
_STRIDE = 4  # cells; between the points to which the floor is fitted
_SCATTER = 0.04  # largest relative scatter of a prediction's floor
_SHARE_BY_SHAPE = 0.4
_TOLERANCE = 0.06
_MOST = 40  # cells


@dataclass(frozen=True)
class FloorPlane:
    """The floor, from the mount of the camera.

    Attributes
    ----------
    up : float64 [3], of length 1, upwards in the optical frame (x right, y down, z forward).
    height : of the camera above the floor, metres.
    """

    up: np.ndarray
    height: float

    def depth(self, intrinsics: Intrinsics) -> np.ndarray:
        """Return the floor's depth, float32 [height, width], metres along Z; NaN where not seen."""
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
    """Return the floor's depth at the cells that show it; no cells if that is not certain.

    A network with the output `floor` says which cells show it. For other networks they are found by
    the shape of the prediction: a large level plane, by the mount's direction.

    Parameters
    ----------
    depth : float32 [height, width], the network's depth, metres.
    cells : its cells, in pixels of the rectified camera image.
    camera : intrinsics of the rectified camera image.
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
    # One error of all n cells counts as n independent errors that are sqrt(n) times as large.
    shared = _SIGMA_OF_MOUNT * len(rows) ** 0.5
    return SparseDepth(
        cells.origin[0] + cells.step[0] * columns,
        cells.origin[1] + cells.step[1] * rows,
        expected[rows, columns],
        np.hypot(_SIGMA / probability[rows, columns], shared),
        SOURCE,
    )


def _by_shape(depth: np.ndarray, intrinsics: Intrinsics, plane: FloorPlane) -> np.ndarray:
    """Return which cells lie on the level plane below the camera in a prediction, bool."""
    points = point_cloud(depth, intrinsics)
    try:
        floor = fit_floor(points[::_STRIDE, ::_STRIDE], plane.up)
    except FloorError:
        return np.zeros(depth.shape, bool)
    if floor.scatter > _SCATTER:
        return np.zeros(depth.shape, bool)
    return np.abs(points[..., :3] @ floor.normal / floor.height + 1) <= _TOLERANCE
