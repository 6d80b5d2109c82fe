# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A summary of a training: the errors on held-out frames before, after, and at their best."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

START = 'start'  # the stage of the log's line about the weights that a training starts from
_WORSE = 1.05  # times the least error: with a larger one, the training was too long


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a `log.jsonl`."""
    return [json.loads(line) for line in path.read_text(encoding='utf-8').splitlines()]


def summary(lines: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """Return lines of text about a training: its errors by source, and warnings.

    Parameters
    ----------
    lines : of the log, in order; those of stages that do not train the depth are ignored.

    Returns
    -------
    (errors, warnings), with at most one line for each source.
    """
    errors, warnings = [], []
    course: dict[str, list[tuple[str, Mapping[str, float]]]] = {}
    for line in lines:
        for source, table in line['validation'].items():
            if 'abs_rel' in table:
                where = f'{line["images"]} images of stage {line["stage"]}'
                course.setdefault(source, []).append((where, table))
    starts = [line for line in lines if line['stage'] == START]
    for source, points in course.items():
        (_, last), tables = points[-1], [table for _, table in points]
        text = f'{source}, held out: abs rel {last["abs_rel"]:.3f}, delta1 {last["delta1"]:.3f}'
        if starts and len(points) > 1:
            first = tables[0]
            text += f'; before: {first["abs_rel"]:.3f}, {first["delta1"]:.3f}'
            if last['abs_rel'] >= first['abs_rel']:
                warnings.append(f'{source}: no better than before on held-out frames')
        errors.append(text)
        best_at, best = min(points[bool(starts) :] or points, key=lambda p: p[1]['abs_rel'])
        if last['abs_rel'] > _WORSE * best['abs_rel']:
            warnings.append(
                f'{source}: it overfits: abs rel on held-out frames was least '
                f'({best["abs_rel"]:.3f}) after {best_at}, and is {last["abs_rel"]:.3f} now: '
                'train on fewer images, or on more different frames'
            )
    return errors, warnings
