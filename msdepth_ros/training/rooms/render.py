# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A scene seen by a camera: colour image and exact depth."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from msdepth_ros.training.rooms.camera import Film, Intrinsics, Pose
from msdepth_ros.training.rooms.geometry import (
    MISS,
    Hits,
    Primitives,
    cube_face,
    locate,
    trace,
)
from msdepth_ros.training.rooms.light import Lighting, illuminate, material_of
from msdepth_ros.training.rooms.scene import Scene
from msdepth_ros.training.rooms.solids import CYLINDER, SHELL
from msdepth_ros.training.rooms.texture import reflectance

_TILE = 48
_LARGE = 0.2
"""Half size in metres from which a solid is seen in mirrors."""


@dataclass(frozen=True)
class Frame:
    """rgb: uint8 [H, W, 3]. depth: float32 [H, W], metres along the optical axis. On the scene's device."""

    rgb: Tensor
    depth: Tensor
    intrinsics: Intrinsics


def pixel_rays(pose: Pose, u: Tensor, v: Tensor, intrinsics: Intrinsics) -> Tensor:
    """World directions [N, 3] of pixels, with length 1 along the optical axis: t is depth."""
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


def _trace_image(
    scene: Scene, pose: Pose, intrinsics: Intrinsics, directions: Tensor
) -> tuple[Tensor, Tensor]:
    """As `trace` for a whole image's rays [H * W, 3]; on a CPU tile by tile, with what each tile may see."""
    primitives, origin = scene.primitives, pose.position[None]
    if scene.device.type != 'cpu':
        return trace(primitives, origin, directions)
    height, width = intrinsics.height, intrinsics.width
    bounds = _bounds(primitives, pose, intrinsics)
    rays = directions.view(height, width, 3)
    depth = torch.empty(height, width)
    which = torch.empty(height, width, dtype=torch.int64)
    for top in range(0, height, _TILE):
        for left in range(0, width, _TILE):
            tile = (slice(top, top + _TILE), slice(left, left + _TILE))
            near = (bounds[:, 0] < left + _TILE + 1) & (bounds[:, 2] > left - 1)
            near &= (bounds[:, 1] < top + _TILE + 1) & (bounds[:, 3] > top - 1)
            part = rays[tile]
            t, met = trace(primitives, origin, part.reshape(-1, 3), near.nonzero()[:, 0])
            depth[tile], which[tile] = t.view(part.shape[:2]), met.view(part.shape[:2])
    return depth.flatten(), which.flatten()


def _albedo(scene: Scene, hits: Hits, footprint: Tensor) -> tuple[Tensor, Tensor]:
    """Reflectance [N, 3] with pattern, and material rows [N, 12]."""
    primitives = scene.primitives
    half = primitives.half[hits.primitive]
    face, _ = cube_face(hits.unit)
    others = torch.tensor([[1, 2], [0, 2], [0, 1]], device=half.device)[face // 2]
    local = hits.unit * half
    place, extent = local.gather(1, others), half.gather(1, others)
    # Around a cylinder the pattern runs along the circumference and the axis.
    tube = (primitives.shape[hits.primitive] == CYLINDER) & (hits.unit[:, 2].abs() < 1 - 1e-4)
    turn = torch.atan2(hits.unit[:, 1], hits.unit[:, 0])
    around = torch.stack([turn * half[:, 0], local[:, 2]], 1)
    place = torch.where(tube[:, None], around, place)
    extent = torch.where(tube[:, None], torch.stack([math.pi * half[:, 0], half[:, 2]], 1), extent)
    rows = scene.materials[material_of(scene, hits.primitive, hits.unit)]
    return reflectance(place, extent, footprint, rows), rows


def _mirror(
    scene: Scene, lighting: Lighting, points: Tensor, ways: Tensor, footprint: Tensor
) -> Tensor:
    """Radiance [N, 3] that arrives at points from directions, of the room and its larger solids."""
    primitives = scene.primitives
    large = primitives.half.median(1).values > _LARGE
    large[0] = True
    large[list(scene.windows)] = True
    t, which = trace(primitives, points, ways, large.nonzero()[:, 0])
    hits = locate(primitives, points + ways * t[:, None], which)
    color, rows = _albedo(scene, hits, footprint * 4)
    return color * (lighting.at(which, hits.unit) + rows[:, 10:11])


def _radiance(
    scene: Scene, lighting: Lighting, pose: Pose, directions: Tensor, t: Tensor, which: Tensor, pixel: float
) -> Tensor:
    """Linear RGB [N, 3] that the camera receives along its rays."""
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
    return light


@torch.no_grad()
def render_radiance(
    scene: Scene, pose: Pose, intrinsics: Intrinsics, lighting: Lighting, samples: int = 1
) -> tuple[Tensor, Tensor]:
    """Linear RGB [H, W, 3], averaged over `samples` x `samples` rays a pixel, and depth [H, W] at its centre."""
    device = scene.device
    pose = Pose(pose.position.to(device), pose.rotation.to(device))
    height, width = intrinsics.height, intrinsics.width
    fine = Intrinsics(
        width * samples,
        height * samples,
        intrinsics.fx * samples,
        intrinsics.fy * samples,
        (intrinsics.cx + 0.5) * samples - 0.5,
        (intrinsics.cy + 0.5) * samples - 0.5,
    )
    grid = [(intrinsics, True)] if samples == 1 else [(intrinsics, False), (fine, True)]
    depth = light = torch.empty(0)
    for camera, shaded in grid:
        v, u = torch.meshgrid(
            torch.arange(camera.height, device=device, dtype=torch.float32),
            torch.arange(camera.width, device=device, dtype=torch.float32),
            indexing='ij',
        )
        directions = pixel_rays(pose, u.flatten(), v.flatten(), camera)
        t, which = _trace_image(scene, pose, camera, directions)
        if camera is intrinsics:
            depth = t.view(height, width)
        if shaded:
            light = _radiance(scene, lighting, pose, directions, t, which, 1 / camera.fx)
    light = light.view(height, samples, width, samples, 3)
    # Bright spots are clipped before averaging, as the eye of an edge is.
    return light.clamp(max=8).mean((1, 3)), depth


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

    `lighting` comes from `illuminate` and serves all frames of a scene; without it the scene is lit
    here. `samples` squared rays make a pixel. `gain` and `seed` go to `Film.develop`.
    """
    lighting = lighting or illuminate(scene, seed=seed)
    radiance, depth = render_radiance(scene, pose, intrinsics, lighting, samples)
    rgb = (film or Film()).develop(radiance, gain, seed)
    return Frame(rgb, depth, intrinsics)
