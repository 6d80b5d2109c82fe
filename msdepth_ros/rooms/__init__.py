# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Synthetic furnished rooms: colour images with exact depth, in torch, on a CPU or a GPU.

>>> rng = random.Random(7)
>>> scene = random_scene(rng, 'room')
>>> camera = from_fov(640, 480, 65)
>>> frame = render(scene, random_pose(scene, rng, camera), camera, lighting=illuminate(scene))
"""

from msdepth_ros.rooms.camera import Film, Pose, from_fov
from msdepth_ros.rooms.layout import STYLES, random_scene
from msdepth_ros.rooms.light import Lighting, illuminate
from msdepth_ros.rooms.render import Frame, render
from msdepth_ros.rooms.scene import Scene
from msdepth_ros.rooms.viewpoints import random_pose

__all__ = [
    'STYLES',
    'Film',
    'Frame',
    'Lighting',
    'Pose',
    'Scene',
    'from_fov',
    'illuminate',
    'random_pose',
    'random_scene',
    'render',
]
