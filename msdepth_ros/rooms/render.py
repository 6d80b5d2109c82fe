# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A scene seen by a camera: colour image and exact depth."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.rooms.camera import Film, Pose
from msdepth_ros.rooms.geometry import (
    MISS,
    Hits,
    Primitives,
    face_of,
    locate,
    trace,
)
from msdepth_ros.rooms.light import Lighting, illuminate, material_of
from msdepth_ros.rooms.scene import Scene
from msdepth_ros.rooms.solids import CYLINDER, SHELL
from msdepth_ros.rooms.texture import PATTERNS, reflectance

_TILE = 48
_LARGE = 0.05
"""Half size in metres, in each direction, from which a solid is seen in mirrors."""


@dataclass(frozen=True)
class Frame:
    """What a camera sees, on the scene's device.

    Attributes
    ----------
    rgb : uint8 [H, W, 3].
    depth : float32 [H, W], metres along Z (the optical axis).
    intrinsics : of both.

    """

    rgb: Tensor
    depth: Tensor
    intrinsics: Intrinsics


def pixel_rays(pose: Pose, u: Tensor, v: Tensor, intrinsics: Intrinsics) -> Tensor:
    """Return world directions of pixels with length 1 along the optical axis: t is depth along Z.

    Parameters
    ----------
    u, v : float [N], pixels; pixel centres lie on integers.

    Returns
    -------
    float [N, 3].

    """
    optical = torch.stack(
        [
            (u - intrinsics.cx) / intrinsics.fx,
            (v - intrinsics.cy) / intrinsics.fy,
            torch.ones_like(u),
        ],
        1,
    )
    return optical @ pose.rotation.T


def _bounds(primitives: Primitives, pose: Pose, intrinsics: Intrinsics) -> Tensor:
    """Pixel rectangles [P, 4] (left, top, right, bottom) that the primitives lie in."""
    device = primitives.center.device
    sign = torch.tensor([-1.0, 1.0], device=device)
    corner = torch.cartesian_prod(sign, sign, sign)
    local = corner[None] * primitives.half[:, None]
    world = local @ primitives.rotation.transpose(1, 2) + primitives.center[:, None]
    seen = (world - pose.position) @ pose.rotation
    z = seen[..., 2]
    u = seen[..., 0] / z.clamp(min=1e-3) * intrinsics.fx + intrinsics.cx
    v = seen[..., 1] / z.clamp(min=1e-3) * intrinsics.fy + intrinsics.cy
    box = torch.stack([u.amin(1), v.amin(1), u.amax(1), v.amax(1)], 1)
    everywhere = torch.tensor([-MISS, -MISS, MISS, MISS], device=device)
    crossing = ((z.amin(1) < 1e-2) & (z.amax(1) > 0)) | (primitives.shape == SHELL)
    box = torch.where(crossing[:, None], everywhere, box)
    return torch.where((z.amax(1) <= 0)[:, None], -everywhere, box)


def _trace_pixels(
    scene: Scene, pose: Pose, intrinsics: Intrinsics, u: Tensor, v: Tensor, directions: Tensor
) -> tuple[Tensor, Tensor]:
    """As `trace` for the rays [N, 3] of pixels; on a CPU by tiles, with what each may see."""
    primitives, origin = scene.primitives, pose.position[None]
    if scene.device.type != 'cpu':
        return trace(primitives, origin, directions)
    bounds = _bounds(primitives, pose, intrinsics)
    column, row = ((p.round() / _TILE).long() for p in (u, v))
    tiles_across = intrinsics.width // _TILE + 1
    tile = row * tiles_across + column
    order = tile.argsort(stable=True)
    depth = torch.empty_like(u)
    which = torch.empty(len(u), dtype=torch.int64)
    numbers, counts = torch.unique_consecutive(tile[order], return_counts=True)
    for number, rays in zip(numbers.tolist(), order.split(counts.tolist()), strict=True):
        top, left = number // tiles_across * _TILE, number % tiles_across * _TILE
        near = (bounds[:, 0] < left + _TILE + 1) & (bounds[:, 2] > left - 1)
        near &= (bounds[:, 1] < top + _TILE + 1) & (bounds[:, 3] > top - 1)
        depth[rays], which[rays] = trace(primitives, origin, directions[rays], near.nonzero()[:, 0])
    return depth, which


def _albedo(scene: Scene, hits: Hits, footprint: Tensor) -> tuple[Tensor, Tensor]:
    """Reflectance [N, 3] with pattern, and material rows [N, 12]."""
    primitives = scene.primitives
    half = primitives.half[hits.primitive]
    tube = primitives.shape[hits.primitive] == CYLINDER
    face, _ = face_of(hits.unit, tube)
    others = torch.tensor([[1, 2], [0, 2], [0, 1]], device=half.device)[face // 2]
    local = hits.unit * half
    place, extent = local.gather(1, others), half.gather(1, others)
    # Around a cylinder the pattern runs along the circumference and the axis.
    side = (tube & (face < 4))[:, None]
    turn = torch.atan2(hits.unit[:, 1], hits.unit[:, 0])
    around = torch.stack([turn * half[:, 0], local[:, 2]], 1)
    place = torch.where(side, around, place)
    extent = torch.where(side, torch.stack([math.pi * half[:, 0], half[:, 2]], 1), extent)
    rows = scene.materials[material_of(scene, hits.primitive, hits.unit)]
    return reflectance(place, extent, footprint, rows), rows


def _mirror(
    scene: Scene, lighting: Lighting, points: Tensor, ways: Tensor, footprint: Tensor
) -> Tensor:
    """Radiance [N, 3] that arrives at points from directions, of the room and its larger solids."""
    primitives = scene.primitives
    large = primitives.half.amin(1) > _LARGE
    large[0] = True
    large[list(scene.windows)] = True
    t, which = trace(primitives, points, ways, large.nonzero()[:, 0])
    hits = locate(primitives, points + ways * t[:, None], which)
    color, rows = _albedo(scene, hits, footprint * 4)
    # No mirror in a room is sharp enough to show what is outside the window.
    plain = (rows[:, 1:4] + rows[:, 4:7]) / 2
    color = torch.where(rows[:, :1] == PATTERNS.index('outdoors'), plain, color)
    return color * (lighting.at(which, hits.unit) + rows[:, 10:11])


def _radiance(
    scene: Scene,
    lighting: Lighting,
    pose: Pose,
    directions: Tensor,
    t: Tensor,
    which: Tensor,
    pixel: float,
) -> Tensor:
    """Linear RGB [N, 3] that comes along camera rays; `pixel` is a sample's width at depth 1."""
    points = pose.position + directions * t[:, None]
    hits = locate(scene.primitives, points, which)
    length = directions.norm(dim=1)
    facing = -(directions * hits.normal).sum(1) / length
    footprint = t * pixel / facing.abs().clamp(min=0.1).sqrt()
    color, rows = _albedo(scene, hits, footprint)
    light = color * (lighting.at(which, hits.unit) + rows[:, 10:11])
    gloss = rows[:, 9]
    mirrored = (gloss > 0.08).nonzero()[:, 0]
    if len(mirrored):
        cosine = facing[mirrored].abs()
        share = gloss[mirrored] * (0.06 + 0.94 * (1 - cosine) ** 5)
        way = directions[mirrored] / length[mirrored, None]
        normal = hits.normal[mirrored]
        way = way - 2 * (way * normal).sum(1, keepdim=True) * normal
        seen = _mirror(scene, lighting, points[mirrored] + normal * 2e-3, way, footprint[mirrored])
        light[mirrored] = light[mirrored] + share[:, None] * (seen - light[mirrored] * 0.5)
    # Bright spots are clipped before averaging, so that their edges stay smooth.
    return light.clamp(max=4)


def _uneven(light: Tensor, which: Tensor) -> Tensor:
    """Pixels [H, W] where the primitive or the brightness changes to a neighbour."""
    tone = light.mean(2).clamp(min=0.02).log()
    edge = torch.zeros_like(which, dtype=torch.bool)
    for axis in (0, 1):
        size = which.shape[axis] - 1
        step = which.narrow(axis, 0, size) != which.narrow(axis, 1, size)
        step |= (tone.narrow(axis, 0, size) - tone.narrow(axis, 1, size)).abs() > 0.12
        edge.narrow(axis, 0, size).logical_or_(step)
        edge.narrow(axis, 1, size).logical_or_(step)
    return edge


@torch.no_grad()
def render_radiance(
    scene: Scene, pose: Pose, intrinsics: Intrinsics, lighting: Lighting, samples: int = 1
) -> tuple[Tensor, Tensor]:
    """Return linear RGB, float32 [H, W, 3], and depth along Z at pixel centres, float32 [H, W], m.

    Parameters
    ----------
    samples : pixels at edges take the mean colour of this number squared of rays.

    """
    device = scene.device
    pose = Pose(pose.position.to(device), pose.rotation.to(device))
    height, width = intrinsics.height, intrinsics.width

    def shoot(u: Tensor, v: Tensor, pixel: float) -> tuple[Tensor, Tensor, Tensor]:
        rays = pixel_rays(pose, u, v, intrinsics)
        t, which = _trace_pixels(scene, pose, intrinsics, u, v, rays)
        return t, which, _radiance(scene, lighting, pose, rays, t, which, pixel / intrinsics.fx)

    v, u = torch.meshgrid(
        torch.arange(height, device=device, dtype=torch.float32),
        torch.arange(width, device=device, dtype=torch.float32),
        indexing='ij',
    )
    depth, which, light = shoot(u.flatten(), v.flatten(), 1.0)
    light = light.view(height, width, 3)
    edge = _uneven(light, which.view(height, width))
    if samples > 1 and edge.any():
        offset = (torch.arange(samples, device=device) + 0.5) / samples - 0.5
        fine_u = (u[edge][:, None, None] + offset).expand(-1, samples, -1)
        fine_v = (v[edge][:, None, None] + offset[:, None]).expand(-1, -1, samples)
        _, _, fine = shoot(fine_u.flatten(), fine_v.flatten(), 1 / samples)
        light[edge] = fine.view(-1, samples * samples, 3).mean(1)
    return light, depth.view(height, width)


def depth_of(scene: Scene, pose: Pose, intrinsics: Intrinsics) -> Tensor:
    """Return the depth along Z at pixel centres, [H, W], metres, without any light."""
    v, u = torch.meshgrid(
        torch.arange(intrinsics.height, dtype=torch.float32),
        torch.arange(intrinsics.width, dtype=torch.float32),
        indexing='ij',
    )
    rays = pixel_rays(pose, u.flatten(), v.flatten(), intrinsics)
    depth, _ = _trace_pixels(scene, pose, intrinsics, u.flatten(), v.flatten(), rays)
    return depth.view(intrinsics.height, intrinsics.width)


def render(
    scene: Scene,
    pose: Pose,
    intrinsics: Intrinsics,
    *,
    lighting: Lighting | None = None,
    film: Film | None = None,
    samples: int = 1,
    gain: float | None = None,
    seed: int = 0,
) -> Frame:
    """Render one frame on the scene's device.

    Parameters
    ----------
    lighting : from `illuminate`, for all frames of a scene; None: the scene is lit here.
    film : None: a plain one.
    samples : this number squared is the rays of a pixel at an edge.
    gain, seed : see `Film.develop`.

    """
    lighting = lighting or illuminate(scene, seed=seed)
    radiance, depth = render_radiance(scene, pose, intrinsics, lighting, samples)
    rgb = (film or Film()).develop(radiance, gain, seed)
    return Frame(rgb, depth, intrinsics)
