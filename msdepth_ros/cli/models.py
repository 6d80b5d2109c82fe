# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth models`: the shipped and the adopted models."""

import argparse
import json
from typing import Any

from msdepth_ros.errors import MsdepthError

HELP = 'list the shipped and the adopted models'

_COLUMNS = ('name', 'origin', 'input', 'MB', 'metric', 'licence', 'backend')
_PACKAGE_LICENSE = 'Apache-2.0'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommand's arguments."""
    parser.add_argument('--json', action='store_true', help='print JSON instead of a table')


def run(arguments: argparse.Namespace) -> int:
    """Print a table of the models, or JSON."""
    from msdepth_ros.inference.backends.create import expected_runtime
    from msdepth_ros.inference.model import adopted_names, model_names

    runtime = expected_runtime()
    rows = [_row(name, 'shipped', runtime) for name in model_names()]
    rows += [
        _row(name, 'adopted', runtime) for name in adopted_names() if name not in model_names()
    ]
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return 0
    table = [_COLUMNS, *(tuple(str(row[column]) for column in _COLUMNS) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table)]
    for line in table:
        print('  '.join(text.ljust(width) for text, width in zip(line, widths)).rstrip())
    return 0


def _row(name: str, origin: str, runtime: str) -> dict[str, Any]:
    """Return the table row of a model; if its files are damaged, `metric` gives the error."""
    from msdepth_ros.inference.model import load_model

    row: dict[str, Any] = dict.fromkeys(_COLUMNS, '') | {'name': name, 'origin': origin}
    try:
        model = load_model(name)
        size = model.onnx.stat().st_size
    except (MsdepthError, OSError) as error:
        return row | {'metric': f'not usable: {error}', 'MB': 0.0}
    document = model.document
    usual = _PACKAGE_LICENSE if origin == 'shipped' else 'unknown'
    return row | {
        'input': '{}x{}'.format(*model.input_size),
        'MB': round(size / 1e6, 1),
        'metric': _metric_rule(model.metric, model.focal),
        'licence': str(document.get('license', usual)),
        'backend': f'{runtime} {"fp32" if model.precision == "fp32" else ""}'.strip(),
    }


def _metric_rule(kind: str, focal: float) -> str:
    """Return in words how the model's prediction becomes metres."""
    if kind == 'scale':
        return 'up to a factor: needs measurements'
    if kind == 'affine':
        return 'up to scale and shift: needs measurements'
    return f'metres at a focal length of {focal:g}' if focal else 'metres'
