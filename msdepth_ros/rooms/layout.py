# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Random furnished rooms: windows, doors, furniture, clutter and lamps."""

from __future__ import annotations

import math
from random import Random

from msdepth_ros.rooms import fixtures, furniture, objects
from msdepth_ros.rooms import materials as m
from msdepth_ros.rooms.furniture import Piece
from msdepth_ros.rooms.scene import Scene, Surface, assemble
from msdepth_ros.rooms.solids import Solid, Vector, box, cylinder, placed

STYLES = ('room', 'desk', 'robot')


class Plan:
    """A room's floor plan while it is furnished: what stands where.

    Parameters
    ----------
    size : length (x), width (y) and height (z) of the room, metres.
    """

    def __init__(self, size: Vector) -> None:
        self.size = size
        self.solids: list[Solid] = []
        self.surfaces: list[Surface] = []
        self._taken: list[tuple[float, float, float, float]] = []

    def fits(self, x: float, y: float, half_x: float, half_y: float) -> bool:
        """Return whether a rectangle around (x, y) is inside the room and free."""
        length, width, _ = self.size
        if not (half_x < x < length - half_x and half_y < y < width - half_y):
            return False
        return all(
            x + half_x <= a or x - half_x >= b or y + half_y <= c or y - half_y >= d
            for a, b, c, d in self._taken
        )

    def take(self, x: float, y: float, half_x: float, half_y: float) -> None:
        """Mark a rectangle around (x, y) as taken."""
        self._taken.append((x - half_x, x + half_x, y - half_y, y + half_y))

    def wall(self, number: int, along: float, out: float) -> tuple[float, float, float]:
        """Return a point beside a wall, and the direction into the room.

        Parameters
        ----------
        number : of the wall, 0 to 3.
        along : distance from the wall's middle, along the wall, metres.
        out : distance from the wall, metres.

        Returns
        -------
        x, y in metres; yaw of an object that stands with its back to the wall, radians.
        """
        length, width, _ = self.size
        yaw = number * math.pi / 2
        cosine, sine = round(math.cos(yaw)), round(math.sin(yaw))
        reach = (width if number % 2 == 0 else length) / 2
        x, y = along, out - reach
        return length / 2 + cosine * x - sine * y, width / 2 + sine * x + cosine * y, yaw

    def wall_length(self, number: int) -> float:
        """Return the length of a wall, metres."""
        return self.size[number % 2]

    def add(self, piece: Piece, x: float, y: float, yaw: float, margin: float = 0.0) -> bool:
        """Place furniture if its place is free, `margin` metres around it included.

        Returns
        -------
        Whether it was placed.
        """
        c, s = abs(math.cos(yaw)), abs(math.sin(yaw))
        half_x = c * piece.width + s * piece.depth + margin
        half_y = s * piece.width + c * piece.depth + margin
        if not self.fits(x, y, half_x - 0.005, half_y - 0.005):
            return False
        self.take(x, y, half_x, half_y)
        self.solids += placed(piece.solids, x, y, 0, yaw)
        if piece.top is not None:
            self.surfaces.append(Surface((x, y, piece.top), piece.width, piece.depth, yaw))
        return True


def _size(rng: Random, style: str) -> Vector:
    kind = rng.random()
    height = rng.uniform(2.3, 3.0)
    if kind < 0.12:
        return rng.uniform(5, 11), rng.uniform(1.5, 2.6), height
    if kind < (0.3 if style == 'robot' else 0.2):
        return rng.uniform(6, 12), rng.uniform(5, 9), height + rng.uniform(0, 1.5)
    return rng.uniform(3, 6.2), rng.uniform(2.6, 5), height


def _openings(plan: Plan, rng: Random) -> dict[int, list[tuple[float, float]]]:
    """Add windows and a door; return the parts of each wall that tall furniture must not cover."""
    busy: dict[int, list[tuple[float, float]]] = {0: [], 1: [], 2: [], 3: []}
    walls = rng.sample(range(4), 4)
    brightness = rng.choice([0.05, rng.uniform(0.8, 2), rng.uniform(2, 6), rng.uniform(2, 6)])
    for wall in walls[: rng.choices([0, 1, 2], [1.5, 5, 2])[0]]:
        room = plan.wall_length(wall) / 2
        half = min(rng.uniform(0.4, 1.1), room - 0.3)
        along = rng.uniform(-1, 1) * (room - half - 0.2)
        x, y, yaw = plan.wall(wall, along, 0)
        high = min(plan.size[2] - 0.25, rng.uniform(2.0, 2.4))
        low = rng.choice([0.1, rng.uniform(0.7, 1.0), rng.uniform(0.7, 1.0)])
        plan.solids += placed(fixtures.window(rng, half, low, high, brightness), x, y, 0, yaw)
        busy[wall].append((along - half, along + half))
    wall = walls[-1]
    room = plan.wall_length(wall) / 2
    along = rng.uniform(-1, 1) * max(room - 0.6, 0)
    x, y, yaw = plan.wall(wall, along, 0)
    plan.solids += placed(fixtures.door(rng), x, y, 0, yaw)
    busy[wall].append((along - 0.5, along + 0.5))
    x, y, _ = plan.wall(wall, along, 0.3)
    plan.take(x, y, 0.3, 0.3)
    return busy


def _furnish_walls(plan: Plan, rng: Random, busy: dict[int, list[tuple[float, float]]]) -> None:
    kinds, weights = list(furniture.ALONG_WALLS), list(furniture.ALONG_WALLS.values())
    fullness = rng.uniform(0.3, 0.95)
    for wall in range(4):
        edge = plan.wall_length(wall) / 2
        along = -edge + rng.uniform(0.02, 0.5)
        while along < edge - 0.4:
            if rng.random() > fullness:
                along += rng.uniform(0.3, 1.2)
                continue
            piece = rng.choices(kinds, weights)[0](rng)
            span = (along, along + 2 * piece.width)
            tall = max(s.center[2] + s.half[2] for s in piece.solids) > 1.0
            blocked = tall and any(a < span[1] and b > span[0] for a, b in busy[wall])
            x, y, yaw = plan.wall(wall, along + piece.width, piece.depth + rng.uniform(0.01, 0.06))
            if not blocked and span[1] < edge and plan.add(piece, x, y, yaw):
                if piece.top and rng.random() < 0.4 and piece.width > 0.5:
                    seat = furniture.office_chair(rng)
                    x, y, _ = plan.wall(
                        wall, along + piece.width, 2 * piece.depth + rng.uniform(0.15, 0.45)
                    )
                    plan.solids += placed(seat.solids, x, y, 0, yaw + math.pi + rng.gauss(0, 0.4))
                    plan.take(x, y, 0.2, 0.2)
                along = span[1] + (
                    rng.uniform(0, 0.15) if rng.random() < 0.5 else rng.uniform(0.1, 1)
                )
            else:
                along += rng.uniform(0.2, 0.5)
        for _ in range(rng.randrange(4)):
            half = (rng.uniform(0.12, 0.55), rng.uniform(0.12, 0.4))
            along = rng.uniform(-1, 1) * max(edge - half[0] - 0.05, 0)
            if not any(a < along + half[0] and b > along - half[0] for a, b in busy[wall]):
                x, y, yaw = plan.wall(wall, along, 0)
                plan.solids += placed(
                    fixtures.picture(rng, *half), x, y, rng.uniform(1.3, 1.75), yaw
                )
                busy[wall].append((along - half[0], along + half[0]))


def _anywhere(plan: Plan, rng: Random) -> tuple[float, float]:
    return rng.uniform(0, plan.size[0]), rng.uniform(0, plan.size[1])


def _furnish_middle(plan: Plan, rng: Random) -> None:
    length, width, _ = plan.size
    if rng.random() < 0.6:
        half = (
            min(rng.uniform(0.6, 1.6), length / 2 - 0.2),
            min(rng.uniform(0.5, 1.1), width / 2 - 0.2),
        )
        x, y = length / 2 + rng.gauss(0, 0.3), width / 2 + rng.gauss(0, 0.3)
        plan.solids += placed(
            [box((0, 0, 0.006), (*half, 0.006), m.rug(rng))], x, y, 0, rng.gauss(0, 0.05)
        )
    area = length * width
    for _ in range(rng.randint(0, 1 + int(area / 9))):
        x, y = _anywhere(plan, rng)
        yaw = rng.choice([0, math.pi / 2, math.pi, -math.pi / 2]) + rng.gauss(0, 0.06)
        make = rng.choice(
            [furniture.table, furniture.coffee_table, furniture.sofa, furniture.table]
        )
        piece = make(rng)
        if not plan.add(piece, x, y, yaw, margin=0.3) or make is not furniture.table:
            continue
        wood = m.board(rng)
        for side in (0, math.pi, math.pi / 2, -math.pi / 2):
            if rng.random() < 0.7:
                seat = furniture.chair(rng, wood)
                reach = piece.depth if side in (0, math.pi) else piece.width
                out, turn = reach + rng.uniform(-0.1, 0.35), yaw + side
                at = (x - math.sin(turn) * out, y + math.cos(turn) * out)
                plan.solids += placed(seat.solids, *at, 0, turn + math.pi + rng.gauss(0, 0.2))


def _clutter(plan: Plan, rng: Random, style: str) -> None:
    density = rng.uniform(0.5, 5) if style != 'desk' else rng.uniform(5, 18)
    for surface in plan.surfaces:
        count = min(
            int(density * surface.width * surface.depth * 8 * rng.random() + rng.random()), 14
        )
        c, s = math.cos(surface.yaw), math.sin(surface.yaw)
        for _ in range(count):
            a, b = rng.uniform(-0.85, 0.85) * surface.width, rng.uniform(-0.8, 0.8) * surface.depth
            x, y, z = surface.center
            yaw = surface.yaw + (rng.gauss(0, 0.3) if rng.random() < 0.7 else rng.uniform(-3, 3))
            plan.solids += placed(
                objects.on_table(rng), x + c * a - s * b, y + s * a + c * b, z, yaw
            )
    area = plan.size[0] * plan.size[1]
    for _ in range(int(rng.uniform(0, 0.8 if style == 'robot' else 0.35) * area) + 1):
        x, y = _anywhere(plan, rng)
        if plan.fits(x, y, 0.15, 0.15):
            plan.take(x, y, 0.15, 0.15)
            plan.solids += placed(objects.on_floor(rng), x, y, 0, rng.uniform(-math.pi, math.pi))
    if rng.random() < 0.25:
        for _ in range(rng.randint(1, 3)):
            x, y = _anywhere(plan, rng)
            if plan.fits(x, y, 0.25, 0.25):
                plan.take(x, y, 0.25, 0.25)
                plan.solids += placed(objects.person(rng), x, y, 0, rng.uniform(-math.pi, math.pi))


def _ceiling_lamps(plan: Plan, rng: Random) -> None:
    length, width, height = plan.size
    daylight = any(
        s.material.pattern == 'outdoors' and s.material.emission > 0.5 for s in plan.solids
    )
    lit = rng.uniform(2, 12) if rng.random() < 0.6 or not daylight else 0.2
    along, across = max(1, round(length / 3.5)), max(1, round(width / 3.5))
    panels = rng.random() < 0.5
    for i in range(along):
        for j in range(across):
            x, y = (i + 0.5) * length / along, (j + 0.5) * width / across
            if panels:
                plan.solids.append(box((x, y, height - 0.02), (0.5, 0.12, 0.02), m.glow(rng, lit)))
            else:
                drop = rng.uniform(0.05, 0.6)
                plan.solids.append(
                    cylinder((x, y, height - drop / 2), 0.008, drop / 2, m.metal(rng))
                )
                plan.solids.append(
                    cylinder((x, y, height - drop - 0.08), 0.19, 0.08, m.glow(rng, lit), taper=0.5)
                )


def random_scene(rng: Random, style: str = 'room') -> Scene:
    """Return one furnished room; the same state of `rng` gives the same room.

    Parameters
    ----------
    style : 'room', 'desk' (crowded table tops, for close views) or 'robot' (objects on the floor).
    """
    plan = Plan(_size(rng, style))
    length, width, height = plan.size
    wall = m.paint(rng)
    walls = {
        face: wall if rng.random() < 0.8 else m.paint(rng) for face in ('-x', '+x', '-y', '+y')
    }
    walls |= {'-z': m.floor(rng), '+z': m.ceiling(rng)}
    if style == 'desk':
        number = rng.randrange(4)
        piece = rng.choice(
            [furniture.desk, furniture.desk, furniture.table, furniture.coffee_table]
        )(rng)
        x, y, yaw = plan.wall(
            number, rng.uniform(-0.5, 0.5) * plan.wall_length(number) / 2, piece.depth + 0.03
        )
        plan.add(piece, x, y, yaw)
        x, y, _ = plan.wall(number, 0, piece.depth * 2 + 0.5)
    busy = _openings(plan, rng)
    if rng.random() < 0.25 and width > 3:
        half = (rng.uniform(0.1, 0.6), rng.uniform(0.1, 0.5))
        x, y = rng.choice([half[0], length - half[0]]), rng.uniform(half[1], width - half[1])
        plan.add(Piece(*half, [box((0, 0, height / 2), (*half, height / 2), wall)]), x, y, 0)
    _furnish_walls(plan, rng, busy)
    _furnish_middle(plan, rng)
    _clutter(plan, rng, style)
    _ceiling_lamps(plan, rng)
    plan.solids += fixtures.skirting(
        plan.size, m.board(rng) if rng.random() < 0.5 else m.ceiling(rng)
    )
    azimuth, rise = rng.uniform(0, 2 * math.pi), rng.uniform(0.25, 0.9)
    way = (math.cos(azimuth) * math.cos(rise), math.sin(azimuth) * math.cos(rise), math.sin(rise))
    sun = (way, rng.uniform(1, 8)) if rng.random() < 0.4 else None
    return assemble(plan.size, walls, plan.solids, sun, plan.surfaces)
