# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth evaluate`: the error table of a model on a dataset folder."""

import argparse
import json
from pathlib import Path

from msdepth_ros.backends import BACKENDS
from msdepth_ros.errors import MsdepthError

HELP = "measure a model's errors on a dataset folder"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument('dataset', type=Path, help='folder with rgb/, depth/ and camera.yaml')
    parser.add_argument('--model', default='eigen2014', help='name, or path of a model YAML')
    parser.add_argument('--crop', choices=('eigen', 'none'), default='none')
    parser.add_argument(
        '--median-scaling', action='store_true', help='scale each prediction to the true median'
    )
    parser.add_argument(
        '--intrinsics', help="fx,fy,cx,cy in pixels, instead of the folder's camera.yaml"
    )
    parser.add_argument('--backend', default='onnxruntime', help=', '.join(BACKENDS))
    parser.add_argument('--threads', type=int, default=0, help='CPU threads (default: all)')
    parser.add_argument(
        '--precision',
        choices=('fp16', 'fp32'),
        default='fp32',
        help='fp16: int8 on the CPU where the model has it (default: fp32)',
    )
    parser.add_argument('--json', action='store_true', help='print JSON instead of a table')


def run(args: argparse.Namespace) -> int:
    """Evaluate and print; return the exit code."""
    from msdepth_ros.model import load_model
    from msdepth_ros.training.datasets import open_dataset
    from msdepth_ros.training.evaluation import evaluate, table

    dataset = open_dataset(args.dataset, parse_intrinsics(args.intrinsics))
    result = evaluate(
        load_model(args.model),
        dataset,
        crop=args.crop,
        median_scaling=args.median_scaling,
        backend=args.backend,
        threads=args.threads,
        precision=args.precision,
    )
    if args.json:
        settings = {'model': args.model, 'crop': args.crop, 'median_scaling': args.median_scaling}
        print(json.dumps({**settings, **result.document()}, indent=2))
    else:
        print(table(result))
    return 0


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
