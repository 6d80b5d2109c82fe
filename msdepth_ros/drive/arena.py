# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A furnished room, and what a robot can hit in it."""

import itertools
import math
from dataclasses import dataclass
from random import Random

import numpy as np

from msdepth_ros.errors import MsdepthError
from msdepth_ros.navigation.layers import Cells
from msdepth_ros.navigation.planner import clearance, plan
from msdepth_ros.rooms.scene import Scene
from msdepth_ros.rooms.solids import BOX, CYLINDER, SHELL

RESOLUTION = 0.05  # metres per cell of the robot's costmap
_FINE = 2  # number of fine cells along one cell of the costmap
_LOWEST = 0.05  # metres; a robot drives over lower things, such as a rug
_MARGIN = 0.5  # metres of costmap beyond the walls
_TRIES = 300


@dataclass(frozen=True)
class Arena:
    """A room with a start and a goal.

    Attributes
    ----------
    scene : the room, to be rendered.
    cells : cells of the costmap; the room's corner is at (0, 0).
    solid : bool [_FINE * rows, _FINE * columns], what a robot can hit.
    start, goal : (x, y) in metres.
    heading : heading at the start, radians from x towards y.
    shortest : length of the shortest path, metres.
    """

    scene: Scene
    cells: Cells
    solid: np.ndarray
    start: tuple[float, float]
    heading: float
    goal: tuple[float, float]
    shortest: float

    def hits(self, x: float, y: float, radius: float) -> bool:
        """Return whether a round robot at (x, y) touches something."""
        step = self.cells.resolution / _FINE
        reach = math.ceil(radius / step) + 1
        column = math.floor((x - self.cells.origin_x) / step)
        row = math.floor((y - self.cells.origin_y) / step)
        rows = slice(max(row - reach, 0), row + reach + 1)
        columns = slice(max(column - reach, 0), column + reach + 1)
        r, c = np.nonzero(self.solid[rows, columns])
        cx = self.cells.origin_x + (c + columns.start + 0.5) * step
        cy = self.cells.origin_y + (r + rows.start + 0.5) * step
        return bool((np.hypot(cx - x, cy - y) < radius).any())


def make_arena(scene: Scene, rng: Random, radius: float, height: float) -> Arena:
    """Choose a start and a goal that are far apart and joined by a path.

    Parameters
    ----------
    scene : a room, on the CPU.
    rng : random numbers; the same state gives the same places.
    radius, height : radius and height of the robot, metres.

    Raises
    ------
    MsdepthError
        If the room is too full for a robot of this size.
    """
    length, width, _ = scene.size
    rows, columns = (math.ceil((size + 2 * _MARGIN) / RESOLUTION) for size in (width, length))
    cells = Cells(rows, columns, RESOLUTION, -_MARGIN, -_MARGIN)
    solid = _solid(scene, cells, height)
    coarse = np.asarray(solid.reshape(rows, _FINE, columns, _FINE).any(axis=(1, 3)))
    clear = clearance(coarse, RESOLUTION)
    best: tuple[float, list[tuple[int, int]]] = (0.0, [])
    free = np.argwhere(clear > radius + 0.1)
    if len(free) < 2:
        raise MsdepthError('the room is too full for the robot')
    for _ in range(_TRIES):
        (a, b), (c, d) = (free[rng.randrange(len(free))].tolist() for _ in range(2))
        start, goal = (a, b), (c, d)
        apart = math.dist(start, goal) * RESOLUTION
        if apart <= best[0]:
            continue
        way = plan(clear, start, goal, radius + 0.05, RESOLUTION)
        if way:
            best = apart, way
        if apart > 0.75 * math.hypot(length, width):
            break
    way = best[1]
    if best[0] < 1.5:
        raise MsdepthError('the room is too full for the robot')
    places = [cells.center(*cell) for cell in way]
    ahead = places[min(10, len(places) - 1)]
    return Arena(
        scene,
        cells,
        solid,
        places[0],
        math.atan2(ahead[1] - places[0][1], ahead[0] - places[0][0]),
        places[-1],
        sum(math.dist(a, b) for a, b in itertools.pairwise(places)),
    )


def _solid(scene: Scene, cells: Cells, height: float) -> np.ndarray:
    """Return where something is between _LOWEST and `height` above the floor, on fine cells."""
    step = cells.resolution / _FINE
    x = cells.origin_x + (np.arange(cells.columns * _FINE) + 0.5) * step
    y = cells.origin_y + (np.arange(cells.rows * _FINE) + 0.5) * step
    length, width, _ = scene.size
    solid = ~(((y > 0) & (y < width))[:, None] & ((x > 0) & (x < length)))
    levels = np.append(np.arange(_LOWEST, height, 0.03), height)
    parts = scene.primitives
    for shape, center, half, rotation, taper in zip(
        parts.shape.tolist(),
        parts.center.numpy().astype(float),
        parts.half.numpy().astype(float),
        parts.rotation.numpy().astype(float),
        parts.taper.tolist(),
    ):
        if shape == SHELL:
            continue
        half = np.maximum(half, step / 2)  # so that no thin leg lies between the cells
        reach = float(np.linalg.norm(half))
        rows = np.flatnonzero(abs(y - center[1]) <= reach)
        columns = np.flatnonzero(abs(x - center[0]) <= reach)
        inside = levels[abs(levels - center[2]) <= reach]
        if not (len(rows) and len(columns) and len(inside)):
            continue
        grid = np.stack(np.meshgrid(x[columns], y[rows], inside, indexing='xy'), axis=-1)
        unit = (grid - center) @ rotation / half
        hit = _within(shape, unit, taper).any(axis=-1)
        solid[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] |= hit
    return solid


def _within(shape: int, unit: np.ndarray, taper: float) -> np.ndarray:
    """Return which points [..., 3], in unit coordinates of a solid, are inside it; bool [...]."""
    if shape == BOX:
        return np.asarray((abs(unit) <= 1).all(axis=-1))
    if shape == CYLINDER:
        rim = 1 - taper / 2 - taper / 2 * unit[..., 2]
        return (np.hypot(unit[..., 0], unit[..., 1]) <= rim) & (abs(unit[..., 2]) <= 1)
    return (unit * unit).sum(axis=-1) <= 1
