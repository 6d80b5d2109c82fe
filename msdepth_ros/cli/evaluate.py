# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth evaluate`: the error table of a model on datasets."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from msdepth_ros.cli import _options
from msdepth_ros.errors import MsdepthError

if TYPE_CHECKING:
    from msdepth_ros.datasets import Dataset
    from msdepth_ros.evaluation.evaluation import Evaluation

HELP = "measure a model's errors on datasets"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    data = parser.add_argument_group('data (formats: docs/datasets.md)')
    data.add_argument('dataset', type=Path, nargs='+', help='folder or file; several are pooled')
    data.add_argument(
        '--format', help='nyu, tum, rosbag, folder or kitti (default: recognised from the files)'
    )
    data.add_argument('--split', help='for nyu: train, test or all (default: all)')
    data.add_argument(
        '--raw-depths', action='store_true', help="for nyu: the sensor's depth, not in-painted"
    )
    data.add_argument(
        '--intrinsics', metavar='FX,FY,CX,CY', help="pixels, instead of the dataset's own"
    )
    data.add_argument('--depth-scale', type=float, metavar='UNITS', help='depth units per metre')
    for role in ('image', 'depth', 'camera-info', 'odom'):
        data.add_argument(
            f'--{role}-topic', metavar='TOPIC', help='for rosbag, if it has several such topics'
        )
    data.add_argument(
        '--every', type=int, default=1, metavar='N', help='use every N-th frame (%(default)s)'
    )
    _options.add_model(parser, 'onnxruntime', 'fp32')
    _options.add_threads(parser)
    parser.add_argument(
        '--crop',
        choices=('eigen', 'none'),
        default='none',
        help="eigen: only pixels in Eigen's crop, for 640x480 images (%(default)s)",
    )
    parser.add_argument(
        '--median-scaling', action='store_true', help='scale each prediction to the true median'
    )
    parser.add_argument(
        '--measured',
        default='none',
        metavar='WHAT',
        help='also print the errors of depth aligned with measurements: any of scan, points:N and '
        'floor, simulated from the true depth, and views, from earlier frames and the '
        "dataset's poses; separated by commas (%(default)s)",
    )
    _options.add_mount(
        parser, 'height above the floor, for --measured floor (default: from the true depth)'
    )
    parser.add_argument(
        '--near', type=float, metavar='METRES', help='also the errors for true depths below this'
    )
    parser.add_argument(
        '--by-scene', action='store_true', help='also the errors of each scene or dataset'
    )
    parser.add_argument(
        '--robustness',
        action='store_true',
        help='also the errors with bad exposure, blur, JPEG and noise',
    )
    parser.add_argument(
        '--navigation',
        action='store_true',
        help='also the share of obstacles found that a robot 0.3 m high would hit, and false ones',
    )
    parser.add_argument(
        '--worst', type=int, default=0, metavar='N', help='write pictures of the N worst frames'
    )
    parser.add_argument('--out', type=Path, metavar='DIR', help='folder for the pictures')
    parser.add_argument('--json', action='store_true', help='print JSON instead of tables')


def run(args: argparse.Namespace) -> int:
    """Evaluate and print; return the exit code."""
    _check(args)
    with _open(args) as dataset:
        return _measure(args, dataset)


def _measure(args: argparse.Namespace, dataset: 'Dataset') -> int:
    from msdepth_ros.evaluation.error_table import pooled_table, reliability_lines, table
    from msdepth_ros.evaluation.evaluation import Procedure, evaluate, rounded
    from msdepth_ros.evaluation.measurements import Measured
    from msdepth_ros.evaluation.navigation import NavigationTally
    from msdepth_ros.evaluation.robustness import measure_robustness
    from msdepth_ros.evaluation.worst_frames import write_worst
    from msdepth_ros.inference.model import load_model

    model = load_model(args.model)
    procedure = Procedure(
        range(0, len(dataset), args.every),
        args.crop,
        args.median_scaling,
        args.backend,
        args.threads,
        args.precision,
    )
    mount = _options.mount(args)
    measured = Measured.parse(args.measured, mount)
    near = args.near or 0.0

    def navigation() -> NavigationTally | None:
        return NavigationTally(mount) if args.navigation else None

    result = evaluate(model, dataset, procedure, near, args.by_scene, navigation=navigation())
    aligned = None
    if measured:
        aligned = evaluate(
            model, dataset, procedure, near, measured=measured, navigation=navigation()
        )
    disturbed = measure_robustness(model, dataset, procedure) if args.robustness else {}
    worst = result.worst(args.worst)
    pictures: list[Path] = []
    if worst:
        with procedure.estimator(model) as estimator:
            pictures = write_worst(worst, dataset, estimator, args.out, args.crop)
    if args.json:
        document = {'model': args.model, 'crop': args.crop, 'median_scaling': args.median_scaling}
        document |= result.document()
        if aligned is not None:
            document['measured'] = {'what': args.measured, **aligned.document()}
        if disturbed:
            document['robustness'] = {name: part.document() for name, part in disturbed.items()}
        if worst:
            document['worst'] = [
                {'name': frame.name, 'picture': str(path), **rounded(frame.errors)}
                for frame, path in zip(worst, pictures, strict=True)
            ]
        print(json.dumps(document, indent=2))
        return 0
    print(table(result, near))
    if aligned is not None:
        print(f'\nwith {args.measured} measured:\n{table(aligned, near)}')
        if aligned.reliability is not None:
            print(reliability_lines(aligned.reliability))
        if aligned.views is not None:
            print(aligned.views.lines())
    if args.navigation:
        for title, part in (('', result), (f'with {args.measured} measured: ', aligned)):
            if part is not None:
                print(f'\n{title}{_navigation_text(part)}')
    if disturbed:
        print(f'\n{pooled_table(disturbed)}')
    if pictures:
        print(f'\nthe {len(pictures)} worst frames: {pictures[0]} ...')
    return 0


def _navigation_text(evaluation: 'Evaluation') -> str:
    from msdepth_ros.evaluation.navigation import navigation_table

    if evaluation.navigation is None:
        return 'no floor is found in any frame: give the mount with --camera-height'
    return navigation_table(evaluation.navigation)


def _check(args: argparse.Namespace) -> None:
    if args.worst < 0 or args.every < 1:
        raise MsdepthError('--worst must be 0 or more, and --every 1 or more')
    if args.worst and args.out is None:
        raise MsdepthError('--worst needs --out DIR, the folder for its pictures')
    if args.near is not None and not 0 < args.near < float('inf'):
        raise MsdepthError(f'--near is {args.near:g} but must be a distance in metres')


def _open(args: argparse.Namespace) -> 'Dataset':
    """Open the dataset, or several datasets as one."""
    from msdepth_ros.datasets import JoinedDatasets, Topics, open_dataset

    intrinsics = _options.intrinsics(args.intrinsics)
    topics = Topics(args.image_topic, args.depth_topic, args.camera_info_topic, args.odom_topic)
    parts: dict[str, Dataset] = {
        str(path): open_dataset(
            path,
            intrinsics,
            args.format,
            depth_scale=args.depth_scale,
            split=args.split,
            raw_depths=args.raw_depths,
            topics=topics,
        )
        for path in args.dataset
    }
    if len(args.dataset) == 1:
        return parts[str(args.dataset[0])]
    names = [path.name for path in args.dataset]
    if len(set(names)) == len(names):
        parts = dict(zip(names, parts.values(), strict=True))
    return JoinedDatasets(parts)
