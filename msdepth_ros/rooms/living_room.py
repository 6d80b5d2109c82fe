# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A living room furnished by hand, and the path of a camera through it: the clip of the demo.

The clip in msdepth_ros/clips was made with `msdepth render --clip msdepth_ros/clips/room.mp4`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

from msdepth_ros.rooms import fixtures, furniture, objects
from msdepth_ros.rooms.camera import Pose
from msdepth_ros.rooms.layout import Plan
from msdepth_ros.rooms.materials import Material
from msdepth_ros.rooms.scene import Scene, assemble
from msdepth_ros.rooms.solids import Solid, box, cylinder, placed

_OAK = Material('grain', (0.46, 0.29, 0.15), (0.3, 0.17, 0.08), 1.0, 0.6, 0.12, 0, 3)
_WALNUT = Material('grain', (0.2, 0.11, 0.06), (0.1, 0.05, 0.025), 1.1, 0.7, 0.2, 0, 8)
_WHITE = Material('plaster', (0.78, 0.76, 0.72), (0.7, 0.68, 0.64), 1.0, 0.1, 0.05)
_LINEN = Material('fabric', (0.26, 0.31, 0.36), (0.15, 0.19, 0.24), 1.0, 0.5, 0, 0, 21)
_BLACK = Material('plaster', (0.012, 0.012, 0.014), (0.01, 0.01, 0.01), 1, 0.1, 0.6)
_CURTAIN = Material('fabric', (0.62, 0.56, 0.47), (0.5, 0.44, 0.36), 1, 0.4, 0, 0, 9)
_WARM = Material('plaster', (1.0, 0.82, 0.6), (1.0, 0.82, 0.6), 1, 0, 0, 2.2)


def _made_of(solids: list[Solid], **materials: Material) -> list[Solid]:
    """Return the solids with the material of each named pattern replaced."""
    return [replace(s, material=materials.get(s.material.pattern, s.material)) for s in solids]


def _window() -> list[Solid]:
    solids = fixtures.window(Random(3), 0.62, 0.85, 2.2, 4.5, curtains=True)
    return _made_of(solids, checks=_CURTAIN, stripes=_CURTAIN, damask=_CURTAIN, fabric=_CURTAIN)


def living_room() -> Scene:
    """Return a living room of 5.6 m x 4.4 m with two windows at +x and sunshine on its floor."""
    plan = Plan((5.6, 4.4, 2.55))

    def against(wall: int, along: float, piece: furniture.Piece) -> tuple[float, float, float]:
        x, y, yaw = plan.wall(wall, along, piece.depth + 0.02)
        plan.add(piece, x, y, yaw)
        return x, y, yaw

    def on(wall: int, along: float, solids: list[Solid], height: float = 0.0) -> None:
        x, y, yaw = plan.wall(wall, along, 0)
        plan.solids += placed(solids, x, y, height, yaw)

    def stand(solids: list[Solid], x: float, y: float, z: float = 0.0, yaw: float = 0.0) -> None:
        plan.solids += placed(solids, x, y, z, yaw)

    against(0, -0.55, furniture.sofa(Random(4), seats=3, cloth=_LINEN))
    on(0, -1.0, fixtures.picture(Random(12), 0.42, 0.3), 1.55)
    on(0, 0.05, fixtures.picture(Random(5), 0.26, 0.34), 1.55)
    stand(objects.floor_lamp(Random(2), 2.0), 4.15, 0.38)
    stand(objects.plant(Random(9), 1.5), 5.15, 0.5)
    on(1, -0.9, _window())
    on(1, 0.95, _window())
    shelf = furniture.bookshelf(Random(23))
    against(2, -1.5, shelf)
    bench = furniture.tv_bench(Random(6))
    bench.solids[:] = _made_of(bench.solids, screen=_BLACK)
    against(2, 0.1, bench)
    stand(objects.plant(Random(31), 0.9), 4.2, 4.0)
    on(3, 1.3, fixtures.door(Random(7)))
    side = furniture.cabinet(Random(14), tall=False)
    x, y, yaw = against(3, -0.6, side)
    top = side.top or 0.0
    stand(objects.vase(Random(3)), x, y - 0.3, top)
    stand(objects.table_lamp(Random(11)), x, y + 0.35, top)

    plan.solids.append(
        box(
            (2.25, 1.75, 0.007),
            (1.25, 0.85, 0.007),
            Material('rug', (0.5, 0.42, 0.33), (0.3, 0.09, 0.07), 1, 0.8, 0, 0, 4),
        )
    )
    low = furniture.coffee_table(Random(5))
    stand(_made_of(low.solids, grain=_WALNUT, plaster=_WALNUT), 2.3, 1.45)
    height = low.top or 0.0
    stand(objects.book_stack(Random(15)), 2.02, 1.48, height, 0.3)
    stand(objects.mug(Random(3)), 2.5, 1.55, height, 2.0)
    stand(objects.bowl(Random(21)), 2.4, 1.35, height)
    armchair = furniture.sofa(Random(17), seats=1)
    stand(
        _made_of(
            armchair.solids,
            fabric=Material('fabric', (0.5, 0.3, 0.08), (0.36, 0.2, 0.05), 1, 0.5, 0, 0, 6),
        ),
        3.95,
        1.75,
        0,
        1.25,
    )

    table = furniture.table(Random(1), width=0.65, height=0.75)
    stand(_made_of(table.solids, grain=_OAK, plaster=_OAK), 4.55, 3.2, 0, math.pi / 2)
    for x, y, yaw in ((4.15, 2.95, -1.6), (4.15, 3.55, -1.5), (5.0, 2.95, 1.57), (5.0, 3.5, 1.7)):
        stand(_made_of(furniture.chair(Random(6)).solids, grain=_OAK, plaster=_OAK), x, y, 0, yaw)
    stand(objects.vase(Random(12)), 4.55, 3.25, 0.75)
    stand(objects.mug(Random(2)), 4.4, 2.9, 0.75, 1.0)
    stand(objects.papers(Random(6)), 4.7, 3.6, 0.75, 0.4)

    plan.solids.append(cylinder((4.55, 3.2, 2.2), 0.006, 0.35, _WHITE))
    plan.solids.append(cylinder((4.55, 3.2, 1.78), 0.22, 0.09, _WARM, taper=0.55))
    plan.solids.append(cylinder((2.2, 1.9, 2.51), 0.24, 0.04, _WARM, taper=0.2))
    plan.solids += fixtures.skirting(plan.size, _WHITE)

    wall = Material('plaster', (0.68, 0.64, 0.56), (0.6, 0.56, 0.48), 1.0, 0.15, 0, 0, 1)
    accent = Material('plaster', (0.36, 0.44, 0.42), (0.3, 0.38, 0.36), 1.0, 0.15, 0, 0, 2)
    planks = Material('planks', (0.43, 0.27, 0.15), (0.25, 0.14, 0.07), 1.0, 0.45, 0.15, 0, 17)
    faces = {'-x': wall, '+x': wall, '-y': accent, '+y': wall, '-z': planks, '+z': _WHITE}
    rise, azimuth = 0.5, -0.35
    sun = (math.cos(azimuth) * math.cos(rise), math.sin(azimuth) * math.cos(rise), math.sin(rise))
    return assemble(plan.size, faces, plan.solids, (sun, 5.0), plan.surfaces)


def walk(phase: float) -> Pose:
    """Return the pose of a camera that walks through the room and back the same way.

    It is 1.2 m above the floor, looks 10 degrees down and turns from the sofa to the table.

    Parameters
    ----------
    phase : 0 at the start, 0.5 at the turning point, 1 at the start again.
    """
    done = (1 - math.cos(2 * math.pi * phase)) / 2
    x, y = 0.85 + 1.2 * done, 2.5 + 0.45 * math.sin(math.pi * done / 2)
    return Pose.look((x, y, 1.2), math.radians(-46 + 50 * done), math.radians(-10))
