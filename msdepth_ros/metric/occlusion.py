# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measurements that are hidden from the camera: the sensor has another position."""

import cv2
import numpy as np

from msdepth_ros.metric.sparse_depth import SparseDepth

_MARGIN = 0.1  # relative depth; a nearer measurement hides only what is farther by more


def visible(
    sparse: SparseDepth,
    size: tuple[int, int],
    tile: float,
    reach: int = 1,
    parallax: float = np.inf,
) -> SparseDepth:
    """Return the measurements that are not hidden by a nearer one of the same source.

    It uses a z-buffer of tiles: a measurement is hidden if another one, within `reach` tiles, is
    nearer by more than a tenth. A tile is as wide as the distance of neighbouring measurements, so
    that a surface has one in each tile. Two measurements that are neighbours for the sensor, too,
    hide nothing: they are an edge, or one of them is wrong.

    Parameters
    ----------
    sparse : of one source.
    size : (width, height) of the camera image, pixels.
    tile : side of a tile, pixels.
    reach : tiles around a measurement that are compared.
    parallax : focal length times the distance of the sensor from the camera, pixels * metres: by
        this times the difference of their inverse depths the sensor sees two measurements elsewhere
        than the camera. Infinite: not known.
    """
    columns, rows = (int(np.ceil(side / tile)) + 1 for side in size)
    x = np.floor((sparse.u + 0.5) / tile).astype(np.intp)
    y = np.floor((sparse.v + 0.5) / tile).astype(np.intp)
    inside = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
    sparse, place = sparse[inside], (y * columns + x)[inside]
    nearest = np.full(rows * columns, np.inf, np.float32)
    np.minimum.at(nearest, place, sparse.depth)
    around = cv2.erode(nearest.reshape(rows, columns), np.ones((2 * reach + 1,) * 2, np.uint8))
    around = around.ravel()[place]
    beside = sparse.depth <= around * np.float32(1 + _MARGIN)
    if np.isfinite(parallax):
        shift = np.float32(parallax) * (1 / around - 1 / sparse.depth)
        beside |= shift <= (reach + 1) * tile
    return sparse[beside]


def thinned(sparse: SparseDepth, most: int) -> SparseDepth:
    """Return at most `most` of the measurements, evenly chosen."""
    if len(sparse) <= most:
        return sparse
    return sparse[np.linspace(0, len(sparse) - 1, most).astype(np.intp)]
