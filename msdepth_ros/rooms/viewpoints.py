# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Random camera poses in a room: hand-held at eye height, close above a desk, on a small robot."""

from __future__ import annotations

import math
from random import Random

import torch

from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.rooms.camera import Pose
from msdepth_ros.rooms.geometry import trace
from msdepth_ros.rooms.render import pixel_rays
from msdepth_ros.rooms.scene import Scene

_PROBE = (16, 12)


def _probe(scene: Scene, pose: Pose, intrinsics: Intrinsics) -> torch.Tensor:
    """Return the depth of 16 x 12 pixels over the whole image."""
    v, u = torch.meshgrid(
        torch.linspace(0, intrinsics.height - 1, _PROBE[1]),
        torch.linspace(0, intrinsics.width - 1, _PROBE[0]),
        indexing='ij',
    )
    rays = pixel_rays(pose, u.flatten(), v.flatten(), intrinsics).to(scene.device)
    return trace(scene.primitives, pose.position[None].to(scene.device), rays)[0].cpu()


def _room_pose(scene: Scene, rng: Random) -> Pose:
    length, width, height = scene.size
    x, y = rng.uniform(0.15, 0.85) * length, rng.uniform(0.15, 0.85) * width
    z = min(rng.gauss(1.35, 0.25), height - 0.3)
    target = (rng.uniform(0, length), rng.uniform(0, width), max(rng.gauss(0.7, 0.4), 0))
    return Pose.look_at((x, y, z), target, rng.gauss(0, 0.04))


def _robot_pose(scene: Scene, rng: Random) -> Pose:
    length, width, _ = scene.size
    x, y = rng.uniform(0.08, 0.92) * length, rng.uniform(0.08, 0.92) * width
    return Pose.look(
        (x, y, rng.uniform(0.1, 0.4)),
        rng.uniform(-math.pi, math.pi),
        rng.gauss(0, 0.1),
        rng.gauss(0, 0.01),
    )


def _desk_pose(scene: Scene, rng: Random) -> Pose:
    surface = rng.choice(scene.surfaces)
    x, y, z = surface.center
    a = rng.uniform(-0.6, 0.6) * surface.width
    b = rng.uniform(-0.4, 0.5) * surface.depth
    c, s = math.cos(surface.yaw), math.sin(surface.yaw)
    target = (x + c * a - s * b, y + s * a + c * b, z + rng.uniform(0, 0.25))
    turn, rise, away = (
        surface.yaw + math.pi / 2 + rng.gauss(0, 0.6),
        rng.uniform(0.15, 1.1),
        rng.uniform(0.35, 1.1),
    )
    position = (
        target[0] + away * math.cos(rise) * math.cos(turn),
        target[1] + away * math.cos(rise) * math.sin(turn),
        target[2] + away * math.sin(rise),
    )
    return Pose.look_at(position, target, rng.gauss(0, 0.08))


def random_pose(
    scene: Scene, rng: Random, intrinsics: Intrinsics, style: str = 'room', tries: int = 60
) -> Pose:
    """Return a random pose with a useful view: nothing fills the image close to the camera.

    Parameters
    ----------
    style : 'room' (hand-held at eye height), 'robot' (near the floor) or 'desk' (close above one).
    tries : poses to try; if none is good enough, the best of them is returned.
    """
    nearest, typical = {'room': (0.35, 1.3), 'robot': (0.15, 0.7), 'desk': (0.15, 0.3)}[style]
    make = {'room': _room_pose, 'robot': _robot_pose, 'desk': _desk_pose}[style]
    if style == 'desk' and not scene.surfaces:
        make = _room_pose
    best, score = make(scene, rng), -1.0
    for _ in range(tries):
        pose = make(scene, rng)
        inside = all(
            0.1 < float(p) < size - 0.1 for p, size in zip(pose.position, scene.size, strict=True)
        )
        if not inside:
            continue
        depth = _probe(scene, pose, intrinsics)
        quality = min(float(depth.min()) / nearest, float(depth.median()) / typical)
        if quality > score:
            best, score = pose, quality
        if score >= 1:
            break
    return best
