# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth train`: train a network from a configuration and a dataset folder."""

import argparse
from pathlib import Path

HELP = 'train a network (needs torch)'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument('config', type=Path, help='YAML under config/training/, or your own')
    parser.add_argument(
        '--data',
        type=Path,
        required=True,
        help="folder that holds the configuration's dataset folders",
    )
    parser.add_argument('--out', type=Path, required=True, help='folder for checkpoint and log')
    parser.add_argument('--resume', action='store_true', help='continue the checkpoint in --out')
    parser.add_argument('--device', default='cpu', help='torch device (default: cpu)')
    parser.add_argument('--threads', type=int, default=0, help='CPU threads (default: all)')


def run(args: argparse.Namespace) -> int:
    """Train; return the exit code."""
    from msdepth_ros.training import require

    require('torch')
    import torch

    from msdepth_ros.training.config import read_config
    from msdepth_ros.training.trainer import Trainer

    if args.threads:
        torch.set_num_threads(args.threads)
    config = read_config(args.config)
    Trainer(config, args.data, args.out, args.device).run(args.resume)
    print(f'done: {args.out}/checkpoint.pt; next: msdepth export {args.out}')
    return 0
