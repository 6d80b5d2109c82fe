# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The solids that a room is built from: boxes, cylinders, cone frustums and ellipsoids.

Frames follow REP-103, z up. Lengths are in metres, angles in radians.
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
    """One convex solid: a unit shape, scaled by `half`, then rotated, then moved to `center`.

    Attributes
    ----------
    shape : BOX, CYLINDER (its axis is its own z) or ELLIPSOID.
    center : metres.
    half : half of the size along the solid's own axes, metres.
    material : of its whole surface.
    rotation : from the solid's own axes to the frame it stands in.
    taper : of a cylinder, the fraction of its radius that is lost from bottom to top.
    """

    shape: int
    center: Vector
    half: Vector
    material: Material
    rotation: Matrix = IDENTITY
    taper: float = 0.0


def rotation(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> Matrix:
    """Return the rotation about fixed axes (REP-103): roll about x, pitch about y, yaw about z."""
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
    """Return a box around `center`; `half` is half of its size."""
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
    """Return a cylinder or cone frustum along its own z axis.

    Parameters
    ----------
    taper : see `Solid`.
    flatten : factor on the radius along its own y axis.
    """
    half = (radius, radius * flatten, half_height)
    return Solid(CYLINDER, center, half, material, turn, taper)


def ellipsoid(center: Vector, half: Vector, material: Material, turn: Matrix = IDENTITY) -> Solid:
    """Return an ellipsoid around `center`; `half` are its semi-axes."""
    return Solid(ELLIPSOID, center, half, material, turn)


def placed(
    solids: Iterable[Solid], x: float, y: float, z: float = 0.0, yaw: float = 0.0
) -> list[Solid]:
    """Return solids turned about the z axis by `yaw`, then moved by (x, y, z)."""
    turn = rotation(yaw)
    result = []
    for solid in solids:
        a, b, c = _turned(turn, solid.center)
        center = (a + x, b + y, c + z)
        result.append(replace(solid, center=center, rotation=_composed(turn, solid.rotation)))
    return result


ALONG_X = rotation(pitch=math.pi / 2)
ALONG_Y = rotation(roll=-math.pi / 2)
