# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The light in a room, computed once: lamps, windows and sun with shadows, then radiosity.

The surface of each primitive is divided into texels, on the six faces of the cube around it. A
texel holds the irradiance divided by pi: a matt surface's radiance is its reflectance times that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor

from msdepth_ros.rooms.geometry import (
    Primitives,
    face_of,
    locate,
    normals,
    on_surface,
    trace,
)
from msdepth_ros.rooms.scene import Scene
from msdepth_ros.rooms.solids import CYLINDER, ELLIPSOID

_LIFT = 2e-3  # metres above the surface at which rays start
_SHADOW = 0.03  # half size in metres: smaller solids cast no shadow
_BOUNCE = 0.12  # half size in metres: smaller solids reflect no light on others


@dataclass(frozen=True)
class Lighting:
    """The light on all P primitives of a scene.

    Attributes
    ----------
    size : int64 [6 P, 2], columns and rows of each face; face f of primitive p has number 6 p + f.
    start : int64 [6 P], index of each face's first texel in `texels`.
    tube : bool [P], true for cylinders.
    round : bool [P], true for curved shapes: their outermost texels lie on the edge of the face,
        so that there is no seam between faces.
    texels : float32 [T, 3], irradiance / pi, linear RGB, of all faces one after the other.
    """

    size: Tensor
    start: Tensor
    tube: Tensor
    round: Tensor
    texels: Tensor

    def _place(self, primitive: Tensor, unit: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        face, place = face_of(unit, self.tube[primitive])
        number = primitive * 6 + face
        size = self.size[number]
        scaled = (place + 1) / 2 * size
        joined = (place + 1) / 2 * (size - 1) + 0.5
        return self.start[number], size, torch.where(self.round[primitive, None], joined, scaled)

    def at(self, primitive: Tensor, unit: Tensor) -> Tensor:
        """Return irradiance / pi at surface points, interpolated: float32 [N, 3], linear RGB.

        Parameters
        ----------
        primitive : int64 [N], the primitive of each point.
        unit : float32 [N, 3], the points in unit coordinates.
        """
        start, size, place = self._place(primitive, unit)
        place = torch.minimum((place - 0.5).clamp(min=0), (size - 1).float())
        low = torch.minimum(place.long(), size - 2)
        x, y = (place - low).unsqueeze(2).unbind(1)
        first = start + low[:, 1] * size[:, 0] + low[:, 0]
        below = first + size[:, 0]
        top = torch.lerp(self.texels[first], self.texels[first + 1], x)
        bottom = torch.lerp(self.texels[below], self.texels[below + 1], x)
        return torch.lerp(top, bottom, y)

    def nearest(self, primitive: Tensor, unit: Tensor) -> Tensor:
        """Return the index of the texel of each surface point, int64 [N]; arguments as `at`."""
        start, size, place = self._place(primitive, unit)
        own = torch.minimum(place.long(), size - 1)
        return start + own[:, 1] * size[:, 0] + own[:, 0]


@dataclass(frozen=True)
class _Texels:
    """The texels' primitives [T], points and normals [T, 3], and which are inside the room [T]."""

    primitive: Tensor
    point: Tensor
    normal: Tensor
    inside: Tensor


def _face_sizes(primitives: Primitives, per_metre: float) -> Tensor:
    """Return columns and rows of every face, [6 P, 2]: at least 2; three times denser on walls."""
    others = torch.tensor(
        [[1, 2], [1, 2], [0, 2], [0, 2], [0, 1], [0, 1]], device=primitives.half.device
    )
    density = torch.full((len(primitives), 1, 1), per_metre, device=primitives.half.device)
    density[0] *= 3
    size = (primitives.half[:, others] * 2 * density).ceil().long().clamp(2, 200)
    least = torch.where(primitives.shape == ELLIPSOID, 4, 2)[:, None, None]
    return torch.maximum(size, least).view(-1, 2)


def _layout(scene: Scene, lighting: Lighting) -> _Texels:
    device, primitives = scene.device, scene.primitives
    size, start = lighting.size, lighting.start
    face = torch.repeat_interleave(torch.arange(len(size), device=device), size.prod(1))
    number = torch.arange(len(face), device=device) - start[face]
    own = size[face]
    grid = torch.stack([number % own[:, 0], number // own[:, 0]], 1)
    primitive = face // 6
    place = (
        torch.where(lighting.round[primitive, None], grid / (own - 1), (grid + 0.5) / own) * 2 - 1
    )
    unit = on_surface(face % 6, place, primitives.shape[primitive], primitives.taper[primitive])
    normal = normals(primitives, unit, primitive)
    local = unit * primitives.half[primitive]
    point = (primitives.rotation[primitive] * local[:, None, :]).sum(2) + primitives.center[
        primitive
    ]
    point = point + normal * _LIFT
    inside = (
        (point > -_LIFT / 2) & (point < _LIFT / 2 + torch.tensor(scene.size, device=device))
    ).all(1)
    return _Texels(primitive, point, normal, inside)


def _lamp_samples(scene: Scene, count: int, rng: Random) -> tuple[Tensor, Tensor, Tensor]:
    """Return points [L, 3] on the lights, their normals and their flux [L, 3].

    A normal of zero means that the light shines in all directions.
    """
    points, facing, flux = [], [], []
    primitives = scene.primitives.to('cpu')
    materials = scene.materials.cpu()
    numbers = scene.material.cpu()
    for light in scene.lights:
        center, half, turn = (
            primitives.center[light],
            primitives.half[light],
            primitives.rotation[light],
        )
        row = materials[numbers[light]]
        a, b = sorted(half.tolist())[1:]
        flat = float(half.min()) < 0.2 * b
        color = 0.5 * (row[1:4] + row[4:7]) if light in scene.windows else row[1:4]
        # A flat light shines from one side; any other in all directions, like a sphere.
        area = 4 * a * b if flat else 4 * math.pi * a * b
        axis = int(half.argmin())
        middle = torch.tensor(scene.size) / 2
        normal = turn[:, axis]
        normal = normal * torch.sign(((middle - center) * normal).sum()) if flat else normal * 0
        grid = max(1, round(math.sqrt(count / math.sqrt(len(scene.lights)))))
        spots = [
            ((i + rng.random()) / grid * 2 - 1, (j + rng.random()) / grid * 2 - 1)
            for i in range(grid)
            for j in range(grid)
        ]
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
    """Return the light that arrives directly from lamps, windows and the sun, [T, 3]."""
    device = scene.device
    light = torch.zeros(len(texels.point), 3, device=device)
    opaque = scene.primitives.half.amax(1) > _SHADOW
    opaque[[0, *scene.lights]] = False
    casters = opaque.nonzero()[:, 0]
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
    """Return directions [count, 3] around +z with density cos / pi, on a golden spiral."""
    k = torch.arange(count, device=device) + 0.5
    radius, angle = (k / count).sqrt(), k * 2.399963
    return torch.stack([radius * angle.cos(), radius * angle.sin(), (1 - k / count).sqrt()], 1)


def _mean_color(scene: Scene) -> tuple[Tensor, Tensor]:
    """Return the mean reflectance and emission of each material, [M, 3] each."""
    rows = scene.materials
    color = torch.lerp(rows[:, 1:4], rows[:, 4:7], 0.35)
    return color, color * rows[:, 10:11]


def _gather(scene: Scene, lighting: Lighting, texels: _Texels, count: int) -> tuple[Tensor, Tensor]:
    """Return the texels and materials that `count` rays from each texel hit, [T, count] each."""
    device = scene.device
    normal = texels.normal
    helper = torch.where(
        normal[:, 2:].abs() < 0.9,
        torch.tensor([0.0, 0, 1], device=device),
        torch.tensor([1.0, 0, 0], device=device),
    )
    x = torch.linalg.cross(helper, normal)
    x = x / x.norm(dim=1, keepdim=True)
    y = torch.linalg.cross(normal, x)
    generator = torch.Generator().manual_seed(count)
    turn = torch.rand(len(normal), 1, generator=generator).to(device) * 2 * math.pi
    x, y = turn.cos() * x + turn.sin() * y, turn.cos() * y - turn.sin() * x
    large = (scene.primitives.half.amax(1) > _BOUNCE).nonzero()[:, 0]
    met = torch.zeros(len(normal), count, dtype=torch.int64, device=device)
    material = torch.zeros_like(met)
    for k, (a, b, c) in enumerate(_hemisphere(count, device).tolist()):
        way = a * x + b * y + c * normal
        t, primitive = trace(scene.primitives, texels.point, way, large)
        hits = locate(scene.primitives, texels.point + way * t[:, None], primitive)
        met[:, k] = lighting.nearest(primitive, hits.unit)
        material[:, k] = material_of(scene, primitive, hits.unit)
    return met, material


def _smooth(light: Tensor, inside: Tensor, size: Tensor, start: Tensor) -> Tensor:
    """Return the mean over 3 x 3 texels of a face (5 x 5 on large ones), all inside the room."""
    result = light.clone()
    weight = inside.float()[:, None]
    weighted = torch.cat([light * weight, weight], 1)
    for columns, rows in size.unique(dim=0).tolist():
        own = ((size[:, 0] == columns) & (size[:, 1] == rows)).nonzero()[:, 0]
        texels = start[own, None] + torch.arange(columns * rows, device=light.device)
        planes = weighted[texels].view(-1, rows, columns, 4).permute(0, 3, 1, 2)
        reach = 2 if min(columns, rows) >= 12 else 1
        mean = F.avg_pool2d(planes, 2 * reach + 1, 1, reach, count_include_pad=False)
        mean = mean.permute(0, 2, 3, 1).reshape(-1, 4)
        result[texels.flatten()] = mean[:, :3] / mean[:, 3:].clamp(min=1e-6)
    return result


def material_of(scene: Scene, primitive: Tensor, unit: Tensor) -> Tensor:
    """Return the row of `scene.materials` at surface points, int64 [N].

    Parameters
    ----------
    primitive : int64 [N], the primitive of each point; the shell (0) has a material for each face.
    unit : float32 [N, 3], the points in unit coordinates.
    """
    face, _ = face_of(unit, torch.zeros_like(primitive, dtype=torch.bool))
    return scene.material[primitive] + torch.where(primitive == 0, face, torch.zeros_like(face))


@torch.no_grad()
def illuminate(
    scene: Scene,
    *,
    texels_per_metre: float = 3.0,
    lamp_samples: int = 4,
    gather_rays: int = 10,
    bounces: int = 3,
    seed: int = 0,
) -> Lighting:
    """Return the light in a scene. The defaults suit training images.

    Parameters
    ----------
    texels_per_metre : three times as many on the walls.
    lamp_samples : points on the lamps and windows from which light is sampled.
    gather_rays : rays from each texel that collect the light reflected by other surfaces.
    bounces : how many times light is reflected.
    seed : of the points on the lamps.
    """
    size = _face_sizes(scene.primitives, texels_per_metre)
    count = size.prod(1)
    start = count.cumsum(0) - count
    tube = scene.primitives.shape == CYLINDER
    curved = tube | (scene.primitives.shape == ELLIPSOID)
    lighting = Lighting(size, start, tube, curved, torch.zeros(0, 3, device=scene.device))
    texels = _layout(scene, lighting)
    direct = _direct(scene, texels, lamp_samples, Random(seed))
    met, material = _gather(scene, lighting, texels, gather_rays)
    color, emission = _mean_color(scene)
    lamps = torch.zeros(len(emission), 1, device=scene.device)
    lamps[scene.material[list(scene.lights)]] = 1
    emission = emission * (1 - lamps)
    light = direct
    for _ in range(bounces):
        arriving = (color[material] * light[met] + emission[material]).mean(1)
        arriving = _smooth(arriving, texels.inside, size, start)
        light = direct + arriving * texels.inside[:, None]
    return replace(lighting, texels=light)
