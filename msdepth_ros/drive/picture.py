# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A picture of a drive: the room from above, the marked cells, and the robot's path."""

from collections.abc import Mapping

import cv2
import numpy as np

from msdepth_ros.drive.arena import Arena
from msdepth_ros.drive.loop import Drive

_SCALE = 4  # pixels along one cell of the costmap
_HEADER = 58  # pixels
_SOLID, _FLOOR = (120, 120, 120), (245, 245, 245)  # BGR
_MARKED, _PHANTOM, _TRAIL = (60, 160, 235), (60, 60, 220), (200, 120, 0)


def picture(arena: Arena, drives: Mapping[str, Drive], radius: float) -> np.ndarray:
    """Return one panel for each drive through an arena, side by side: uint8 [H, W, 3] BGR.

    Grey is solid. Marked cells are orange, or red if they are more than 0.3 m from anything solid.
    The path is blue, with a cross at each collision.
    """
    return np.concatenate(
        [_panel(arena, name, each, radius) for name, each in drives.items()], axis=1
    )


def _panel(arena: Arena, name: str, drive: Drive, radius: float) -> np.ndarray:
    cells = arena.cells
    height, width = cells.rows * _SCALE, cells.columns * _SCALE
    solid = cv2.resize(
        arena.solid.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST
    ).astype(bool)
    image = np.where(solid[..., None], np.array(_SOLID, np.uint8), np.array(_FLOOR, np.uint8))
    if drive.lethal.size:
        beside = cv2.dilate(
            arena.solid.astype(np.uint8), np.ones((25, 25), np.uint8)
        )  # 0.3 m on the fine cells
        beside = cv2.resize(beside, (width, height), interpolation=cv2.INTER_NEAREST)
        near = np.asarray(beside > 0)
        lethal = np.kron(drive.lethal, np.ones((_SCALE, _SCALE))).astype(bool)
        for where, color in ((lethal & near, _MARKED), (lethal & ~near, _PHANTOM)):
            image[where] = (image[where] * 0.35 + np.array(color) * 0.65).astype(np.uint8)
    trail = np.array([_pixel(arena, point) for point in drive.trail], np.int32)
    cv2.polylines(image, [trail[:, None]], False, _TRAIL, 2, cv2.LINE_AA)
    size = round(radius / cells.resolution * _SCALE)
    for point, color in ((arena.start, (90, 90, 90)), (arena.goal, (60, 160, 60))):
        cv2.circle(image, _pixel(arena, point), size, color, 2, cv2.LINE_AA)
    cv2.circle(image, _pixel(arena, drive.trail[-1]), size, _TRAIL, 2, cv2.LINE_AA)
    for point in drive.bumps:
        cv2.drawMarker(image, _pixel(arena, point), (0, 0, 200), cv2.MARKER_TILTED_CROSS, 18, 3)
    image = image[::-1]  # y is up
    header = np.full((_HEADER, width, 3), 255, np.uint8)
    result = 'reached' if drive.reached else drive.why
    lines = (
        f'{name}: {result}, {drive.collisions} collisions',
        f'{drive.distance:.1f} m ({drive.shortest:.1f}), {drive.seconds:.0f} s, '
        f'{drive.false_cells:.0f} false cells',
    )
    for row, line in enumerate(lines):
        cv2.putText(
            header, line, (6, 22 + 24 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 0, 1, cv2.LINE_AA
        )
    return np.pad(np.concatenate([header, image]), ((0, 0), (0, 6), (0, 0)), constant_values=255)


def _pixel(arena: Arena, point: tuple[float, float]) -> tuple[int, int]:
    cells = arena.cells
    scale = _SCALE / cells.resolution
    return round((point[0] - cells.origin_x) * scale), round((point[1] - cells.origin_y) * scale)
