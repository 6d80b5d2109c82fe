# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rendering: the colour image and the exact depth of a scene, as a camera sees it."""

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

_TILE = 48  # pixels: on a CPU, rays are traced in tiles of this size
_LARGE = 0.05  # half size in metres in each direction: smaller solids are not seen in mirrors


@dataclass(frozen=True)
class Frame:
    """A rendered image with its ground truth, on the scene's device.

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
    """Return the direction of each pixel's ray in the world frame.

    Its length along the optical axis is 1, so that `trace` returns depth along Z.

    Parameters
    ----------
    u, v : float32 [N], pixels; pixel centres lie on integers.

    Returns
    -------
    float32 [N, 3].
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
    """Return the pixel rectangle (left, top, right, bottom) of each primitive, [P, 4]."""
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
    """Trace the rays [N, 3] of pixels; on a CPU tile by tile, with the primitives in that tile."""
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
    """Return the reflectance [N, 3] with the pattern, and the rows of the materials [N, 12]."""
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
    """Return the radiance [N, 3] that points receive from directions; small solids are left out."""
    primitives = scene.primitives
    large = primitives.half.amin(1) > _LARGE
    large[0] = True
    large[list(scene.windows)] = True
    t, which = trace(primitives, points, ways, large.nonzero()[:, 0])
    hits = locate(primitives, points + ways * t[:, None], which)
    color, rows = _albedo(scene, hits, footprint * 4)
    # Mirrors in a room are blurred: they show no detail of what is outside the window.
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
    """Return the linear RGB [N, 3] of camera rays; `pixel` is a sample's width at depth 1."""
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
    # Clipped before the samples of a pixel are averaged: the edges of lamps stay smooth.
    return light.clamp(max=4)


def _uneven(light: Tensor, which: Tensor) -> Tensor:
    """Return the pixels [H, W] whose neighbour shows another primitive or brightness."""
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
    """Return the radiance and the depth of a scene.

    Parameters
    ----------
    lighting : from `illuminate`.
    samples : a pixel at an edge is the mean colour of samples * samples rays.

    Returns
    -------
    radiance : float32 [H, W, 3], linear RGB.
    depth : float32 [H, W], metres along Z at the pixel centres.
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
    """Return the depth alone: float32 [H, W], metres along Z at the pixel centres."""
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
    lighting : from `illuminate`, once for all frames of a scene; None: computed here.
    film : None: the default `Film`.
    samples : a pixel at an edge is the mean colour of samples * samples rays.
    gain, seed : see `Film.develop`.
    """
    lighting = lighting or illuminate(scene, seed=seed)
    radiance, depth = render_radiance(scene, pose, intrinsics, lighting, samples)
    rgb = (film or Film()).develop(radiance, gain, seed)
    return Frame(rgb, depth, intrinsics)
