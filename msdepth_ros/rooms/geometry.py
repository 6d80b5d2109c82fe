# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rays against primitives, in closed form.

Every primitive is a unit shape (cube, cylinder, sphere, or the shell: the room as a cube seen from
inside) under an affine map. A ray is transformed to unit coordinates, and intersected there.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from msdepth_ros.rooms.solids import BOX, CYLINDER, ELLIPSOID, SHELL

MISS = 1e9  # the ray parameter t where a ray hits nothing
_TINY = 1e-20  # added to divisors: it changes only an exact zero
_END = 1 - 1e-4  # a cylinder's point above this unit height lies on its end face


@dataclass(frozen=True)
class Primitives:
    """The P primitives of a scene.

    Attributes
    ----------
    shape : int64 [P]: BOX, CYLINDER, ELLIPSOID or SHELL.
    center : float32 [P, 3], metres in the world frame.
    half : float32 [P, 3], half of the size along the primitive's own axes, metres.
    rotation : float32 [P, 3, 3], from the primitive's axes to the world frame.
    taper : float32 [P], see `Solid`.
    """

    shape: Tensor
    center: Tensor
    half: Tensor
    rotation: Tensor
    taper: Tensor

    def __len__(self) -> int:
        return len(self.shape)

    def to(self, device: torch.device | str) -> Primitives:
        """Return a copy on another device."""
        return Primitives(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    @property
    def world_to_unit(self) -> Tensor:
        """The linear part of the map from the world frame to unit coordinates, [P, 3, 3]."""
        return self.rotation.transpose(1, 2) / self.half[:, :, None]


@dataclass(frozen=True)
class Hits:
    """The surface points that N rays hit.

    Attributes
    ----------
    primitive : int64 [N], the primitive that was hit.
    unit : float32 [N, 3], the point in the primitive's unit coordinates.
    normal : float32 [N, 3], the surface's unit normal in the world frame.
    """

    primitive: Tensor
    unit: Tensor
    normal: Tensor


def _enter_box(o: Tensor, d: Tensor, taper: Tensor) -> Tensor:
    inverse = (d + _TINY).reciprocal_()
    middle, reach = -o * inverse, inverse.abs()
    near, far = (middle - reach).amax(1), (middle + reach).amin(1)
    return torch.where((near < far) & (near > 0), near, MISS)


def _enter_cylinder(o: Tensor, d: Tensor, taper: Tensor) -> Tensor:
    slope = -taper / 2
    rim = 1 + slope + slope * o[:, 2]
    grow = slope * d[:, 2]
    a = d[:, 0] ** 2 + d[:, 1] ** 2 - grow**2
    a = a + _TINY
    b = o[:, 0] * d[:, 0] + o[:, 1] * d[:, 1] - grow * rim
    c = o[:, 0] ** 2 + o[:, 1] ** 2 - rim**2
    discriminant = b * b - a * c
    root = discriminant.clamp(min=0).sqrt()
    entry = torch.full_like(b, MISS)
    for t in ((-b - root) / a, (-b + root) / a):
        height = o[:, 2] + t * d[:, 2]
        valid = (discriminant > 0) & (t > 0) & (height.abs() <= 1) & (rim + t * grow >= 0)
        entry = torch.where(valid & (t < entry), t, entry)
    drop = d[:, 2] + _TINY
    for end in (-1.0, 1.0):
        t = (end - o[:, 2]) / drop
        radius = 1 + slope + slope * end
        inside = (o[:, 0] + t * d[:, 0]) ** 2 + (o[:, 1] + t * d[:, 1]) ** 2 <= radius**2
        entry = torch.where(inside & (t > 0) & (t < entry), t, entry)
    return entry


def _enter_ellipsoid(o: Tensor, d: Tensor, taper: Tensor) -> Tensor:
    a, b, c = (d * d).sum(1), (o * d).sum(1), (o * o).sum(1) - 1
    discriminant = b * b - a * c
    t = (-b - discriminant.clamp(min=0).sqrt()) / a
    return torch.where((discriminant > 0) & (t > 0), t, MISS)


def _leave_shell(o: Tensor, d: Tensor, taper: Tensor) -> Tensor:
    inverse = (d + _TINY).reciprocal_()
    return (inverse.abs() - o * inverse).amin(1)


_MEET = {
    BOX: _enter_box,
    CYLINDER: _enter_cylinder,
    ELLIPSOID: _enter_ellipsoid,
    SHELL: _leave_shell,
}


def trace(
    primitives: Primitives, origins: Tensor, directions: Tensor, subset: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return the first primitive that each ray enters (for the shell: leaves).

    Parameters
    ----------
    origins : float32 [N, 3] or [1, 3], metres in the world frame.
    directions : float32 [N, 3], of any length.
    subset : int64, indices of the primitives to test; None: all.

    Returns
    -------
    t : float32 [N]: the point hit is origin + t * direction; MISS where nothing is hit.
    primitive : int64 [N], the primitive hit.
    """
    if subset is None:
        subset = torch.arange(len(primitives), device=directions.device)
    n = len(directions)
    best = directions.new_full((n,), MISS)
    which = torch.zeros(n, dtype=torch.int64, device=directions.device)
    shapes = primitives.shape[subset]
    budget = 1 << 15 if directions.device.type == 'cpu' else 1 << 25
    for shape, meet in _MEET.items():
        group = subset[shapes == shape]
        if len(group) == 0:
            continue
        part = primitives.half[group]
        to_unit = primitives.rotation[group].transpose(1, 2) / part[:, :, None]
        shift = (to_unit @ primitives.center[group][:, :, None]).contiguous()
        taper = primitives.taper[group][:, None]
        flat = to_unit.reshape(-1, 3)
        step = max(1, budget // len(group))
        for start in range(0, n, step):
            rays = slice(start, start + step)
            d = (flat @ directions[rays].T).view(len(group), 3, -1)
            o = origins if len(origins) == 1 else origins[rays]
            o = (flat @ o.T).view(len(group), 3, -1) - shift
            t, row = meet(o, d, taper).min(0)
            nearer = t < best[rays]
            best[rays] = torch.where(nearer, t, best[rays])
            which[rays] = torch.where(nearer, group[row], which[rays])
    return best, which


def locate(primitives: Primitives, points: Tensor, primitive: Tensor) -> Hits:
    """Return the unit coordinates and normals of surface points; the shell's normals point inward.

    Parameters
    ----------
    points : float32 [N, 3], metres in the world frame.
    primitive : int64 [N], the primitive that each point lies on.
    """
    to_unit = primitives.world_to_unit[primitive]
    offset = points - primitives.center[primitive]
    unit = (to_unit * offset[:, None, :]).sum(2)
    return Hits(primitive, unit, normals(primitives, unit, primitive))


def normals(primitives: Primitives, unit: Tensor, primitive: Tensor) -> Tensor:
    """Return the surface normals at points on primitives, float32 [N, 3], in the world frame.

    Parameters
    ----------
    unit : float32 [N, 3], the points in unit coordinates.
    primitive : int64 [N], the primitive that each point lies on.
    """
    shape, taper = primitives.shape[primitive], primitives.taper[primitive]
    face = torch.zeros_like(unit)
    axis = unit.abs().argmax(1, keepdim=True)
    face.scatter_(1, axis, unit.gather(1, axis).sign())
    face = torch.where((shape == SHELL)[:, None], -face, face)
    radius = unit[:, :2].norm(dim=1)
    side = torch.stack([unit[:, 0], unit[:, 1], radius * taper / 2], 1)
    cap = torch.stack([unit[:, 0] * 0, unit[:, 0] * 0, unit[:, 2].sign()], 1)
    tube = torch.where((unit[:, 2].abs() > _END)[:, None], cap, side)
    local = torch.where((shape == CYLINDER)[:, None], tube, face)
    local = torch.where((shape == ELLIPSOID)[:, None], unit, local)
    world = (primitives.world_to_unit[primitive] * local[:, :, None]).sum(1)
    return world / world.norm(dim=1, keepdim=True).clamp(min=1e-12)


def face_of(unit: Tensor, tube: Tensor) -> tuple[Tensor, Tensor]:
    """Return the face of the surrounding cube that surface points project to from the centre.

    Parameters
    ----------
    unit : float32 [N, 3], points in unit coordinates.
    tube : bool [N], true on cylinders: their side is divided over four faces, each end has one.

    Returns
    -------
    face : int64 [N]: 0 to 5 are -x, +x, -y, +y, -z, +z.
    place : float32 [N, 2], the point on that face, in [-1, 1].
    """
    weight = unit.abs()
    end = torch.where(weight[:, 2] > _END, 2.0, 0.0)
    weight = torch.cat([weight[:, :2], torch.where(tube, end, weight[:, 2])[:, None]], 1)
    axis = weight.argmax(1)
    size = unit.gather(1, axis[:, None])
    others = torch.tensor([[1, 2], [0, 2], [0, 1]], device=unit.device)[axis]
    place = unit.gather(1, others) / size.abs().clamp(min=1e-12)
    height = torch.where(tube & (axis != 2), unit[:, 2], place[:, 1])
    place = torch.stack([place[:, 0], height], 1)
    return axis * 2 + (size[:, 0] > 0), place


def on_surface(face: Tensor, place: Tensor, shape: Tensor, taper: Tensor) -> Tensor:
    """Return the surface points of unit shapes at places on faces: the inverse of `face_of`.

    Parameters
    ----------
    face, place : as `face_of` returns them.
    shape : int64 [N], see `Primitives`.
    taper : float32 [N].

    Returns
    -------
    float32 [N, 3], in unit coordinates.
    """
    axis, sign = face // 2, (face % 2) * 2.0 - 1
    others = torch.tensor([[1, 2], [0, 2], [0, 1]], device=face.device)[axis]
    cube = torch.zeros(len(face), 3, device=face.device).scatter_(1, others, place)
    cube.scatter_(1, axis[:, None], sign[:, None])
    ball = cube / cube.norm(dim=1, keepdim=True)
    flat = cube[:, :2].norm(dim=1)
    radius = 1 - taper / 2 * (1 + cube[:, 2])
    shrink = torch.where(
        axis == 2, (radius / flat.clamp(min=1e-6)).clamp(max=1), radius / flat.clamp(min=1e-6)
    )
    tube = torch.cat([cube[:, :2] * shrink[:, None], cube[:, 2:]], 1)
    point = torch.where((shape == CYLINDER)[:, None], tube, cube)
    return torch.where((shape == ELLIPSOID)[:, None], ball, point)
