# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth benchmark`: latency, rate and drops of the engine, the estimator and the node."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from msdepth_ros.cli._options import add_model, add_threads
from msdepth_ros.errors import MsdepthError
from msdepth_ros.host.environment import check_environment

HELP = 'measure the network, the estimator and the running node'

_LARGEST = 8192  # pixels


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    add_model(parser, 'auto', 'auto')
    add_threads(parser)
    parser.add_argument(
        '--layers', default='engine,estimator,node', help='which to measure (%(default)s)'
    )
    parser.add_argument(
        '--size', default='640x480', metavar='WxH', help='size of the camera images (%(default)s)'
    )
    parser.add_argument(
        '--seconds', type=float, default=5.0, help='duration of each measurement (%(default)g)'
    )
    parser.add_argument('--json', action='store_true', help='print JSON instead of a table')
    parser.add_argument(
        '--out', type=Path, metavar='DIR', help='write benchmark.json, .md and .png to this folder'
    )


def run(arguments: argparse.Namespace) -> int:
    """Measure, print, and write JSON, a table and a chart; return the exit code."""
    from msdepth_ros.benchmark import layers
    from msdepth_ros.benchmark.machine import machine_facts
    from msdepth_ros.benchmark.report import write_report

    wanted = [name for name in arguments.layers.split(',') if name]
    if not wanted or not set(wanted) <= set(layers.LAYERS):
        raise MsdepthError(
            f"--layers '{arguments.layers}' must be some of {','.join(layers.LAYERS)}, separated "
            'by commas'
        )

    if not 0.1 <= arguments.seconds <= 3600:
        raise MsdepthError(f'--seconds is {arguments.seconds:g} but must lie in 0.1 to 3600')
    if arguments.threads < 0:
        raise MsdepthError(f'--threads is {arguments.threads} but must be 0 (all) or more')
    setup = layers.Setup(
        arguments.model,
        arguments.backend,
        arguments.precision,
        arguments.threads,
        _size(arguments.size),
        arguments.seconds,
    )
    if 'node' in wanted:
        _check_ros()
    document: dict[str, Any] = {'metadata': {**machine_facts(), 'setup': vars(setup)}}
    for name in layers.LAYERS:
        if name in wanted:
            print(f'measuring the {name} ...', file=sys.stderr, flush=True)
            document[name] = getattr(layers, f'measure_{name}')(setup)
    return write_report(document, arguments.json, arguments.out)


def _size(text: str) -> tuple[int, int]:
    """Return 'WxH' as (width, height)."""
    words = text.lower().split('x')
    if len(words) == 2 and all(word.isdecimal() and 2 <= int(word) <= _LARGEST for word in words):
        return int(words[0]), int(words[1])
    raise MsdepthError(f"--size '{text}' must be WIDTHxHEIGHT, each 2 to {_LARGEST}")


def _check_ros() -> None:
    check_environment(os.environ)
    try:
        import rclpy  # noqa: F401
    except ImportError as error:
        raise MsdepthError(
            'the layer `node` needs ROS 2: source it, or install the extra `ros`, or give '
            '--layers engine,estimator'
        ) from error
