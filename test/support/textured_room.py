# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Renders a room of textured walls with a box: images with exact depth and pose."""

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np

from msdepth_ros.geometry.pinhole import Intrinsics

WIDTH, HEIGHT = 256, 192
CAMERA = Intrinsics(WIDTH, HEIGHT, 207.0, 207.0, 127.5, 95.5)
# x right, y down, z ahead of the first camera, metres.
_ROOM = np.array([[-1.7, -1.3, -2.0], [1.9, 0.9, 4.2]])
_BOX = np.array([[0.2, 0.2, 2.2], [0.9, 0.9, 2.8]])
_TEXELS = 100.0  # per metre


class TexturedRoom:
    """Renders images; each wall has a texture of its own.

    Parameters
    ----------
    repeated : metres after which every texture repeats; 0: never.
    mirror : how much of the floor's light is reflected.
    """

    def __init__(self, repeated: float = 0.0, mirror: float = 0.0) -> None:
        rng = np.random.default_rng(0)
        self._mirror = mirror
        self._textures = []
        for _ in range(12):
            grains = [rng.random((size, size), np.float32) for size in (200, 100, 40)]
            smooth = [cv2.resize(each, (800, 800), None, 0, 0, cv2.INTER_CUBIC) for each in grains]
            texture = np.sum(smooth, axis=0)
            if repeated:
                period = round(repeated * _TEXELS)
                repeats = -(-800 // period)
                texture = np.tile(texture[:period, :period], (repeats, repeats))[:800, :800]
            self._textures.append(cv2.normalize(texture, None, 20, 235, cv2.NORM_MINMAX))

    def render(
        self, pose: np.ndarray, camera: Intrinsics = CAMERA, box_at: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return image (uint8 [H, W]) and depth along Z (float32 [H, W], metres).

        `pose` : float64 [4, 4], camera to room. `box_at` : metres along x by which the box moved.
        """
        x, y = camera.ray_slopes()
        slopes = np.stack(np.broadcast_arrays(x, y[:, None], 1.0), axis=-1)
        rays = slopes @ pose[:3, :3].T
        start = np.broadcast_to(pose[:3, 3], rays.shape)
        box = _BOX + np.array([box_at, 0, 0])
        depth, light, normal = self._cast(start, rays, box)
        if self._mirror:
            floor = normal == 3
            hit = start + depth[..., None] * rays
            turned = rays * np.array([1, -1, 1])
            _, seen, _ = self._cast(hit - np.array([0, 1e-4, 0]), turned, box)
            light = np.where(floor, (1 - self._mirror) * light + self._mirror * seen, light)
        return light.round().clip(0, 255).astype(np.uint8), depth.astype(np.float32)

    def _cast(
        self, start: np.ndarray, rays: np.ndarray, box: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return distance in rays, light, and which wall is hit."""
        with np.errstate(divide='ignore', invalid='ignore'):
            room = np.where(rays > 0, _ROOM[1] - start, _ROOM[0] - start) / rays
            near, far = (np.where(rays > 0, box[i], box[1 - i]) for i in (0, 1))
            enter, leave = ((side - start) / rays for side in (near, far))
        best = np.nanmin(room, axis=-1)
        axis = np.nanargmin(room, axis=-1)
        first, last = np.nanmax(enter, axis=-1), np.nanmin(leave, axis=-1)
        on_box = (first > 1e-3) & (first < last) & (first < best)
        axis = np.where(on_box, np.nanargmax(enter, axis=-1), axis)
        distance = np.where(on_box, first, best)
        points = start + distance[..., None] * rays
        ahead = np.take_along_axis(rays, axis[..., None], axis=-1)[..., 0] > 0
        wall = axis * 2 + ahead
        points = np.where(on_box[..., None], points - box[0], points)
        light = np.zeros(distance.shape, np.float32)
        for index in range(12):
            here = (wall + 6 * on_box) == index
            if here.any():
                a, b = ((1, 2), (0, 2), (0, 1))[index % 6 // 2]
                at = [(points[..., i] * _TEXELS + 400).astype(np.float32) % 798 for i in (a, b)]
                light[here] = cv2.remap(self._textures[index], *at, cv2.INTER_LINEAR)[here]
        return distance, light, np.where(on_box, -1, wall)


def pose_at(x: float, y: float, z: float, yaw: float = 0.0, pitch: float = 0.0) -> np.ndarray:
    """Return a pose, float64 [4, 4], camera to room; metres, radians, right and down positive."""
    pose = np.eye(4)
    turn, _ = cv2.Rodrigues(np.array([0.0, yaw, 0.0]))
    nod, _ = cv2.Rodrigues(np.array([-pitch, 0.0, 0.0]))
    pose[:3, :3] = turn @ nod
    pose[:3, 3] = x, y, z
    return pose


def walk(count: int = 16) -> list[np.ndarray]:
    """Return the poses of a hand-held camera that moves sideways and forward, and turns."""
    steps = np.linspace(0, 1, count)
    return [
        pose_at(-0.5 + 0.9 * s, 0.05 * np.sin(9 * s), 0.6 * s, 0.15 * np.sin(5 * s), 0.1 + 0.1 * s)
        for s in steps
    ]


def write_walk(folder: Path, count: int = 10, poses: bool = True) -> Path:
    """Write a walk as a dataset folder, with poses.txt if asked for."""
    room, lines = TexturedRoom(), []
    for part in ('rgb', 'depth'):
        (folder / part).mkdir(parents=True)
    for index, pose in enumerate(walk(16)[:count]):
        image, depth = room.render(pose)
        cv2.imwrite(str(folder / 'rgb' / f'{index:02}.png'), image)
        cv2.imwrite(str(folder / 'depth' / f'{index:02}.png'), (depth * 1000).astype(np.uint16))
        lines.append(' '.join([f'{index:02}', *(f'{x:.6f}' for x in pose[:3].ravel())]))
    (folder / 'camera.json').write_text(json.dumps(dataclasses.asdict(CAMERA)))
    if poses:
        (folder / 'poses.txt').write_text('\n'.join(lines))
    return folder
