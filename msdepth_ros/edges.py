# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Depth discontinuities: removing flying pixels, and upsampling that does not make new ones."""

import numpy as np

from msdepth_ros.camera import Grid


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


class Upsampler:
    """Interpolates a grid of depths over the camera image that the grid lies in.

    The inverse of depth is interpolated linearly: it is linear in the pixel on every plane, so
    planes stay planes. Across a relative jump larger than `threshold`, and beside a NaN, the
    nearest cell is taken instead, so that no point is invented between foreground and background.
    A cell answers for the pixels up to half a step around it; what no cell answers for is NaN.
    """

    def __init__(self, cells: Grid, image_size: tuple[int, int]) -> None:
        width, height = image_size
        self.shape = (height, width)
        self._columns, self._u, self._segment_u, self._offset_u = _segments(
            cells.width, cells.origin[0], cells.step[0], width
        )
        self._rows, cell, segment, self._offset_v = _segments(
            cells.height, cells.origin[1], cells.step[1], height
        )
        starts = np.flatnonzero(np.diff(segment, prepend=-1)).tolist()
        self._blocks = [
            (slice(start, stop), int(cell[start]), int(segment[start]))
            for start, stop in zip(starts, [*starts[1:], len(segment)], strict=True)
        ]

    def __call__(
        self, depth: np.ndarray, threshold: float, out: np.ndarray | None = None
    ) -> np.ndarray:
        """Upsample float32 [cells high, cells wide] to float32 [image height, image width].

        `out` is written and returned if it is given.
        """
        image = np.empty(self.shape, np.float32) if out is None else out
        with np.errstate(divide='ignore', invalid='ignore'):
            inverse = np.reciprocal(depth)
            known = inverse[np.isfinite(inverse)]
            low, high = (known.min(), known.max()) if known.size else (0.0, 0.0)
            across = _slopes(inverse.T, threshold).T
            lines = np.take(across, self._segment_u, axis=1)
            lines *= self._offset_u
            lines += np.take(inverse, self._u, axis=1)
            np.clip(lines, low, high, out=lines)  # extrapolated half cells
            self._fill(image[self._rows, self._columns], lines, _slopes(lines, threshold))
            for edge in (self._rows.start, self._rows.stop - 1):
                np.clip(image[edge], 1 / high, 1 / low, out=image[edge])
        image[: self._rows.start] = image[self._rows.stop :] = np.nan
        image[:, : self._columns.start] = image[:, self._columns.stop :] = np.nan
        return image

    def _fill(self, image: np.ndarray, lines: np.ndarray, slopes: np.ndarray) -> None:
        """Write 1 / (line + offset * slope), half a cell's rows at a time."""
        for rows, cell, segment in self._blocks:
            block = image[rows]
            np.multiply(self._offset_v[rows, None], slopes[segment], out=block)
            block += lines[cell]
            np.reciprocal(block, out=block)


def _segments(
    cells: int, origin: float, step: float, pixels: int
) -> tuple[slice, np.ndarray, np.ndarray, np.ndarray]:
    """Find, along one axis, which cell answers for each pixel, and on which side of it.

    Returns the slice of pixels that have a cell; and for each of them: its cell, its half
    segment (2 * cell before the centre, 2 * cell + 1 after it) and its offset from the centre in
    steps, float32 in [-0.5, 0.5].
    """
    position = (np.arange(pixels) - origin) / step
    cell = np.floor(position + 0.5).astype(np.intp)
    # A pixel on the very border of the outermost cell belongs to it.
    cell[np.isclose(position, cells - 0.5)] = cells - 1
    inside = np.flatnonzero((cell >= 0) & (cell < cells))
    columns = slice(int(inside[0]), int(inside[-1]) + 1) if inside.size else slice(0, 0)
    cell, position = cell[columns], position[columns]
    offset = (position - cell).astype(np.float32)
    return columns, cell, 2 * cell + (offset > 0), offset


def _slopes(values: np.ndarray, threshold: float) -> np.ndarray:
    """Return the change per cell before and after each row's centre, [2 * rows, columns].

    0 where the neighbour is NaN or the relative jump to it exceeds the threshold (0 = none does).
    The outermost half cells continue the slope inside.
    """
    change = np.diff(values, axis=0)
    limit = np.inf if threshold <= 0 else np.float32(threshold)
    smooth = np.abs(change) <= limit * np.minimum(values[1:], values[:-1])
    change = np.where(smooth, change, np.float32(0))
    slopes = np.empty((2 * values.shape[0], values.shape[1]), np.float32)
    slopes[1:-1:2] = change
    slopes[2::2] = change
    slopes[0], slopes[-1] = change[0], change[-1]
    return slopes
