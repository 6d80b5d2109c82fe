# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Layers of nav2_costmap_2d: VoxelLayer, ObstacleLayer, DenoiseLayer.

They mark and clear the same cells as the C++ of Nav2 (Humble to Kilted). A cell is lethal or not:
unknown cells count as free, and there is no inflation.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from msdepth_ros.navigation.observations import Observation, Source
from msdepth_ros.navigation.raytrace import cells_on_lines

Seen = Sequence[tuple[Source, Observation]]


@dataclass(frozen=True)
class Cells:
    """The cells of a costmap.

    Cell (row, column) begins at x = origin_x + column * resolution and
    y = origin_y + row * resolution.

    Attributes
    ----------
    rows, columns : number of cells along y and x.
    resolution : metres per cell.
    origin_x, origin_y : corner of cell (0, 0) in the costmap's frame, metres.
    """

    rows: int
    columns: int
    resolution: float = 0.05
    origin_x: float = 0.0
    origin_y: float = 0.0

    @classmethod
    def around(cls, x: float, y: float, size: float, resolution: float = 0.05) -> 'Cells':
        """Return a square costmap of `size` metres around a point."""
        count = round(size / resolution)
        half = count * resolution / 2
        return cls(count, count, resolution, x - half, y - half)

    def index(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return (row, column, inside) of points, int64 and bool, as Costmap2D::worldToMap."""
        column = np.floor((np.asarray(x, np.float64) - self.origin_x) / self.resolution)
        row = np.floor((np.asarray(y, np.float64) - self.origin_y) / self.resolution)
        inside = (column >= 0) & (row >= 0) & (column < self.columns) & (row < self.rows)
        return row.astype(np.int64), column.astype(np.int64), inside

    def centers(self, row: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the centres of cells, (x, y), float64 [n] each, metres."""
        x = self.origin_x + (np.asarray(column) + 0.5) * self.resolution
        y = self.origin_y + (np.asarray(row) + 0.5) * self.resolution
        return x, y

    def center(self, row: int, column: int) -> tuple[float, float]:
        """Return the centre of a cell, (x, y), metres."""
        x, y = self.centers(np.array(row), np.array(column))
        return float(x), float(y)

    def length(self, metres: float) -> int:
        """Return a distance in cells, rounded up."""
        return int(max(0.0, np.ceil(metres / self.resolution)))


class MarkingLayer(ABC):
    """A layer that points mark and clear.

    Attributes
    ----------
    lethal : bool [rows, columns].
    blind : sources whose sensor is outside the map: Nav2 clears nothing for them ("Sensor origin is
        out of map bounds").
    """

    def __init__(self, parameters: Mapping[str, Any], cells: Cells) -> None:
        self._cells = cells
        self._low = float(parameters.get('min_obstacle_height', 0.0))
        self._high = float(parameters.get('max_obstacle_height', 2.0))
        self.lethal = np.zeros((cells.rows, cells.columns), bool)
        self.blind: set[str] = set()

    def update(self, marking: Seen, clearing: Seen) -> None:
        """Clear along the rays of `clearing`, then mark the points of `marking`."""
        self.blind = set()
        for source, observation in clearing:
            self._clear(source, observation)
        for source, observation in marking:
            points = observation.marking(source)
            z = points[:, 2]
            self._mark(points[(z >= self._low) & (z <= self._high)])

    @abstractmethod
    def _clear(self, source: Source, observation: Observation) -> None: ...

    @abstractmethod
    def _mark(self, points: np.ndarray) -> None: ...


class VoxelLayer(MarkingLayer):
    """nav2_costmap_2d::VoxelLayer: columns of up to 16 voxels, cleared along rays in space.

    Attributes
    ----------
    marked : bool [rows, columns, voxels].
    """

    def __init__(self, parameters: Mapping[str, Any], cells: Cells) -> None:
        super().__init__(parameters, cells)
        self._origin_z = float(parameters.get('origin_z', 0.0))
        self._z_resolution = float(parameters.get('z_resolution', 0.2))
        self._threshold = int(parameters.get('mark_threshold', 0))
        levels = int(parameters.get('z_voxels', 10))
        self.marked = np.zeros((cells.rows, cells.columns, levels), bool)

    def _voxel(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the voxels (row, column, level) as floats [n, 3], and which are in the grid."""
        c = self._cells
        origin = np.array([c.origin_y, c.origin_x, self._origin_z])
        step = np.array([c.resolution, c.resolution, self._z_resolution])
        voxel = (points[:, [1, 0, 2]] - origin) / step
        return voxel, ((voxel >= 0) & (voxel < self.marked.shape)).all(axis=1)

    def _clear(self, source: Source, observation: Observation) -> None:
        if len(observation.points) == 0:
            return
        start, inside = self._voxel(observation.origin[None])
        if not inside[0]:
            self.blind.add(source.name)
            return
        origin = observation.origin
        way = observation.points.astype(np.float64) - origin
        distance = np.linalg.norm(way, axis=1)
        way = way[distance > 0]
        distance = distance[distance > 0]
        way *= np.maximum((distance - 2 * self._cells.resolution) / distance, 0.0)[:, None]
        way *= self._share_in_map(origin, way)[:, None]
        end, inside = self._voxel(origin + way)
        end = end[inside]
        lengths = np.linalg.norm(end - start, axis=1)
        starts = np.repeat(start.astype(np.int64), len(end), axis=0)
        longest = self._cells.length(source.raytrace_max_range)
        visited = cells_on_lines(starts, end.astype(np.int64), lengths, longest)
        row, column, level = visited.T
        self.marked[row, column, level] = False
        touched = np.zeros_like(self.lethal)
        touched[row, column] = True
        row, column = np.nonzero(touched & self.lethal)
        empty = self.marked[row, column].sum(axis=1) <= self._threshold
        self.lethal[row[empty], column[empty]] = False

    def _share_in_map(self, origin: np.ndarray, way: np.ndarray) -> np.ndarray:
        """Return the share of each ray that is inside the grid of voxels, float64 [n]."""
        c, levels = self._cells, self.marked.shape[2]
        low = np.array([c.origin_x, c.origin_y, self._origin_z])
        high = np.array(
            [
                c.origin_x + (c.columns - 0.5) * c.resolution,
                c.origin_y + (c.rows - 0.5) * c.resolution,
                self._origin_z + (levels - 0.5) * self._z_resolution,
            ]
        )
        end = origin + way
        with np.errstate(divide='ignore', invalid='ignore'):
            above = end[:, 2] > high[2]
            t = np.where(above, np.clip((high[2] - 0.01 - origin[2]) / way[:, 2], 0, 1), 1.0)
            for axis in range(3):
                too_low, too_high = end[:, axis] < low[axis], end[:, axis] > high[axis]
                t = np.where(too_low, np.minimum(t, (low - origin)[axis] / way[:, axis]), t)
                if axis < 2:
                    t = np.where(too_high, np.minimum(t, (high - origin)[axis] / way[:, axis]), t)
        return t

    def _mark(self, points: np.ndarray) -> None:
        points = points.astype(np.float64)
        points[:, 2] = np.maximum(points[:, 2], self._origin_z)
        voxel, inside = self._voxel(points)
        row, column, level = voxel[inside].astype(np.int64).T
        self.marked[row, column, level] = True
        enough = self.marked[row, column].sum(axis=1) > self._threshold
        self.lethal[row[enough], column[enough]] = True


class ObstacleLayer(MarkingLayer):
    """nav2_costmap_2d::ObstacleLayer: the same in the plane."""

    def _mark(self, points: np.ndarray) -> None:
        row, column, inside = self._cells.index(points[:, 0], points[:, 1])
        self.lethal[row[inside], column[inside]] = True

    def _clear(self, source: Source, observation: Observation) -> None:
        c, origin = self._cells, observation.origin[:2]
        row, column, inside = c.index(*origin[:, None])
        if not inside[0]:
            self.blind.add(source.name)
            return
        ends = observation.points[:, :2].astype(np.float64)
        low = np.array([c.origin_x, c.origin_y])
        high = low + np.array([c.columns, c.rows]) * c.resolution
        for axis in (0, 1):
            way = ends - origin
            for limit, outside, margin in (
                (low[axis], ends[:, axis] < low[axis], 0.0),
                (high[axis], ends[:, axis] > high[axis], 0.001),
            ):
                t = (limit - origin[axis]) / way[outside, axis]
                ends[outside] = origin + way[outside] * t[:, None]
                ends[outside, axis] = limit - margin
        end_row, end_column, inside = c.index(ends[:, 0], ends[:, 1])
        end = np.stack([end_row, end_column], axis=1)[inside]
        start = np.repeat(np.stack([row, column], axis=1), len(end), axis=0)
        lengths = np.linalg.norm(end - start, axis=1)
        longest = c.length(source.raytrace_max_range)
        visited = cells_on_lines(start, end, lengths, longest)
        self.lethal[visited[:, 0], visited[:, 1]] = False


def denoise(lethal: np.ndarray, minimal_group_size: int, connectivity: int) -> np.ndarray:
    """Return bool [rows, columns] without small groups of cells, as Nav2's DenoiseLayer.

    Parameters
    ----------
    lethal : bool [rows, columns].
    minimal_group_size : smaller groups are removed.
    connectivity : 4 or 8 neighbours.
    """
    if minimal_group_size <= 1:
        return lethal.copy()
    _, label, statistics, _ = cv2.connectedComponentsWithStats(
        lethal.astype(np.uint8), connectivity=connectivity
    )
    return lethal & (statistics[:, cv2.CC_STAT_AREA] >= minimal_group_size)[label]
