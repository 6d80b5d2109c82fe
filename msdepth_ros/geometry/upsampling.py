# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Depth on the network's grid, interpolated to the camera's pixels without new points at edges."""

import itertools

import numpy as np

from msdepth_ros.geometry.pinhole import Grid


class Upsampler:
    """Interpolates depth on a grid of cells to the pixels of the camera image.

    The inverse of depth is interpolated linearly: on a plane it is linear in the pixel, so planes
    stay planes. Across a relative jump larger than `threshold` the nearest cell is taken, so that
    there are no points between foreground and background. Beside a NaN and at the grid's border,
    the slope from the cell's other side is continued. The pixels of a cell are those up to half a
    step around it; pixels without a cell are NaN.

    Parameters
    ----------
    cells : the grid, in pixels of the image.
    image_size : (width, height).
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
        # A pixel is the value on its row of cells + its offset * the slope on its side of that row.
        before, after = np.minimum(offset_v, 0), np.maximum(offset_v, 0)
        weights = np.stack([np.ones_like(offset_v), before, after], axis=1)
        self._terms = np.full((cells.height, 3, width), np.nan, np.float32)
        # One matrix product for each run of cells that have equally many rows of pixels.
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
        """Return the depth of each pixel, float32 [image height, image width], metres along Z.

        Parameters
        ----------
        depth : float32 [cells high, cells wide], metres along Z, NaN invalid.
        threshold : the smallest jump z / z_neighbour - 1 that is not interpolated; 0: none.
        depth_range : (nearest, farthest), metres; nothing is extrapolated beyond it.
        out : float32 [image height, image width], written and returned; None: a new array.
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
        """Return the value of each pixel's cell, bool [image height, image width].

        Parameters
        ----------
        cells : bool [cells high, cells wide]; pixels without a cell are False.
        """
        image = np.zeros(self.shape, bool)
        image[self._rows, self._columns] = cells[self._row[:, None], self._column]
        return image

    def _lines(
        self, inverse: np.ndarray, threshold: float, limits: tuple[float, float]
    ) -> np.ndarray:
        """Return the inverse depth along each row of cells, [cells high, pixels with a cell]."""
        columns = np.ascontiguousarray(inverse.T)  # whole rows are picked faster than columns
        slopes = _slopes(columns, threshold, limits).reshape(-1, len(inverse))
        lines = slopes[self._side]
        lines *= self._offset_u[:, None]
        lines += columns[self._column]
        return np.ascontiguousarray(lines.T)


def _nearest_cells(
    cells: int, origin: float, step: float, pixels: int
) -> tuple[slice, np.ndarray, np.ndarray]:
    """Return, along one axis, the cell of each pixel.

    Returns
    -------
    The slice of pixels that have a cell; for each of them its cell, and its offset from that
    cell's centre in steps, float32 in [-0.5, 0.5].
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

    It is 0 where the relative jump to the neighbour exceeds the threshold (a threshold of 0: it
    never does). Where there is no neighbour, or it is NaN, it is that of the other side. It is
    limited so that no value within half a cell is outside the limits.
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
