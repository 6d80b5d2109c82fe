# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A* on the cells of a costmap: a short path that keeps away from lethal cells."""

import heapq
import math

import cv2
import numpy as np

_STEPS = [
    (row, column, math.hypot(row, column))
    for row in (-1, 0, 1)
    for column in (-1, 0, 1)
    if row or column
]
_NEAR = 0.35  # metres beyond the robot's radius within which cells cost more
_WEIGHT = 4.0  # additional cost of a cell directly beside an obstacle


def clearance(lethal: np.ndarray, resolution: float) -> np.ndarray:
    """Return each cell's distance to the nearest lethal cell, float32 metres; inf without any."""
    if not lethal.any():
        return np.full(lethal.shape, np.inf, np.float32)
    free = (~lethal).astype(np.uint8)
    return cv2.distanceTransform(free, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) * np.float32(resolution)


def plan(
    clear: np.ndarray,
    start: tuple[int, int],
    goal: tuple[int, int],
    radius: float,
    resolution: float,
    escape: float = 0.0,
    partial: bool = False,
) -> list[tuple[int, int]]:
    """Find a path for a round robot by A* with the octile distance as the heuristic.

    Parameters
    ----------
    clear : float32 [rows, columns], the result of `clearance`, metres.
    start, goal : cells (row, column).
    radius : radius of the robot, metres; the clearance of all cells exceeds it, except near start.
    resolution : metres per cell.
    escape : distance from the start, metres, within which half of the radius is enough, so that a
        robot beside an obstacle can leave.
    partial : if no path leads to the goal, return one to the reachable cell closest to it.

    Returns
    -------
    The cells of the path from start to goal, both included; [] if there is none.
    """
    rows, columns = clear.shape
    row, column = np.ogrid[:rows, :columns]
    near_start = np.hypot(row - start[0], column - start[1]) * resolution <= escape
    passable = (clear > radius) | (near_start & (clear > radius / 2))
    passable[start] = True
    if not (passable[goal] or partial):
        return []
    beside = np.clip((radius + _NEAR - clear) / _NEAR, 0, 1)
    cost = np.where(passable, 1 + _WEIGHT * beside**2, np.inf).tolist()
    best = {start: 0.0}
    came: dict[tuple[int, int], tuple[int, int]] = {}
    queue = [(0.0, start)]
    done: set[tuple[int, int]] = set()
    closest = start
    while queue:
        _, cell = heapq.heappop(queue)
        if cell == goal:
            return _way(came, goal)
        if cell in done:
            continue
        done.add(cell)
        closest = min(closest, cell, key=lambda each: math.dist(each, goal))
        for down, right, length in _STEPS:
            r, c = cell[0] + down, cell[1] + right
            if not (0 <= r < rows and 0 <= c < columns):
                continue
            total = best[cell] + length * cost[r][c]
            if total < best.get((r, c), math.inf):
                best[r, c], came[r, c] = total, cell
                dr, dc = abs(r - goal[0]), abs(c - goal[1])
                heuristic = max(dr, dc) + (math.sqrt(2) - 1) * min(dr, dc)
                heapq.heappush(queue, (total + heuristic, (r, c)))
    return _way(came, closest) if partial else []


def _way(
    came: dict[tuple[int, int], tuple[int, int]], goal: tuple[int, int]
) -> list[tuple[int, int]]:
    way = [goal]
    while way[-1] in came:
        way.append(came[way[-1]])
    return way[::-1]
