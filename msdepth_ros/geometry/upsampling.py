# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From the network's grid of depths to the camera's pixels, no new points at an edge."""

import itertools

import numpy as np

from msdepth_ros.geometry.pinhole import Grid


class Upsampler:
    """Interpolates a grid of depths over the camera image that the grid lies in.

    The inverse of depth is interpolated linearly: it is linear in the pixel on every plane, so
    planes stay planes. Across a relative jump larger than `threshold` the nearest cell is taken
    instead, so that no point is invented between foreground and background. Beside a NaN and at
    the grid's border the slope on the cell's other side continues. A cell answers for the pixels
    up to half a step around it; what no cell answers for is NaN.
    """

    def __init__(self, cells: Grid, image_size: tuple[int, int]) -> None:
        width, height = image_size
        self.shape = (height, width)
        self._columns, self._column, self._offset_u = _nearest_cells(
            cells.width, cells.origin[0], cells.step[0], width
        )
        self._side = 2 * self._column + (self._offset_u > 0)
        self._rows, self._row, offset_v = _nearest_cells(
            cells.height, cells.origin[1], cells.step[1], height
        )
        # A pixel is 1 * the line of its cells + its offset * the slope on its side of the line.
        before, after = np.minimum(offset_v, 0), np.maximum(offset_v, 0)
        weights = np.stack([np.ones_like(offset_v), before, after], axis=1)
        self._terms = np.full((cells.height, 3, width), np.nan, np.float32)
        # One product for each run of cells that answer for equally many rows of pixels.
        count = np.bincount(self._row, minlength=cells.height)
        ends = np.cumsum(count)
        borders = [0, *(np.flatnonzero(np.diff(count)) + 1), cells.height]
        self._blocks = []
        for first, last in itertools.pairwise(borders):
            rows = slice(ends[first] - count[first], ends[last - 1])
            shape = (last - first, count[first], 3)
            self._blocks.append((rows, weights[rows].reshape(shape), self._terms[first:last]))

    def __call__(
        self,
        depth: np.ndarray,
        threshold: float,
        depth_range: tuple[float, float],
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """Upsample float32 [cells high, cells wide] to float32 [image height, image width].

        Nothing is extrapolated out of `depth_range` (nearest, farthest; metres). `out` is written
        and returned if it is given.
        """
        image = np.empty(self.shape, np.float32) if out is None else out
        limits = (1 / depth_range[1], 1 / depth_range[0])
        seen = image[self._rows]
        with np.errstate(divide='ignore', invalid='ignore'):
            inverse = np.reciprocal(depth)
            lines = self._lines(inverse, threshold, limits)
            self._terms[:, 0, self._columns] = lines
            self._terms[:, 1:, self._columns] = _slopes(lines, threshold, limits)
            for rows, weights, terms in self._blocks:
                pixels = seen[rows].reshape(*weights.shape[:2], seen.shape[1])  # a view
                np.matmul(weights, terms, out=pixels)
            np.reciprocal(seen, out=seen)
        image[: self._rows.start] = image[self._rows.stop :] = np.nan
        return image

    def nearest(self, cells: np.ndarray) -> np.ndarray:
        """Return for each pixel the value of its cell, bool [image height, image width].

        `cells` is bool [cells high, cells wide]; what has no cell is False.
        """
        image = np.zeros(self.shape, bool)
        image[self._rows, self._columns] = cells[self._row[:, None], self._column]
        return image

    def _lines(
        self, inverse: np.ndarray, threshold: float, limits: tuple[float, float]
    ) -> np.ndarray:
        """Interpolate along each row of cells: [cells high, pixels that have a cell]."""
        columns = np.ascontiguousarray(inverse.T)  # whole rows are picked faster than columns
        slopes = _slopes(columns, threshold, limits).reshape(-1, len(inverse))
        lines = slopes[self._side]
        lines *= self._offset_u[:, None]
        lines += columns[self._column]
        return np.ascontiguousarray(lines.T)


def _nearest_cells(
    cells: int, origin: float, step: float, pixels: int
) -> tuple[slice, np.ndarray, np.ndarray]:
    """Find, along one axis, which cell answers for each pixel.

    Returns the slice of pixels that have a cell; and for each of them its cell and its offset
    from that cell's centre in steps, float32 in [-0.5, 0.5].
    """
    position = (np.arange(pixels) - origin) / step
    cell = np.floor(position + 0.5).astype(np.intp)
    # A pixel on the very border of the outermost cell belongs to it.
    cell[np.isclose(position, cells - 0.5)] = cells - 1
    inside = np.flatnonzero((cell >= 0) & (cell < cells))
    span = slice(int(inside[0]), int(inside[-1]) + 1) if inside.size else slice(0, 0)
    return span, cell[span], (position[span] - cell[span]).astype(np.float32)


def _slopes(values: np.ndarray, threshold: float, limits: tuple[float, float]) -> np.ndarray:
    """Return the change per cell before and after each row's centre, [rows, 2, columns].

    0 where the relative jump to the neighbour exceeds the threshold (0 = none does). Where there
    is no neighbour, or it is NaN, the slope on the other side continues; no slope leaves the
    limits within its half cell.
    """
    low, high = limits
    change = np.diff(values, axis=0)
    unknown = np.isnan(change)
    limit = np.inf if threshold <= 0 else np.float32(threshold)
    continues = np.abs(change) <= limit * np.minimum(values[1:], values[:-1])
    np.copyto(change, 0, where=~continues)
    slopes = np.empty((len(values), 2, values.shape[1]), np.float32)
    before, after = slopes[:, 0], slopes[:, 1]
    before[1:] = after[:-1] = change
    before[0], after[-1] = change[0], change[-1]
    np.copyto(before[1:], after[1:], where=unknown)
    np.copyto(after[:-1], before[:-1], where=unknown)
    to_low, to_high = 2 * (low - values), 2 * (high - values)
    np.minimum(np.maximum(after, to_low, out=after), to_high, out=after)
    np.minimum(np.maximum(before, -to_high, out=before), -to_low, out=before)
    return slopes
