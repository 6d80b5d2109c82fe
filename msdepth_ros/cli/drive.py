# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth drive`: a simulated robot crosses rendered rooms with its camera's depth alone."""

import argparse
import copy
import json
from pathlib import Path
from typing import Any

from msdepth_ros.cli._options import add_model, add_threads
from msdepth_ros.errors import MsdepthError
from msdepth_ros.extras import require

HELP = 'let a simulated robot cross rendered rooms with depth alone, and count its collisions'
MEASURED = 'none,floor,scan,truth'
_SIZE = (256, 192)  # pixels of the robot's camera
_FOV = 70.0  # degrees, horizontal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument('--rooms', type=int, default=20, help='number of rooms (%(default)s)')
    parser.add_argument(
        '--seed', type=int, default=0, help='the same seed gives the same rooms (%(default)s)'
    )
    parser.add_argument(
        '--measured',
        default=MEASURED,
        help='one robot for each measurement, as --measured of evaluate; scan+floor: both; truth: '
        'the true depth instead of the predicted one (%(default)s)',
    )
    parser.add_argument(
        '--out', type=Path, metavar='DIR', help='write a picture of each room to this folder'
    )
    add_model(parser, 'onnxruntime', 'fp32')
    add_threads(parser)
    parser.add_argument(
        '--costmap', type=Path, metavar='FILE', help="Nav2's parameters (default: the shipped ones)"
    )
    parser.add_argument('--json', action='store_true', help='print JSON instead of a table')


def run(args: argparse.Namespace) -> int:
    """Drive and print the results; return the exit code."""
    if args.rooms < 1:
        raise MsdepthError(f'--rooms is {args.rooms}: it must be at least 1')
    require('torch')
    import torch
    from tqdm import tqdm

    from msdepth_ros.drive.crossing import cross_rooms, write_picture
    from msdepth_ros.drive.report import document, table
    from msdepth_ros.drive.robot import Body
    from msdepth_ros.evaluation.navigation import EDGE_THRESHOLD
    from msdepth_ros.inference.backends import create_backend
    from msdepth_ros.inference.estimator import DepthEstimator, Settings
    from msdepth_ros.inference.model import load_model
    from msdepth_ros.rooms import from_fov

    kinds = [kind.replace('+', ',') for kind in args.measured.split(',')]
    _check(kinds)
    body = Body()
    costmap = _costmap(args.costmap, body.height)
    model = load_model(args.model)
    if args.threads > 0:
        torch.set_num_threads(args.threads)
    backend = create_backend(model, args.backend, args.threads, args.precision)
    drives: dict[str, list[Any]] = {kind: [] for kind in kinds}
    try:
        estimator = DepthEstimator(model, backend, Settings(edge_threshold=EDGE_THRESHOLD))
        crossings = cross_rooms(
            estimator, kinds, args.rooms, args.seed, body, from_fov(*_SIZE, _FOV), costmap
        )
        for number, (arena, each) in enumerate(tqdm(crossings, total=args.rooms, unit='room')):
            for kind, drive in each.items():
                drives[kind].append(drive)
            if args.out:
                write_picture(args.out / f'room_{number:02d}.png', arena, each, body)
    except KeyboardInterrupt:  # print the results of the finished rooms
        drives = {kind: each for kind, each in drives.items() if each}
        if not drives:
            raise
    finally:
        backend.close()
    if args.json:
        print(json.dumps({'model': args.model, **document(drives)}, indent=2))
        return 0
    print(table(drives))
    if args.out:
        print(f'pictures: {args.out}')
    return 0


def _check(kinds: list[str]) -> None:
    from msdepth_ros.evaluation.measurements import Measured

    for kind in kinds:
        if kind != 'truth' and Measured.parse(kind).views:
            raise MsdepthError(
                '--measured views is not simulated: use none, scan, points:N, floor or truth'
            )


def _costmap(path: Path | None, robot: float) -> dict[str, Any]:
    """Return the local costmap's parameters, with obstacles up to 0.1 m above the robot."""
    from msdepth_ros.launching.navigation_check import read_costmaps
    from msdepth_ros.resources import share_directory

    path = path or share_directory() / 'config' / 'nav2_costmap.yaml'
    costmap = read_costmaps(path).get('local_costmap')
    if costmap is None:
        raise MsdepthError(f'{path} has no local_costmap with ros__parameters')
    costmap = copy.deepcopy(costmap)
    for layer in costmap.values():
        for name in layer.get('observation_sources', '').split() if isinstance(layer, dict) else ():
            if layer[name].get('marking', True):
                layer[name]['max_obstacle_height'] = robot + 0.1
    return costmap
