# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth render`: furnished rooms with exact depth, as a dataset folder or a clip."""

import argparse
from pathlib import Path

from msdepth_ros.cli._options import add_threads
from msdepth_ros.errors import MsdepthError
from msdepth_ros.extras import require

HELP = 'render furnished rooms with exact depth: a dataset folder, or a clip'

_CLIP_FRAMES = 240


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument('--out', type=Path, metavar='DIR', help='dataset folder to write')
    target.add_argument(
        '--clip', type=Path, metavar='FILE.mp4', help='video to write, of a walk through a room'
    )
    parser.add_argument('--count', type=int, help='number of frames (100, for a clip 240)')
    parser.add_argument(
        '--seed', type=int, default=0, help='the same seed gives the same rooms (%(default)s)'
    )
    parser.add_argument(
        '--style',
        default='mixed',
        choices=('mixed', 'room', 'desk', 'robot'),
        help='room: hand-held views; desk: views of desks from 0.3 m on; robot: views of a floor '
        'robot (%(default)s)',
    )
    parser.add_argument('--width', type=int, default=640, help='pixels (%(default)s)')
    parser.add_argument('--height', type=int, default=480, help='pixels (%(default)s)')
    parser.add_argument(
        '--fov', type=float, default=65.0, help='horizontal field of view, degrees (%(default)s)'
    )
    parser.add_argument('--views', type=int, default=4, help='frames of each room (%(default)s)')
    parser.add_argument(
        '--samples',
        type=int,
        default=2,
        metavar='N',
        help='N x N rays at edges (%(default)s)',
    )
    parser.add_argument('--device', default='cpu', help='cpu or cuda (%(default)s)')
    add_threads(parser)


def run(args: argparse.Namespace) -> int:
    """Render; return the exit code."""
    for name in ('width', 'height', 'views', 'samples'):
        if getattr(args, name) < 1:
            raise MsdepthError(f'--{name} is {getattr(args, name)}: it must be at least 1')
    if args.count is not None and args.count < 1:
        raise MsdepthError(f'--count is {args.count}: it must be at least 1')
    if not 5 <= args.fov <= 150:
        raise MsdepthError(f'--fov is {args.fov:g}: it must be from 5 to 150 degrees')
    require('torch')
    import numpy as np
    import torch
    from tqdm import tqdm

    from msdepth_ros.rooms import from_fov, output

    if args.device != 'cpu' and not torch.cuda.is_available():
        raise MsdepthError(f'--device {args.device}: PyTorch sees no GPU here; use --device cpu')
    if args.threads > 0:
        torch.set_num_threads(args.threads)
    camera = from_fov(args.width, args.height, args.fov)
    if args.clip:
        if args.width % 2 or args.height % 2:
            raise MsdepthError('a clip needs an even --width and --height')
        count = args.count or _CLIP_FRAMES
        frames = output.walk_frames(camera, count, samples=args.samples, device=args.device)
        output.write_clip(args.clip, tqdm(frames, total=count, unit='frame'), camera)
        depths = output.walk_depths(camera, count)
        millimetres, order = depths['millimetres'], depths['order']
        beside = args.clip.with_suffix('.depth.npz')
        np.savez_compressed(beside, millimetres=millimetres, order=order)
        print(f'{args.clip}: {count} frames, {args.clip.stat().st_size / 1e3:.0f} kB')
        return 0
    count = args.count or 100
    images = output.random_frames(
        camera,
        count,
        args.seed,
        style=args.style,
        views=args.views,
        samples=args.samples,
        device=args.device,
    )
    written = output.write_dataset(args.out, tqdm(images, total=count, unit='frame'))
    print(f'{args.out}: {written} frames of {args.width}x{args.height}, {args.fov:g} degrees')
    return 0
