# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth export`: write a trained network as <name>.onnx and <name>.yaml."""

import argparse
from pathlib import Path

from msdepth_ros.errors import MsdepthError

HELP = 'write a trained network as a model file, with its measured errors (needs torch)'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        'folders',
        type=Path,
        nargs='+',
        metavar='RUN',
        help='folder that `msdepth train` wrote; of several runs that started from the same '
        'weights, the mean of the weights is exported',
    )
    parser.add_argument(
        '--data', type=Path, required=True, help='the folder --data of `msdepth train`'
    )
    parser.add_argument(
        '--out', type=Path, help="folder for the model's files (default: the first RUN)"
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace a model of that name in --out'
    )
    parser.add_argument('--int8', action='store_true', help='also write <name>.int8.onnx, for CPUs')
    parser.add_argument(
        '--correct',
        action='store_true',
        help='fit a line to the log depths on held-out frames, and correct predictions by it',
    )
    parser.add_argument(
        '--spread',
        type=float,
        default=0.0,
        metavar='SHARE',
        help='with --correct: also add this share of the standard deviation of the log depth map',
    )
    parser.add_argument(
        '--measure-by',
        type=Path,
        action='append',
        default=[],
        metavar='RUN',
        help='a training like RUN with --leave-out SOURCE: errors are measured with it, on the '
        'sources that it left out; repeatable',
    )
    parser.add_argument(
        '--start-share',
        type=float,
        default=0.0,
        metavar='SHARE',
        help='export the mean of the trained weights and, with this share, of those that the '
        'training started from',
    )
    parser.add_argument('--name', help="the model's name (default: the configuration's)")


def run(args: argparse.Namespace) -> int:
    """Export, measure errors on the held-out blocks, and print them; return the exit code."""
    from msdepth_ros.extras import require

    require('torch', 'onnx')
    from msdepth_ros.evaluation.error_table import table
    from msdepth_ros.release.release import release

    if args.spread and not args.correct:
        raise MsdepthError('--spread is a part of the correction: add --correct')
    written = release(
        args.folders,
        args.data,
        args.out or args.folders[0],
        args.name,
        args.int8,
        args.correct,
        args.spread,
        args.overwrite,
        args.measure_by,
        args.start_share,
    )
    for name, figures in written.heads.items():
        shown = (f'{key} {value}' for key, value in figures.items() if key != 'reliability')
        print(f'{name}, heads: {", ".join(shown)}')
    for name, evaluation in written.errors.items():
        print(f'{name}, held out:\n{table(evaluation)}\n')
    for name, parts in written.correction.items():
        for how, errors in parts.items():
            print(
                f"{name}, {how}, at the output's cells: abs_rel {errors.abs_rel:.4f}, rmse "
                f'{errors.rmse:.4f}, delta1 {errors.delta1:.4f}'
            )
    print(f'wrote {written.path} and the ONNX file beside it')
    return 0
