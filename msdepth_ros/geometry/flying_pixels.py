# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Points that float in the air between an obstacle and what is behind it."""

import numpy as np

_REACH = 4  # cells on the near side of a jump that are tested for a plane
_ALIKE = 0.35  # largest relative difference of two equal steps of inverse depth


def remove_flying_pixels(depth: np.ndarray, threshold: float) -> np.ndarray:
    """Set cells to NaN that lie behind a neighbour by more than a relative depth jump.

    A network blurs a step in depth into a slope, and the points on it float in empty space. The
    cells on the near side of a step are kept, so that obstacles keep their size. A plane seen at a
    flat angle (the far floor, the walls of a corridor) has such jumps, too. But the inverse depth
    of a plane is linear in the pixel: a cell is kept if the steps around its jump are equal to it.

    Parameters
    ----------
    depth : float32 [height, width], metres, changed in place.
    threshold : the smallest jump z / z_neighbour - 1 that is removed; 0: keep everything.

    Returns
    -------
    `depth` itself.
    """
    if threshold <= 0:
        return depth
    limit = np.float32(1 + threshold)
    removed = np.zeros(depth.shape, bool)
    with np.errstate(divide='ignore', invalid='ignore'):
        inverse = np.full([size + 2 * _REACH for size in depth.shape], np.nan, np.float32)
        inner = inverse[_REACH:-_REACH, _REACH:-_REACH]
        np.reciprocal(depth, out=inner)
        limits = inner * limit
        for down, right in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            near = inverse[_shifted(down), _shifted(right)]
            cells = np.flatnonzero(near > limits)  # far faster than `nonzero` of two dimensions
            if len(cells):
                row, column = np.unravel_index(cells, depth.shape)
                flying = ~_continues_a_plane(inverse, row + _REACH, column + _REACH, down, right)
                removed[row, column] |= flying
    depth[removed] = np.nan
    return depth


def _shifted(by: int) -> slice:
    return slice(_REACH + by, -_REACH + by)


def _continues_a_plane(
    inverse: np.ndarray, row: np.ndarray, column: np.ndarray, down: int, right: int
) -> np.ndarray:
    """Return for each cell whether its step to the near neighbour belongs to a plane.

    One of two must hold:

    - the steps around this one are equal to it, one on the near side and three on the far side;
    - three steps on the near side are equal, and this one is not larger: one plane ends at another
      one, as the floor ends at the foot of a wall.

    A NaN step counts as equal if three others are known.

    Parameters
    ----------
    inverse : inverse depth, with a border of _REACH cells of NaN.
    row, column : of the cells in `inverse`; the near neighbour is at (row + down, column + right).
    """
    offset = np.arange(-3, _REACH + 1)
    line = inverse[row[:, None] + down * offset, column[:, None] + right * offset]
    steps = np.diff(line, axis=1)  # step 3 is the one to the near neighbour
    known = np.isfinite(steps)

    def equal(which: slice, reference: int) -> np.ndarray:
        one = steps[:, reference, None]
        alike = ~known[:, which] | (np.abs(steps[:, which] - one) <= _ALIKE * np.abs(one))
        return alike.all(axis=1) & (known[:, which].sum(axis=1) >= 3)

    no_larger = steps[:, 3] <= (1 + _ALIKE) * steps[:, 4]
    return equal(slice(0, 5), 3) | (equal(slice(4, None), 4) & no_larger)
