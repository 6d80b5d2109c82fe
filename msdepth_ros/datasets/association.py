# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pairs images with depth images of nearly the same time."""

import bisect
from collections.abc import Sequence

TOLERANCE = 0.02  # seconds, as in the TUM RGB-D benchmark's own tool


def associate(
    images: Sequence[float], depths: Sequence[float], tolerance: float = TOLERANCE
) -> list[tuple[int, int]]:
    """Pair stamps, the closest first; each is used once (TUM RGB-D benchmark, associate.py).

    Parameters
    ----------
    images, depths : stamps in seconds, ascending.
    tolerance : largest difference of a pair, seconds.

    Returns
    -------
    (index of the image, index of the depth image), in the order of the images.
    """
    candidates = []
    for i, stamp in enumerate(images):
        first = bisect.bisect_left(depths, stamp - tolerance)
        last = bisect.bisect_right(depths, stamp + tolerance)
        candidates += [(abs(stamp - depths[j]), i, j) for j in range(first, last)]
    free_images, free_depths = set(range(len(images))), set(range(len(depths)))
    pairs = []
    for _, i, j in sorted(candidates):
        if i in free_images and j in free_depths:
            free_images.remove(i)
            free_depths.remove(j)
            pairs.append((i, j))
    return sorted(pairs)
