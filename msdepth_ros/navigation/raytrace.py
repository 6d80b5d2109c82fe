# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The cells on lines through a grid, by Bresenham's algorithm as in Nav2."""

import numpy as np


def cells_on_lines(
    starts: np.ndarray, ends: np.ndarray, lengths: np.ndarray, longest: float
) -> np.ndarray:
    """Return the cells that lines visit, int64 [cells, axes]; a cell may occur several times.

    The axis along which a line is longest advances at each step; the others advance when their
    error has added up to one step. A line longer than `longest` is cut off in proportion along its
    longest axis (nav2_costmap_2d's Costmap2D::raytraceLine, nav2_voxel_grid's
    VoxelGrid::raytraceLine).

    Parameters
    ----------
    starts, ends : int64 [lines, axes], the first and last cell of each line.
    lengths : float64 [lines], lengths of the lines in cells.
    longest : length in cells at which a line is cut off.
    """
    delta = ends - starts
    extent = np.abs(delta)
    steps = extent.max(axis=1)
    with np.errstate(divide='ignore', invalid='ignore'):
        share = np.where(lengths > 0, np.minimum(1.0, longest / lengths), 1.0)
    visited = np.minimum((share * steps).astype(np.int64), steps) + 1
    line = np.repeat(np.arange(len(starts)), visited)
    step = np.arange(len(line)) - np.repeat(np.cumsum(visited) - visited, visited)
    whole = np.maximum(steps, 1)[line, None]
    advanced = (whole // 2 + step[:, None] * extent[line]) // whole
    dominant = extent[line] == whole
    advanced = np.where(dominant, step[:, None], advanced)
    return starts[line] + np.sign(delta)[line] * advanced
