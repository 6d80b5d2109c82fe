# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Light of a room, computed once for its surfaces: lamps, windows and sun with shadows, then radiosity.

Each primitive carries six faces of texels (those of the cube around it). A texel holds the irradiance
divided by pi, so that a matt surface's radiance is its reflectance times the texel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor

from msdepth_ros.training.rooms.geometry import (
    MISS,
    Primitives,
    cube_face,
    locate,
    normals,
    on_surface,
    trace,
)
from msdepth_ros.training.rooms.scene import Scene

_LIFT = 2e-3
"""Metres by which rays start above the surface they leave."""


@dataclass(frozen=True)
class Lighting:
    """Texels of all primitives in one row: side int64 [P] texels along a face's edge, start int64 [P]."""

    side: Tensor
    start: Tensor
    texels: Tensor

    def at(self, primitive: Tensor, unit: Tensor) -> Tensor:
        """Irradiance / pi, linear RGB [N, 3], at surface points in unit coordinates [N, 3]."""
        face, place = cube_face(unit)
        side = self.side[primitive]
        grid = ((place + 1) / 2 * side[:, None] - 0.5).clamp(min=0)
        grid = torch.minimum(grid, (side[:, None] - 1).float())
        low = torch.minimum(grid.long(), (side[:, None] - 2).clamp(min=0))
        x, y = (grid - low).unbind(1)
        base = self.start[primitive] + face * side * side + low[:, 1] * side + low[:, 0]
        right, down = (side > 1).long(), side * (side > 1)
        top = torch.lerp(self.texels[base], self.texels[base + right], x[:, None])
        bottom = torch.lerp(self.texels[base + down], self.texels[base + down + right], x[:, None])
        return torch.lerp(top, bottom, y[:, None])

    def nearest(self, primitive: Tensor, unit: Tensor) -> Tensor:
        """Number [N] of the texel that holds a surface point."""
        face, place = cube_face(unit)
        side = self.side[primitive]
        column = torch.minimum(((place + 1) / 2 * side[:, None]).long(), side[:, None] - 1)
        return self.start[primitive] + face * side * side + column[:, 1] * side + column[:, 0]


@dataclass(frozen=True)
class _Texels:
    """Where the texels are: primitive [T], point, normal [T, 3], whether the point lies in the room."""

    primitive: Tensor
    point: Tensor
    normal: Tensor
    unit: Tensor
    inside: Tensor


def _sides(primitives: Primitives, per_metre: float) -> Tensor:
    side = (primitives.half.amax(1) * 2 * per_metre).ceil().long().clamp(3, 40)
    side[0] = int(min(max(float(primitives.half[0].amax()) * 3 * per_metre, 12), 200))
    return side


def _layout(scene: Scene, side: Tensor) -> _Texels:
    device, primitives = scene.device, scene.primitives
    count = side * side * 6
    primitive = torch.repeat_interleave(torch.arange(len(side), device=device), count)
    start = (count.cumsum(0) - count)[primitive]
    number = torch.arange(len(primitive), device=device) - start
    own = side[primitive]
    face = number // (own * own)
    row, column = (number // own) % own, number % own
    place = (torch.stack([column, row], 1) + 0.5) / own[:, None] * 2 - 1
    unit = on_surface(face, place, primitives.shape[primitive], primitives.taper[primitive])
    normal = normals(primitives, unit, primitive)
    local = unit * primitives.half[primitive]
    point = (primitives.rotation[primitive] * local[:, None, :]).sum(2) + primitives.center[primitive]
    point = point + normal * _LIFT
    size = torch.tensor(scene.size, device=device)
    inside = ((point > 0) & (point < size)).all(1)
    return _Texels(primitive, point, normal, unit, inside)


def _lamp_samples(scene: Scene, count: int, rng: Random) -> tuple[Tensor, Tensor, Tensor]:
    """Points [L, 3] on the lights, their normals (zero: shines to all sides), flux [L, 3]."""
    points, facing, flux = [], [], []
    primitives = scene.primitives.to('cpu')
    materials = scene.materials.cpu()
    numbers = scene.material.cpu()
    for light in scene.lights:
        center, half, turn = primitives.center[light], primitives.half[light], primitives.rotation[light]
        row = materials[numbers[light]]
        a, b = sorted(half.tolist())[1:]
        flat = float(half.min()) < 0.2 * b
        color = 0.5 * (row[1:4] + row[4:7]) if light in scene.windows else row[1:4]
        # A flat light shines from one side of its face; a bulb from its whole surface, seen as a sphere.
        area = 4 * a * b if flat else 4 * math.pi * a * b
        axis = int(half.argmin())
        middle = torch.tensor(scene.size) / 2
        normal = turn[:, axis]
        normal = normal * torch.sign(((middle - center) * normal).sum()) if flat else normal * 0
        grid = max(1, round(math.sqrt(count)))
        spots = [((i + rng.random()) / grid * 2 - 1, (j + rng.random()) / grid * 2 - 1)
                 for i in range(grid) for j in range(grid)]
        for p, q in spots:
            local = half * 0
            others = [k for k in range(3) if k != axis]
            local[others[0]], local[others[1]] = p * half[others[0]], q * half[others[1]]
            reach = normal * (float(half[axis]) + 0.02) if flat else normal
            points.append(center + turn @ local + reach)
            facing.append(normal)
            flux.append(color * float(row[10]) * area / len(spots))
    if not points:
        none = torch.zeros(0, 3, device=scene.device)
        return none, none, none
    stacked = [torch.stack(part).to(scene.device) for part in (points, facing, flux)]
    return stacked[0], stacked[1], stacked[2]


def _direct(scene: Scene, texels: _Texels, count: int, rng: Random) -> Tensor:
    """Light that comes straight from lamps, windows and the sun."""
    device = scene.device
    light = torch.zeros(len(texels.point), 3, device=device)
    casters = torch.ones(len(scene.primitives), dtype=torch.bool, device=device)
    casters[list(scene.lights)] = False
    casters[0] = False
    casters = casters.nonzero()[:, 0]
    for point, facing, flux in zip(*_lamp_samples(scene, count, rng), strict=True):
        ray = point - texels.point
        square = (ray * ray).sum(1)
        way = ray / square.sqrt()[:, None]
        cosine = (texels.normal * way).sum(1).clamp(min=0)
        spread = 0.25 if float(facing.abs().sum()) == 0 else (-(way @ facing)).clamp(min=0)
        gain = cosine * spread / (math.pi * (square + 0.01)) * texels.inside
        lit = (gain > 1e-6).nonzero()[:, 0]
        if len(lit) == 0:
            continue
        t, _ = trace(scene.primitives, texels.point[lit], ray[lit], casters)
        light[lit] += (gain[lit] * (t >= 1))[:, None] * flux
    if scene.sun is not None and scene.windows:
        way = torch.tensor(scene.sun[0], device=device)
        cosine = (texels.normal @ way).clamp(min=0) * texels.inside
        lit = (cosine > 0).nonzero()[:, 0]
        _, met = trace(scene.primitives, texels.point[lit], way.expand(len(lit), 3).contiguous())
        shines = torch.isin(met, torch.tensor(scene.windows, device=device))
        warm = torch.tensor([1.0, 0.93, 0.8], device=device) * scene.sun[1]
        light[lit] += (cosine[lit] * shines)[:, None] * warm
    return light


def _hemisphere(count: int, device: torch.device) -> Tensor:
    """Directions [count, 3] around +z with density cos / pi, on a golden spiral."""
    k = torch.arange(count, device=device) + 0.5
    radius, angle = (k / count).sqrt(), k * 2.399963
    return torch.stack([radius * angle.cos(), radius * angle.sin(), (1 - k / count).sqrt()], 1)


def _mean_color(scene: Scene) -> tuple[Tensor, Tensor]:
    """Reflectance and emission [M, 3] of each material, without its pattern."""
    rows = scene.materials
    color = torch.lerp(rows[:, 1:4], rows[:, 4:7], 0.35)
    return color, color * rows[:, 10:11]


def _gather(scene: Scene, lighting: Lighting, texels: _Texels, count: int) -> tuple[Tensor, Tensor]:
    """What `count` rays from each texel meet: numbers [T, count] of texels and of materials."""
    device = scene.device
    normal = texels.normal
    helper = torch.where(normal[:, 2:].abs() < 0.9, torch.tensor([0.0, 0, 1], device=device),
                         torch.tensor([1.0, 0, 0], device=device))
    x = torch.linalg.cross(helper, normal)
    x = x / x.norm(dim=1, keepdim=True)
    y = torch.linalg.cross(normal, x)
    met = torch.zeros(len(normal), count, dtype=torch.int64, device=device)
    material = torch.zeros_like(met)
    for k, (a, b, c) in enumerate(_hemisphere(count, device).tolist()):
        way = a * x + b * y + c * normal
        t, primitive = trace(scene.primitives, texels.point, way)
        hits = locate(scene.primitives, texels.point + way * t.clamp(max=MISS)[:, None], primitive)
        met[:, k] = lighting.nearest(primitive, hits.unit)
        material[:, k] = material_of(scene, primitive, hits.unit)
    return met, material


def material_of(scene: Scene, primitive: Tensor, unit: Tensor) -> Tensor:
    """Row [N] of `scene.materials` at surface points: the shell has one for each face."""
    face, _ = cube_face(unit)
    return scene.material[primitive] + torch.where(primitive == 0, face, torch.zeros_like(face))


@torch.no_grad()
def illuminate(
    scene: Scene,
    *,
    texels_per_metre: float = 4.0,
    lamp_samples: int = 4,
    gather_rays: int = 12,
    bounces: int = 3,
    seed: int = 0,
) -> Lighting:
    """Light a scene. The defaults suit training images; a film wants 15, 25, 96."""
    side = _sides(scene.primitives, texels_per_metre)
    texels = _layout(scene, side)
    count = side * side * 6
    lighting = Lighting(side, count.cumsum(0) - count, torch.zeros(len(texels.point), 3, device=scene.device))
    direct = _direct(scene, texels, lamp_samples, Random(seed))
    met, material = _gather(scene, lighting, texels, gather_rays)
    color, emission = _mean_color(scene)
    lamps = torch.zeros(len(emission), 1, device=scene.device)
    lamps[scene.material[list(scene.lights)]] = 1
    emission = emission * (1 - lamps)
    light = direct
    for _ in range(bounces):
        arriving = (color[material] * light[met] + emission[material]).mean(1)
        light = direct + arriving * texels.inside[:, None]
    return Lighting(lighting.side, lighting.start, light)
