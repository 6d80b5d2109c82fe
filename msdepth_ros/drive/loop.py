# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The loop of a drive: see, update the costmap, plan, move."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from msdepth_ros.drive.arena import Arena
from msdepth_ros.drive.robot import Body, Place, step
from msdepth_ros.drive.sight import Cameraman, Sight, View
from msdepth_ros.navigation.costmap import Costmap
from msdepth_ros.navigation.planner import clearance, plan

PERIOD = 0.4  # seconds between two images
_ARRIVED = 0.25  # metres to the goal
_PATIENCE = 5.0  # time limit, in times of the shortest path, plus a minute
_MOST_BUMPS = 5  # collisions after which it gives up
_REPLAN = 3.0  # seconds after which a path is planned anew, even if the old one is free
_WORTH = 0.3  # metres; shorter paths that do not reach the goal are not followed
_CLEARINGS = 3  # how often the costmap is cleared after looking around found no path


@dataclass
class Drive:
    """The result of a drive.

    Attributes
    ----------
    shortest : length of the shortest path, metres.
    reached : whether the robot reached the goal.
    why : why it did not; '' if it did.
    collisions : number of collisions.
    distance : metres driven.
    seconds : simulated time.
    trail : places (x, y) of the robot, metres.
    bumps : places (x, y) of the robot at collisions, metres.
    lethal : bool [rows, columns], the costmap at the end.
    false_cells, true_cells : mean number of lethal cells more than 0.3 m from anything solid, and
        of the other ones.
    last_view : the last image.
    """

    shortest: float
    reached: bool = False
    why: str = ''
    collisions: int = 0
    distance: float = 0.0
    seconds: float = 0.0
    trail: list[tuple[float, float]] = field(default_factory=list)
    bumps: list[tuple[float, float]] = field(default_factory=list)
    lethal: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), bool))
    false_cells: float = 0.0
    true_cells: float = 0.0
    last_view: View | None = None


def drive(
    arena: Arena, body: Body, cameraman: Cameraman, sight: Sight, costmap: Mapping[str, Any]
) -> Drive:
    """Let a robot cross an arena.

    Parameters
    ----------
    arena, body : the room and the robot.
    cameraman, sight : render the images and compute the clouds.
    costmap : Nav2's parameters of one costmap; see navigation.costmap.Costmap.
    """
    result = Drive(arena.shortest)
    cells = arena.cells
    watched = Costmap(costmap, cells)
    bumped = np.zeros((cells.rows, cells.columns), bool)
    place = Place(*arena.start, arena.heading)
    limit = 60 + _PATIENCE * arena.shortest / body.speed
    from_truth = _distance_to_solid(arena)
    looked_around, clearings = 0.0, 0
    way: list[tuple[float, float]] = []
    planned = -math.inf
    counts = []
    while result.seconds < limit:
        result.trail.append((place.x, place.y))
        if math.dist((place.x, place.y), arena.goal) < _ARRIVED:
            result.reached = True
            break
        result.last_view = cameraman.view(place)
        seen = sight.sightings(result.last_view, cameraman, place, result.seconds)
        watched.update(seen)
        own = _disc(arena, place, body.radius)
        for layer in watched.layers.values():
            layer.lethal[own] = False  # footprint_clearing_enabled
        lethal = watched.master() | bumped
        result.lethal = lethal
        counts.append((int((lethal & (from_truth > 0.3)).sum()), int(lethal.sum())))
        if result.seconds - planned >= _REPLAN or not _still_free(arena, lethal, way, place, body):
            way, planned = _way(arena, lethal, place, body), result.seconds
        if way:
            looked_around = 0.0
        else:
            looked_around += body.turn * PERIOD
            if looked_around > math.tau:
                clearings += 1
                looked_around = 0.0
                if clearings > _CLEARINGS:
                    result.why = 'no way'
                    break
                watched = Costmap(costmap, cells)
        place, driven, bump = step(arena, body, place, way, PERIOD)
        result.distance += driven
        result.seconds += PERIOD
        if bump:
            result.collisions += 1
            result.bumps.append((place.x, place.y))
            bumped |= _ahead(arena, place, body.radius)
            if result.collisions >= _MOST_BUMPS:
                result.why = 'too many collisions'
                break
    else:
        result.why = 'too slow'
    if counts:
        false, marked = np.mean(counts, axis=0)
        result.false_cells, result.true_cells = float(false), float(marked - false)
    return result


def _still_free(
    arena: Arena,
    lethal: np.ndarray,
    way: list[tuple[float, float]],
    place: Place,
    body: Body,
) -> bool:
    """Return whether an earlier path is still free."""
    if not way:
        return False
    x, y = np.array(way).T
    ahead = np.hypot(x - place.x, y - place.y)
    ahead[: int(ahead.argmin())] = 0
    row, column, _ = arena.cells.index(x, y)
    clear = clearance(lethal, arena.cells.resolution)[row, column]
    return bool((clear > body.radius)[ahead > body.radius + 0.1].all())


def _way(arena: Arena, lethal: np.ndarray, place: Place, body: Body) -> list[tuple[float, float]]:
    cells = arena.cells
    rows, columns, _ = cells.index(
        np.array([place.x, arena.goal[0]]), np.array([place.y, arena.goal[1]])
    )
    start, goal = ((int(r), int(c)) for r, c in zip(rows, columns))
    clear = clearance(lethal, cells.resolution)
    escape = body.radius + 0.1
    found = plan(clear, start, goal, body.radius, cells.resolution, escape, partial=True)
    if len(found) * cells.resolution < _WORTH and found[-1] != goal:
        return []
    return [cells.center(row, column) for row, column in found]


def _distance_to_solid(arena: Arena) -> np.ndarray:
    fine = arena.solid.shape[0] // arena.cells.rows
    shape = arena.cells.rows, fine, arena.cells.columns, fine
    coarse = np.asarray(arena.solid.reshape(shape).any(axis=(1, 3)))
    return clearance(coarse, arena.cells.resolution)


def _disc(arena: Arena, place: Place, radius: float) -> np.ndarray:
    cells = arena.cells
    x, y = cells.centers(np.arange(cells.rows), np.arange(cells.columns))
    return np.hypot(x - place.x, (y - place.y)[:, None]) < radius


def _ahead(arena: Arena, place: Place, radius: float) -> np.ndarray:
    """Return the cells directly in front of the robot, where its bumper was hit."""
    reach = radius + 0.06
    there = Place(
        place.x + reach * math.cos(place.heading), place.y + reach * math.sin(place.heading), 0.0
    )
    return _disc(arena, there, 0.08) & ~_disc(arena, place, radius)
