# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a sensor sees and the camera cannot: it sits elsewhere, and looks past edges."""

import cv2
import numpy as np

from msdepth_ros.metric.sparse_depth import SparseDepth

_MARGIN = 0.1  # of the depth; nearer ones hide only what is farther by more


def visible(sparse: SparseDepth, size: tuple[int, int], tile: float, reach: int = 1) -> SparseDepth:
    """Return the measurements that no nearer one of the same source hides from the camera.

    A z-buffer of tiles: a measurement is hidden where one within `reach` tiles of it is nearer by
    more than a tenth. Tiles are as wide as the measurements lie apart, so that a surface has one in
    each of its tiles.

    Parameters
    ----------
    size : (width, height) of the camera image, pixels.
    tile : side of a tile, pixels.
    """
    columns, rows = (int(np.ceil(side / tile)) + 1 for side in size)
    x = np.floor((sparse.u + 0.5) / tile).astype(np.intp)
    y = np.floor((sparse.v + 0.5) / tile).astype(np.intp)
    inside = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
    sparse, place = sparse[inside], (y * columns + x)[inside]
    nearest = np.full(rows * columns, np.inf, np.float32)
    np.minimum.at(nearest, place, sparse.depth)
    around = cv2.erode(nearest.reshape(rows, columns), np.ones((2 * reach + 1,) * 2, np.uint8))
    return sparse[sparse.depth <= around.ravel()[place] * np.float32(1 + _MARGIN)]


def thinned(sparse: SparseDepth, most: int) -> SparseDepth:
    """Return at most `most` of the measurements, evenly from first to last."""
    if len(sparse) <= most:
        return sparse
    return sparse[np.linspace(0, len(sparse) - 1, most).astype(np.intp)]
