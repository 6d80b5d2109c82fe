# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rays against primitives, in closed form.

Every primitive is a unit shape (cube, cylinder, sphere, or the room's cube seen from inside) under
an affine map, so a ray is carried into unit coordinates once and met there.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from msdepth_ros.rooms.solids import BOX, CYLINDER, ELLIPSOID, SHELL

MISS = 1e9
_TINY = 1e-20
"""Added to divisors: it changes nothing but an exact zero."""
_END = 1 - 1e-4
"""Unit height from which a point of a cylinder lies on its end."""


@dataclass(frozen=True)
class Primitives:
    """P primitives: shape int64 [P], center, half [P, 3], rotation [P, 3, 3], taper [P]."""

    shape: Tensor
    center: Tensor
    half: Tensor
    rotation: Tensor
    taper: Tensor

    def __len__(self) -> int:
        return len(self.shape)

    def to(self, device: torch.device | str) -> Primitives:
        """Copy on another device."""
        return Primitives(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    @property
    def world_to_unit(self) -> Tensor:
        """Linear part [P, 3, 3] of the map from the world to unit coordinates."""
        return self.rotation.transpose(1, 2) / self.half[:, :, None]


@dataclass(frozen=True)
class Hits:
    """Where N rays end.

    primitive: int64 [N]. unit: [N, 3], the point in unit coordinates. normal: [N, 3], in the world.
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
    """First primitive that each ray enters (or, for the shell, leaves).

    Parameters
    ----------
    origins: [N, 3] or [1, 3], metres. directions: [N, 3], of any length.
    subset: indices of the primitives to look at; all of them by default.

    Returns
    -------
    t: float32 [N], so that origin + t * direction is the point met (1e9 where nothing is).
    primitive: int64 [N].
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
    """Unit coordinates and normals (inward for the shell) of surface points [N, 3] of the world."""
    to_unit = primitives.world_to_unit[primitive]
    offset = points - primitives.center[primitive]
    unit = (to_unit * offset[:, None, :]).sum(2)
    return Hits(primitive, unit, normals(primitives, unit, primitive))


def normals(primitives: Primitives, unit: Tensor, primitive: Tensor) -> Tensor:
    """World normals [N, 3] at surface points given in unit coordinates [N, 3]."""
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
    """Face 0..5 (-x +x -y +y -z +z) of unit surface points [N, 3], and place [N, 2] on it.

    Seen from the centre, each point lies on a face of the surrounding cube, at a place within
    [-1, 1]. Where `tube` [N] is
    true, the side of a cylinder takes four faces and each end one.
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
    """Inverse of `face_of`: the surface point [N, 3] of the unit shape at a place of a face."""
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
