# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rays against primitives, in closed form.

Every primitive is a unit shape (cube, cylinder, sphere, or the room's cube seen from inside) under an
affine map, so a ray is carried into unit coordinates once and met there.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from msdepth_ros.training.rooms.solids import BOX, CYLINDER, ELLIPSOID, SHELL

MISS = 1e9
_TINY = 1e-20


@dataclass(frozen=True)
class Primitives:
    """P primitives as tensors: shape int64 [P], center, half [P, 3], rotation [P, 3, 3], taper [P]."""

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
    """Where N rays end: primitive [N]; unit [N, 3] its point in unit coordinates; normal [N, 3] in the world."""

    primitive: Tensor
    unit: Tensor
    normal: Tensor


def _enter_box(o: Tensor, d: Tensor, taper: Tensor) -> Tensor:
    inverse = torch.where(d.abs() < _TINY, torch.full_like(d, _TINY), d).reciprocal_()
    middle, reach = -o * inverse, inverse.abs()
    near, far = (middle - reach).amax(1), (middle + reach).amin(1)
    return torch.where((near < far) & (near > 0), near, MISS)


def _enter_cylinder(o: Tensor, d: Tensor, taper: Tensor) -> Tensor:
    slope = -taper / 2
    rim = 1 + slope + slope * o[:, 2]
    grow = slope * d[:, 2]
    a = d[:, 0] ** 2 + d[:, 1] ** 2 - grow**2
    a = torch.where(a.abs() < _TINY, torch.full_like(a, _TINY), a)
    b = o[:, 0] * d[:, 0] + o[:, 1] * d[:, 1] - grow * rim
    c = o[:, 0] ** 2 + o[:, 1] ** 2 - rim**2
    discriminant = b * b - a * c
    root = discriminant.clamp(min=0).sqrt()
    entry = torch.full_like(b, MISS)
    for t in ((-b - root) / a, (-b + root) / a):
        height = o[:, 2] + t * d[:, 2]
        valid = (discriminant > 0) & (t > 0) & (height.abs() <= 1) & (rim + t * grow >= 0)
        entry = torch.where(valid & (t < entry), t, entry)
    drop = torch.where(d[:, 2].abs() < _TINY, torch.full_like(d[:, 2], _TINY), d[:, 2])
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
    inverse = torch.where(d.abs() < _TINY, torch.full_like(d, _TINY), d).reciprocal_()
    return (inverse.abs() - o * inverse).amin(1)


_MEET = {BOX: _enter_box, CYLINDER: _enter_cylinder, ELLIPSOID: _enter_ellipsoid, SHELL: _leave_shell}


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
    budget = 1 << 17 if directions.device.type == 'cpu' else 1 << 25
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
    """Unit coordinates and outward normals (inward for the shell) of surface points [N, 3] in the world."""
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
    tube = torch.where((unit[:, 2].abs() > 1 - 1e-4)[:, None], cap, side)
    local = torch.where((shape == CYLINDER)[:, None], tube, face)
    local = torch.where((shape == ELLIPSOID)[:, None], unit, local)
    world = (primitives.world_to_unit[primitive] * local[:, :, None]).sum(1)
    return world / world.norm(dim=1, keepdim=True).clamp(min=1e-12)


def cube_face(unit: Tensor) -> tuple[Tensor, Tensor]:
    """Face 0..5 (-x +x -y +y -z +z) and its coordinates [N, 2] in [-1, 1] of points seen from the centre."""
    size, axis = unit.abs().max(1)
    positive = unit.gather(1, axis[:, None])[:, 0] > 0
    others = torch.tensor([[1, 2], [0, 2], [0, 1]], device=unit.device)[axis]
    return axis * 2 + positive, unit.gather(1, others) / size[:, None].clamp(min=1e-12)


def on_surface(face: Tensor, coordinates: Tensor, shape: Tensor, taper: Tensor) -> Tensor:
    """Inverse of `cube_face`: the unit surface point [N, 3] of a shape at a face's coordinates."""
    axis, sign = face // 2, (face % 2) * 2.0 - 1
    others = torch.tensor([[1, 2], [0, 2], [0, 1]], device=face.device)[axis]
    cube = torch.zeros(len(face), 3, device=face.device).scatter_(1, others, coordinates)
    cube.scatter_(1, axis[:, None], sign[:, None])
    slope = -taper / 2
    radius = cube[:, :2].norm(dim=1)
    side = (1 + slope) / (radius - slope * cube[:, 2]).clamp(min=1e-6)
    tube = torch.minimum(side, 1 / cube[:, 2].abs().clamp(min=1e-6))
    scale = torch.where(shape == CYLINDER, tube, torch.ones_like(tube))
    scale = torch.where(shape == ELLIPSOID, 1 / cube.norm(dim=1), scale)
    return cube * scale[:, None]
