# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Depth images as measurements: from a depth camera, with holes, of any size."""

import numpy as np

from msdepth_ros.metric.sparse_depth import SparseDepth

SIGMA = 0.02  # standard deviation of ln(depth) of a depth camera
_MOST = 20_000  # pixels; larger images are thinned


def points_of_depth(
    depth: np.ndarray, size: tuple[int, int], source: str, sigma: float = SIGMA
) -> SparseDepth:
    """Return the valid pixels of a depth image as measurements in a camera image.

    Parameters
    ----------
    depth : float32 [h, w], metres along Z, 0 or NaN where there is none; registered to the camera
        image, of any size.
    size : (width, height) of the camera image.
    source : name of the source.
    sigma : standard deviation of ln(depth).
    """
    height, width = depth.shape
    step = thinning(depth.shape)
    some = depth[step // 2 :: step, step // 2 :: step]
    rows, columns = np.nonzero(some > 0)
    x, y = columns * step + step // 2, rows * step + step // 2
    return SparseDepth(
        (x + 0.5) * (size[0] / width) - 0.5,
        (y + 0.5) * (size[1] / height) - 0.5,
        some[rows, columns],
        np.full(len(rows), sigma, np.float32),
        source,
    )


def thinning(shape: tuple[int, ...]) -> int:
    """Return how many pixels apart the measurements of a depth image [h, w] are taken."""
    return int(np.ceil((shape[0] * shape[1] / _MOST) ** 0.5))
