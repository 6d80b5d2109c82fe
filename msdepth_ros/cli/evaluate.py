# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth evaluate`: the error table of a model on datasets."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msdepth_ros.errors import MsdepthError
from msdepth_ros.inference.backends import BACKENDS, PRECISIONS
from msdepth_ros.inference.model import DEFAULT_MODEL

if TYPE_CHECKING:
    from msdepth_ros.datasets import Dataset
    from msdepth_ros.evaluation.evaluation import Evaluation
    from msdepth_ros.metric.floor import FloorPlane

HELP = "measure a model's errors on datasets"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    data = parser.add_argument_group('data (formats: docs/datasets.md)')
    data.add_argument('dataset', type=Path, nargs='+', help='folder or file; several are joined')
    data.add_argument('--format', help='nyu, tum, rosbag, folder or kitti (default: as it looks)')
    data.add_argument('--split', help='of nyu: train, test or all (default: all)')
    data.add_argument(
        '--raw-depths', action='store_true', help="of nyu: the sensor's depths, not in-painted"
    )
    data.add_argument('--intrinsics', help="fx,fy,cx,cy in pixels, instead of the dataset's own")
    data.add_argument('--depth-scale', type=float, help='units of the depths that make a metre')
    for role in ('image', 'depth', 'camera-info', 'odom'):
        data.add_argument(f'--{role}-topic', metavar='TOPIC', help='of rosbag, if not clear')
    data.add_argument('--every', type=int, default=1, metavar='N', help='take every N-th frame')
    parser.add_argument('--model', default=DEFAULT_MODEL, help='name, or path of a model YAML')
    parser.add_argument('--crop', choices=('eigen', 'none'), default='none')
    parser.add_argument(
        '--median-scaling', action='store_true', help='scale each prediction to the true median'
    )
    parser.add_argument(
        '--measured',
        default='none',
        metavar='WHAT',
        help='also align the depth with what is measured, simulated from the truth: some of none, '
        'scan, points:N, floor, separated by commas; and views: by earlier frames and the '
        "dataset's poses (default: %(default)s)",
    )
    parser.add_argument(
        '--camera-height',
        type=float,
        metavar='METRES',
        help='of the camera above the floor, for --measured floor (default: by the true depth)',
    )
    parser.add_argument(
        '--camera-pitch',
        type=float,
        default=0.0,
        metavar='RADIANS',
        help='that the camera looks down, with --camera-height (default: %(default)s)',
    )
    parser.add_argument('--near', type=float, metavar='METRES', help='also of depths below this')
    parser.add_argument('--by-scene', action='store_true', help='also of each scene or dataset')
    parser.add_argument(
        '--robustness', action='store_true', help='also under bad exposure, blur, JPEG and noise'
    )
    parser.add_argument(
        '--navigation',
        action='store_true',
        help='also which obstacles a robot 0.3 m high would hit are found, and which are false',
    )
    parser.add_argument(
        '--worst', type=int, default=0, metavar='N', help='write pictures of the N worst frames'
    )
    parser.add_argument('--out', type=Path, metavar='DIR', help='folder for the pictures')
    parser.add_argument('--backend', default='onnxruntime', help=', '.join(BACKENDS))
    parser.add_argument('--threads', type=int, default=0, help='CPU threads (default: all)')
    parser.add_argument(
        '--precision',
        choices=PRECISIONS,
        default='fp32',
        help='auto: what a robot runs, int8 on a CPU where the model has it (default: fp32)',
    )
    parser.add_argument('--json', action='store_true', help='print JSON instead of tables')


def run(args: argparse.Namespace) -> int:
    """Evaluate and print; return the exit code."""
    _check(args)
    with _open(args) as dataset:
        return _measure(args, dataset)


def _measure(args: argparse.Namespace, dataset: 'Dataset') -> int:
    from msdepth_ros.evaluation.error_table import pooled_table, reliability_lines, table
    from msdepth_ros.evaluation.evaluation import evaluate, open_estimator, rounded
    from msdepth_ros.evaluation.measurements import Measured
    from msdepth_ros.evaluation.navigation import NavigationTally
    from msdepth_ros.evaluation.robustness import measure_robustness
    from msdepth_ros.evaluation.worst_frames import write_worst
    from msdepth_ros.inference.model import load_model

    model = load_model(args.model)
    runtime = {'backend': args.backend, 'threads': args.threads, 'precision': args.precision}
    how: dict[str, Any] = {
        'indices': range(0, len(dataset), args.every),
        'crop': args.crop,
        'median_scaling': args.median_scaling,
        **runtime,
    }
    mount = _mount(args)
    measured = Measured.parse(args.measured, mount)
    near = args.near or 0.0

    def navigation() -> NavigationTally | None:
        return NavigationTally(mount) if args.navigation else None

    result = evaluate(
        model, dataset, **how, near=near, by_scene=args.by_scene, navigation=navigation()
    )
    aligned = None
    if measured:
        aligned = evaluate(
            model, dataset, **how, near=near, measured=measured, navigation=navigation()
        )
    disturbed = measure_robustness(model, dataset, **how) if args.robustness else {}
    worst = result.worst(args.worst)
    pictures: list[Path] = []
    if worst:
        with open_estimator(model, **runtime) as estimator:
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
            print(aligned.views.line())
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
        return 'no frame shows a floor: name the mount by --camera-height'
    return navigation_table(evaluation.navigation)


def _check(args: argparse.Namespace) -> None:
    if args.worst < 0 or args.every < 1:
        raise MsdepthError('--worst must be 0 or more, and --every 1 or more')
    if args.worst and args.out is None:
        raise MsdepthError('--worst needs --out DIR, the folder for its pictures')
    if args.near is not None and not 0 < args.near < float('inf'):
        raise MsdepthError(f'--near is {args.near:g} but must be a distance in metres')


def _mount(args: argparse.Namespace) -> 'FloorPlane | None':
    if args.camera_height is None:
        return None
    from msdepth_ros.geometry.floor import up_from_pitch
    from msdepth_ros.metric.floor import FloorPlane

    if not 0 < args.camera_height < float('inf'):
        raise MsdepthError(f'--camera-height is {args.camera_height:g} but must be in metres')
    return FloorPlane(up_from_pitch(args.camera_pitch), args.camera_height)


def _open(args: argparse.Namespace) -> 'Dataset':
    """Open the dataset, or the datasets as one."""
    from msdepth_ros.datasets import JoinedDatasets, Topics, open_dataset

    intrinsics = parse_intrinsics(args.intrinsics)
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


def parse_intrinsics(text: str | None) -> tuple[float, float, float, float] | None:
    """Return 'fx,fy,cx,cy' as numbers.

    Raises
    ------
    MsdepthError : it is not four numbers.
    """
    if text is None:
        return None
    try:
        fx, fy, cx, cy = (float(part) for part in text.split(','))
    except ValueError as error:
        raise MsdepthError(f"--intrinsics is '{text}' but must be fx,fy,cx,cy in pixels") from error
    return fx, fy, cx, cy
