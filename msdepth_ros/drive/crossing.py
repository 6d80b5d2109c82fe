# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Lets robots cross rooms, one after another."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import cv2

from msdepth_ros.drive.arena import Arena, make_arena
from msdepth_ros.drive.loop import Drive, drive
from msdepth_ros.drive.picture import picture
from msdepth_ros.drive.robot import Body
from msdepth_ros.drive.sight import Cameraman, Sight
from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.inference.estimator import DepthEstimator
from msdepth_ros.rooms import random_scene

_TRIES = 10  # rooms to try if they are too full


def cross_rooms(
    estimator: DepthEstimator,
    kinds: Sequence[str],
    rooms: int,
    seed: int,
    body: Body,
    intrinsics: Intrinsics,
    costmap: Mapping[str, Any],
) -> Iterator[tuple[Arena, dict[str, Drive]]]:
    """Yield each room with the drives through it, by kind.

    Parameters
    ----------
    estimator : estimates the depth, without flying pixels, as on a robot.
    kinds : values of Sight.measured; all drives of a room have the same start and goal.
    rooms : number of rooms.
    seed : the same seed gives the same rooms.
    body : the robot.
    intrinsics : intrinsics of its camera.
    costmap : Nav2's parameters of one costmap.

    Raises
    ------
    MsdepthError
        If no room has space for the robot.
    """
    for number in range(rooms):
        arena = _room(f'{seed}/{number}', body)
        cameraman = Cameraman(arena, body, intrinsics)
        yield (
            arena,
            {
                kind: drive(arena, body, cameraman, Sight(estimator, kind), costmap)
                for kind in kinds
            },
        )


def write_picture(path: Path, arena: Arena, drives: Mapping[str, Drive], body: Body) -> None:
    """Write the drives through a room as a PNG.

    Raises
    ------
    MsdepthError
        If it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), picture(arena, drives, body.radius)):
        raise MsdepthError(f'cannot write {path}: is the disk full, or the folder read-only?')


def _room(name: str, body: Body) -> Arena:
    rng = Random(name)
    for _ in range(_TRIES):
        try:
            return make_arena(random_scene(rng, 'robot'), rng, body.radius, body.height)
        except MsdepthError as error:
            refusal = error
    raise refusal
