# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth make`: all trainings of a model, and its export."""

import argparse
import sys
from pathlib import Path

from msdepth_ros.cli._options import add_device, workers_on

HELP = 'make a model from nothing: the trainings that it begins with, its own, the export'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        'config', type=Path, help='YAML of a training; its `recipe` names what comes first'
    )
    parser.add_argument(
        '--data', type=Path, required=True, help='folder with the dataset folders of all of them'
    )
    parser.add_argument(
        '--out',
        type=Path,
        required=True,
        help='folder for a folder of each training; what is finished there is not made again',
    )
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    """Make the model; return the exit code."""
    from msdepth_ros.extras import require

    require('torch', 'tensorboard', 'onnx')
    import torch

    from msdepth_ros.networks import distributed
    from msdepth_ros.release.making import Maker
    from msdepth_ros.training.devices import joined

    if args.threads:
        torch.set_num_threads(args.threads)
    with joined(args.device) as device:
        maker = Maker(args.data, args.out, device, workers_on(device.type, args.workers))
        try:
            made = maker.model(args.config)
        except KeyboardInterrupt:
            if distributed.rank() == 0:
                print('msdepth make: interrupted; the same command continues', file=sys.stderr)
            return 130
        if distributed.rank() == 0:
            print(f'made {made}')
    return 0
