# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Points that float in the air between an obstacle and what is behind it."""

import numpy as np


def remove_flying_pixels(depth: np.ndarray, threshold: float) -> np.ndarray:
    """Set cells to NaN that lie behind a neighbour by more than a relative depth jump.

    A network blurs a step in depth into a slope; the points on it float in empty space. The
    nearest cells at a step are kept, so that an obstacle loses nothing of its size.

    Parameters
    ----------
    depth : float32 [height, width], metres, changed in place.
    threshold : the smallest jump z / z_neighbour - 1 that is removed; 0 = keep everything.
    """
    if threshold <= 0:
        return depth
    limit = np.float32(1 + threshold)
    nearest = np.full_like(depth, np.inf)
    rows, columns = np.s_[1:, :], np.s_[:, 1:]
    rows_before, columns_before = np.s_[:-1, :], np.s_[:, :-1]
    for here, there in (
        (rows, rows_before),
        (rows_before, rows),
        (columns, columns_before),
        (columns_before, columns),
    ):
        np.fmin(nearest[here], depth[there], out=nearest[here])
    depth[depth > nearest * limit] = np.nan
    return depth
