# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Options that several subcommands share, and their values."""

import argparse
import math
import os
from typing import TYPE_CHECKING

from msdepth_ros.errors import MsdepthError
from msdepth_ros.inference.backends import BACKENDS, PRECISIONS
from msdepth_ros.inference.model import DEFAULT_MODEL

if TYPE_CHECKING:
    from msdepth_ros.metric.floor import FloorPlane


def add_model(parser: argparse.ArgumentParser, backend: str, precision: str) -> None:
    """Add --model, --backend and --precision; `backend` and `precision` are the defaults."""
    parser.add_argument(
        '--model', default=DEFAULT_MODEL, help='name of a model, or path of its YAML (%(default)s)'
    )
    parser.add_argument('--backend', default=backend, help=f'{", ".join(BACKENDS)} (%(default)s)')
    parser.add_argument(
        '--precision',
        choices=PRECISIONS,
        default=precision,
        help='auto: as on a robot, int8 on a CPU if the model has it (%(default)s)',
    )


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Add --threads."""
    parser.add_argument(
        '--threads', type=int, default=0, metavar='N', help='CPU threads; 0: one per core (0)'
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add --device, --threads and --workers of a training; see `workers_on`."""
    parser.add_argument(
        '--device', default='auto', help='cpu, cuda, cuda:N or auto: a GPU if there is one'
    )
    add_threads(parser)
    parser.add_argument(
        '--workers',
        type=int,
        default=0,
        help='processes that prepare batches (default: 1; for a GPU, its share of the CPU cores)',
    )


def workers_on(kind: str, workers: int) -> int:
    """Return the number of processes that prepare batches, of each process that trains.

    Parameters
    ----------
    kind : of the device, 'cpu' or 'cuda'. By default there is one; for a GPU its share of the CPU
        cores, less one, at most 16.
    workers : as given, 0: the default.

    Raises
    ------
    MsdepthError
        If it is negative.
    """
    if workers < 0:
        raise MsdepthError(f'--workers is {workers}: give 1 or more, or 0 for the default')
    if workers or kind != 'cuda':
        return workers or 1
    gpus = int(os.environ.get('LOCAL_WORLD_SIZE', '1'))
    return min(16, max(1, len(os.sched_getaffinity(0)) // gpus - 1))


def add_mount(parser: argparse._ActionsContainer, height: str) -> None:
    """Add --camera-height, with the help text `height`, and --camera-pitch."""
    parser.add_argument('--camera-height', type=float, metavar='METRES', help=height)
    parser.add_argument(
        '--camera-pitch',
        type=float,
        metavar='RADIANS',
        help='with --camera-height: angle by which the camera looks down (default: 0)',
    )


def mount(args: argparse.Namespace) -> 'FloorPlane | None':
    """Return the floor plane of --camera-height and --camera-pitch; None without a height.

    Raises
    ------
    MsdepthError
        If the height is not a positive number, the pitch not a number, or only the pitch is given.
    """
    from msdepth_ros.geometry.floor import up_from_pitch
    from msdepth_ros.metric.floor import FloorPlane

    pitch = args.camera_pitch
    if args.camera_height is None:
        if pitch is not None:
            raise MsdepthError('--camera-pitch says nothing alone: give --camera-height, too')
        return None
    if pitch is not None and not abs(pitch) <= math.pi / 2:
        raise MsdepthError(f'--camera-pitch is {pitch:g} but must be in radians, -1.57 to 1.57')
    if not 0 < args.camera_height < float('inf'):
        raise MsdepthError(f'--camera-height is {args.camera_height:g} but must be in metres, > 0')
    return FloorPlane(up_from_pitch(pitch or 0.0), args.camera_height)


def intrinsics(text: str | None) -> tuple[float, float, float, float] | None:
    """Return the value of --intrinsics fx,fy,cx,cy in pixels; None if it is not given.

    Raises
    ------
    MsdepthError
        If it is not four numbers.
    """
    if text is None:
        return None
    try:
        fx, fy, cx, cy = (float(part) for part in text.split(','))
    except ValueError as error:
        raise MsdepthError(f"--intrinsics is '{text}' but must be fx,fy,cx,cy in pixels") from error
    return fx, fy, cx, cy
