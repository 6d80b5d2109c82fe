# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Error tables as text."""

import dataclasses
from collections.abc import Mapping

from msdepth_ros.evaluation.evaluation import Evaluation, Summary
from msdepth_ros.evaluation.metrics import Errors
from msdepth_ros.metric.confidence import Reliability

_NAMES = [entry.name for entry in dataclasses.fields(Errors)]
_HEADINGS = ['frames', *('scale_inv' if name == 'scale_invariant' else name for name in _NAMES)]
_WIDTH = 10


def table(evaluation: Evaluation, near: float = 0.0) -> str:
    """Return an evaluation as text; `near` is the parameter of `evaluate`, metres."""
    rows = [
        ('all pixels', evaluation.frames, evaluation.pooled),
        ('per image', evaluation.frames, evaluation.per_image),
    ]
    if evaluation.near is not None:
        rows.append((f'nearer than {near:g} m', evaluation.near.frames, evaluation.near.pooled))
    lines = [_lines(rows)]
    if near and evaluation.near is None:
        lines.append(f'no depth is nearer than {near:g} m')
    lines.append(
        f'{evaluation.frames} frames; depth for {100 * evaluation.coverage:.2f} % of the pixels '
        'with a true depth; sq_rel and rmse in metres'
    )
    if evaluation.steadiness is not None:
        lines.append(
            f'scale from frame to frame: {evaluation.steadiness:.4f} (r.m.s. change of the mean '
            'log depth, without the true change)'
        )
    if evaluation.scenes:
        parts = sorted(evaluation.scenes.items(), key=lambda part: -part[1].pooled.abs_rel)
        lines += ['', pooled_table(dict(parts))]
    return '\n'.join(lines)


def pooled_table(parts: Mapping[str, Summary]) -> str:
    """Return one line for each part, with its errors over all pixels."""
    return _lines([(name, part.frames, part.pooled) for name, part in parts.items()])


def _lines(rows: list[tuple[str, int, Errors]]) -> str:
    indent = max(len(title) for title, _, _ in rows) + 1
    lines = [' ' * indent + ''.join(f'{heading:>{_WIDTH}}' for heading in _HEADINGS)]
    for title, frames, errors in rows:
        numbers = ''.join(f'{getattr(errors, name):{_WIDTH}.4f}' for name in _NAMES)
        lines.append(f'{title:{indent}}{frames:{_WIDTH}}{numbers}')
    return '\n'.join(lines)


def reliability_lines(reliability: Reliability) -> str:
    """Return, bin by bin, the share of right depths: as the confidence promises, and as found."""
    lines = ['share of depths within 25 % of the truth, in ten bins of equally many pixels']
    for name in ('promised', 'found'):
        numbers = ''.join(f'{share:7.2f}' for share in getattr(reliability, name))
        lines.append(f'{name:9}{numbers}')
    return '\n'.join(lines)
