# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth train`: train a network as a configuration says."""

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from msdepth_ros.cli._options import add_device, add_mount, mount, workers_on
from msdepth_ros.errors import MsdepthError

if TYPE_CHECKING:
    from msdepth_ros.training.config import Config

HELP = 'train a network (needs torch)'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument('config', type=Path, help='YAML, such as those in config/training/')
    parser.add_argument(
        '--data',
        type=Path,
        required=True,
        help="folder that contains the configuration's dataset folders",
    )
    parser.add_argument('--out', type=Path, required=True, help='folder for checkpoint and log')
    parser.add_argument(
        '--weights',
        action='append',
        default=[],
        metavar='FILE|MODEL',
        help='start from the weights of this checkpoint or model, such as msdepth; if repeated, '
        'from their mean (default: as the configuration says)',
    )
    parser.add_argument(
        '--leave-out',
        action='append',
        default=[],
        metavar='SOURCE',
        help='learn nothing from this source and measure on all of it; repeatable',
    )
    parser.add_argument('--resume', action='store_true', help='continue the checkpoint in --out')
    add_device(parser)
    parser.add_argument(
        '--teacher',
        type=Path,
        action='append',
        default=[],
        help='teacher for stages with `distillation`: a checkpoint, or the YAML of a model; if '
        'repeated, the mean of the predictions is learned',
    )
    measured = parser.add_argument_group(
        "without a depth camera: learn from the default model's depth, aligned with what was "
        'measured (docs/own_place.md); of the first source in CONFIG'
    )
    measured.add_argument(
        '--measured',
        metavar='WHAT',
        help='some of scan, points, floor and views, separated by commas. In a rosbag2 they are '
        'recorded; of a dataset with depth scan, points:N and floor are simulated. views: earlier '
        'frames and their poses',
    )
    measured.add_argument(
        '--measured-depth',
        type=Path,
        metavar='DIR',
        help='for a folder of images: the folder of the measured depth images NAME.png, 16-bit mm, '
        '0 = none',
    )
    add_mount(measured, 'height above the floor, for --measured floor (default: by /tf_static)')


def run(args: argparse.Namespace) -> int:
    """Train; return the exit code."""
    from msdepth_ros.extras import require

    require('torch', 'tensorboard')
    import torch

    from msdepth_ros.networks import distributed
    from msdepth_ros.release.runs import warning_of_known
    from msdepth_ros.training.config import read_config, without
    from msdepth_ros.training.devices import joined
    from msdepth_ros.training.log import LOG
    from msdepth_ros.training.start import weights_path
    from msdepth_ros.training.summary import read_log, summary
    from msdepth_ros.training.trainer import Trainer

    if args.threads:
        torch.set_num_threads(args.threads)
    config = without(_with_measured(read_config(args.config), args), args.leave_out)
    start = [weights_path(text) for text in args.weights or config.start]
    with joined(args.device) as device:
        try:
            workers = workers_on(device.type, args.workers)
            trainer = Trainer(config, args.data, args.out, device, workers, start, args.teacher)
            if distributed.rank() == 0 and (
                known := warning_of_known(config, trainer.data, trainer.started_from)
            ):
                print(f'msdepth train: {known}', file=sys.stderr)
            trainer.run(args.resume)
        except KeyboardInterrupt:
            if distributed.rank() == 0:
                print(f'msdepth train: {_how_to_continue(args)}', file=sys.stderr)
            return 130
        if distributed.rank() == 0:
            errors, warnings = summary(read_log(args.out / LOG))
            for error in errors:
                print(error)
            for warning in warnings:
                print(f'msdepth train: {warning}', file=sys.stderr)
            command = ['msdepth', 'export', args.out, '--data', args.data]
            print(f'done: {args.out}/checkpoint.pt; next: {shlex.join(map(str, command))}')
    return 0


def _with_measured(config: 'Config', args: argparse.Namespace) -> 'Config':
    """Return a configuration whose first source has what the command line says was measured."""
    if args.measured is None and args.measured_depth is None:
        if args.camera_height is not None or args.camera_pitch is not None:
            raise MsdepthError('--camera-height and --camera-pitch are for --measured floor')
        return config
    from dataclasses import replace

    from msdepth_ros.training.config import MeasuredBy

    mount(args)  # refuses what cannot be one
    folder = args.measured_depth
    measured = MeasuredBy(
        args.measured or 'none',
        None if folder is None else str(folder.resolve()),
        args.camera_height,
        args.camera_pitch or 0.0,
    )
    name, source = next(iter(config.data.sources.items()))
    sources = {**config.data.sources, name: replace(source, measured=measured)}
    return replace(config, data=replace(config.data, sources=sources))


def _how_to_continue(args: argparse.Namespace) -> str:
    if not (args.out / 'checkpoint.pt').exists():
        return 'interrupted before the first checkpoint: there is nothing to continue'
    command = ['msdepth', 'train', args.config, '--data', args.data, '--out', args.out, '--resume']
    for option, values in (('--teacher', args.teacher), ('--leave-out', args.leave_out)):
        for value in values:
            command += [option, value]
    for name in ('measured', 'measured_depth', 'camera_height', 'camera_pitch'):
        if value := getattr(args, name):
            command += [f'--{name.replace("_", "-")}', value]
    return f'interrupted; continue with: {shlex.join(map(str, command))}'
