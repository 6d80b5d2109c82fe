# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth teach`: train the small network on a large one's predictions for your own images."""

import argparse
from collections.abc import Callable
from pathlib import Path

from msdepth_ros.cli import _options
from msdepth_ros.errors import MsdepthError
from msdepth_ros.inference.model import DEFAULT_MODEL
from msdepth_ros.resources import user_models_directory, user_path

HELP = 'train the small network on the predictions of a large one, without depth (needs torch)'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add = parser.add_argument
    add('images', type=user_path, help='a rosbag2, a folder of images or a video')
    add(
        '--teacher',
        action='append',
        required=True,
        metavar='MODEL',
        help='name of a shipped or adopted model, its YAML, or a checkpoint; if repeated, the mean '
        'of the predictions is learned',
    )
    add('--out', metavar='NAME|DIR', required=True, help='name of the new model, or its folder')
    add('--start', default=DEFAULT_MODEL, help='model to start from (%(default)s)')
    add('--views', type=int, default=20000, help='number of training images (%(default)s)')
    add('--rate', type=float, default=3e-4, help='learning rate (%(default)s)')
    add('--batch', type=int, default=16, help='images per step (%(default)s)')
    add('--every', type=int, default=1, metavar='N', help='use every N-th image (%(default)s)')
    add(
        '--rooms',
        type=int,
        default=96,
        help='frames of rendered rooms to train on too, so that the model does not forget other '
        'rooms (%(default)s)',
    )
    add(
        '--intrinsics',
        metavar='FX,FY,CX,CY',
        help='pixels; needed without camera.yaml beside the images or recorded camera_info',
    )
    add('--license', default='unknown', help="licence of the images, for the model's YAML")
    add('--device', default='auto', help='cpu, cuda, cuda:N or auto: a GPU if there is one')
    add('--workers', type=int, default=1, help='processes that prepare batches (%(default)s)')
    add('--resume', action='store_true', help='continue the training in --out')
    add('--overwrite', action='store_true', help='replace a model of that name')


def run(args: argparse.Namespace) -> int:
    """Train, write the model and print its difference to the teacher; return the exit code."""
    from msdepth_ros.extras import require

    require('torch', 'onnx')
    from msdepth_ros.inference.model import model_path
    from msdepth_ros.release.teaching import Lesson, teach
    from msdepth_ros.training.devices import joined

    if not args.images.exists():
        raise MsdepthError(f'{args.images} does not exist: give a rosbag2, a folder or a video')
    folder = user_path(args.out)
    if Path(args.out).name == args.out:
        folder = user_models_directory() / args.out
    lesson = Lesson(
        images=args.images.resolve(),
        teachers=[_teacher(name, model_path) for name in args.teacher],
        out=folder,
        name=folder.name,
        start=args.start,
        count=args.views,
        rate=args.rate,
        batch=args.batch,
        intrinsics=_options.intrinsics(args.intrinsics),
        every=args.every,
        rooms=args.rooms,
        licence=args.license,
    )
    with joined(args.device) as device:
        learned = teach(lesson, device, args.workers, args.resume, args.overwrite)
    print(
        f'from its teacher it differed by {learned.before:.1%} of the depth, now by '
        f'{learned.after:.1%} (mean over {learned.images} held-out images)'
    )
    used = folder.name if folder.parent == user_models_directory() else learned.path
    print(f'written: {learned.path}; use it as `model: {used}`')
    return 0


def _teacher(name: str, model_path: Callable[[str], Path]) -> Path:
    """Return the file of a teacher: a checkpoint, or the YAML of a model."""
    path = user_path(name)
    return path if path.suffix == '.pt' else model_path(name)
