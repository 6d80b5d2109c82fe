# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A floor and boxes, ray-cast exactly: the depth that a perfect camera on a robot would see."""

import math
from dataclasses import dataclass

import numpy as np

from msdepth_ros.geometry.pinhole import Grid, Intrinsics

# A box is (x from, x to, y from, y to, z from, z to) in the robot's frame, metres.
CAMERA = Intrinsics(304, 228, 240.0, 240.0, 151.5, 113.5)
CELLS = Grid(152, 114, (0.5, 0.5), (2.0, 2.0))


@dataclass(frozen=True)
class Mounted:
    """A camera above (x, y) = (0, 0) of the robot's frame, looking ahead and down by `pitch`."""

    height: float = 0.35
    pitch: float = 0.0

    @property
    def position(self):
        return np.array([0.0, 0.0, self.height])

    @property
    def rotation(self):
        """Return the rotation from the optical frame to the robot's, float64 [3, 3]."""
        return self.body @ np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])

    @property
    def body(self):
        """Return the rotation from the camera's body (x forward) to the robot's frame."""
        c, s = math.cos(self.pitch), math.sin(self.pitch)
        return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def wall(x):
    return (x, x + 0.2, -20.0, 20.0, -20.0, 20.0)


def depth_of(mounted, boxes=(), intrinsics=None, floor=True):
    """Return the depth along the optical axis, float64 [height, width]; inf where nothing is.

    `floor` False leaves z = 0 open; a function (x, y) -> bool says where there is floor.
    """
    intrinsics = intrinsics or CAMERA.sampled(CELLS)
    u, v = np.meshgrid(np.arange(intrinsics.width), np.arange(intrinsics.height))
    rays = np.stack(
        [
            (u - intrinsics.cx) / intrinsics.fx,
            (v - intrinsics.cy) / intrinsics.fy,
            np.ones(u.shape),
        ],
        axis=-1,
    )
    way, start = rays @ mounted.rotation.T, mounted.position
    with np.errstate(divide='ignore', invalid='ignore'):
        depth = np.where(way[..., 2] < 0, -start[2] / way[..., 2], np.inf)
        if callable(floor):
            ground = start + depth[..., None] * way
            depth[~floor(ground[..., 0], ground[..., 1])] = np.inf
        elif not floor:
            depth[:] = np.inf
        for box in boxes:
            low, high = np.array(box[0::2]), np.array(box[1::2])
            first, second = (low - start) / way, (high - start) / way
            enters = np.minimum(first, second).max(axis=-1)
            leaves = np.maximum(first, second).min(axis=-1)
            hit = (enters < leaves) & (enters > 0)
            depth = np.where(hit, np.minimum(depth, enters), depth)
    return depth
