# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Solids a room is built from: boxes, (tapered) cylinders and ellipsoids, turned and moved.

Frames follow REP-103, z up. Lengths in metres, angles in radians.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from msdepth_ros.rooms.materials import Material

BOX, CYLINDER, ELLIPSOID, SHELL = range(4)

Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]

IDENTITY: Matrix = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


@dataclass(frozen=True)
class Solid:
    """One convex primitive: the unit shape scaled by `half`, rotated, then moved to `center`.

    A cylinder's axis is its local z; `taper` is the share of the radius lost from bottom to top.
    """

    shape: int
    center: Vector
    half: Vector
    material: Material
    rotation: Matrix = IDENTITY
    taper: float = 0.0


def rotation(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> Matrix:
    """Rotation by fixed-axis angles (REP-103): roll about x, pitch about y, then yaw about z."""
    cy, sy = math.cos(yaw), math.sin(yaw)
    cp, sp = math.cos(pitch), math.sin(pitch)
    cr, sr = math.cos(roll), math.sin(roll)
    return (
        (cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr),
        (sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr),
        (-sp, cp * sr, cp * cr),
    )


def _turned(by: Matrix, vector: Vector) -> Vector:
    x, y, z = (row[0] * vector[0] + row[1] * vector[1] + row[2] * vector[2] for row in by)
    return x, y, z


def _composed(outer: Matrix, inner: Matrix) -> Matrix:
    columns = [_turned(outer, (inner[0][k], inner[1][k], inner[2][k])) for k in range(3)]
    rows = [(columns[0][k], columns[1][k], columns[2][k]) for k in range(3)]
    return rows[0], rows[1], rows[2]


def box(center: Vector, half: Vector, material: Material, turn: Matrix = IDENTITY) -> Solid:
    """Box of half extents `half` around `center`."""
    return Solid(BOX, center, half, material, turn)


def cylinder(
    center: Vector,
    radius: float,
    half_height: float,
    material: Material,
    turn: Matrix = IDENTITY,
    taper: float = 0.0,
    flatten: float = 1.0,
) -> Solid:
    """Cylinder or cone frustum along local z; `flatten` scales its local y radius."""
    half = (radius, radius * flatten, half_height)
    return Solid(CYLINDER, center, half, material, turn, taper)


def ellipsoid(center: Vector, half: Vector, material: Material, turn: Matrix = IDENTITY) -> Solid:
    """Ellipsoid of semi-axes `half` around `center`."""
    return Solid(ELLIPSOID, center, half, material, turn)


def placed(
    solids: Iterable[Solid], x: float, y: float, z: float = 0.0, yaw: float = 0.0
) -> list[Solid]:
    """Turn solids about the vertical by `yaw`, then move them by (x, y, z)."""
    turn = rotation(yaw)
    result = []
    for solid in solids:
        a, b, c = _turned(turn, solid.center)
        center = (a + x, b + y, c + z)
        result.append(replace(solid, center=center, rotation=_composed(turn, solid.rotation)))
    return result


ALONG_X = rotation(pitch=math.pi / 2)
ALONG_Y = rotation(roll=-math.pi / 2)
