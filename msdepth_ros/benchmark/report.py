# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A benchmark's figures as JSON, as a Markdown table and as a chart."""

import json
from pathlib import Path
from typing import Any

import cv2

from msdepth_ros.benchmark.chart import Bar, bar_chart
from msdepth_ros.benchmark.machine import describe
from msdepth_ros.errors import MsdepthError

_PREFIX = 'BasicPerformanceMetrics.'
_DEPTH = 'depth/image_rect'


def write_report(document: dict[str, Any], as_json: bool, out: Path | None) -> int:
    """Print a benchmark's document and write it to the folder `out`, if given; return 0.

    Raises
    ------
    MsdepthError
        If it cannot be written.
    """
    text = json.dumps(document, indent=2)
    lines = [*table(document), '', describe(document['metadata'])]
    print(text if as_json else '\n'.join(lines))
    if out is None:
        return 0
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / 'benchmark.json').write_text(text + '\n')
        (out / 'benchmark.md').write_text('\n'.join(lines) + '\n')
    except OSError as error:
        raise MsdepthError(f'cannot write to {out}: {error.strerror}') from error
    if not cv2.imwrite(str(out / 'benchmark.png'), chart(document)):
        raise MsdepthError(f'cannot write {out}/benchmark.png: is the disk full?')
    return 0


def table(document: dict[str, Any]) -> list[str]:
    """Return the lines of two Markdown tables: the layers, and the node at its rates."""
    lines = []
    if {'engine', 'estimator'} & document.keys():
        lines += ['| ms a frame | p50 | p95 | p99 | processor time | |', '| --- ' * 6 + '|']
        for name in ('engine', 'estimator'):
            if name in document:
                layer = document[name]
                times = layer['milliseconds']
                cells = [f'{times[key]:.2f}' for key in ('p50', 'p95', 'p99', 'cpu')]
                cells.append(f'{layer["model"]}, {layer["backend"]}, {layer["precision"]}')
                lines.append(f'| {name} | {" | ".join(cells)} |')
    if 'node' in document:
        lines += [''] if lines else []
        lines += [
            '| node | sent, missed | depth rate | depth p50 / p99 | cloud p50 / p99 | network p50 '
            '| jitter mean / max | all cores | stolen of all cores, longest stall |',
            '| --- ' * 9 + '|',
            *(_node_row(name, run) for name, run in _node_runs(document['node'])),
        ]
    return lines


def chart(document: dict[str, Any]) -> 'cv2.typing.MatLike':
    """Return a bar chart of the latencies of all layers, uint8 [height, width, 3] BGR."""
    bars = []
    for name in ('engine', 'estimator'):
        if name in document:
            times = document[name]['milliseconds']
            network = document[name].get('network', times)['p50']
            bars.append(Bar(name, times['p50'], network, times['p99']))
    for name, run in _node_runs(document.get('node', {})):
        times = run['latency'][_DEPTH]
        if times:
            network = run['network']['p50'] or 0.0
            note = f'{times["p50"]:.2f}, {_missed(run)} missed'
            bars.append(Bar(f'node, {name}', times['p50'], network, times['p99'], note))
    loaded = next((document[name] for name in ('engine', 'estimator') if name in document), None)
    title = 'Latency, ms'
    if loaded:
        title += f': {loaded["model"]} on {loaded["backend"]}, {loaded["precision"]}'
    size = 'x'.join(map(str, document['metadata']['setup']['size']))
    legend = f'p50; dark: the network; line: to p99; node: {size}, from stamp to another process'
    return bar_chart(title, legend, bars, describe(document['metadata']))


def _node_runs(node: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the runs with their names, the peak last."""
    runs = [(name.replace('.0fps', ' Hz'), run) for name, run in node.items() if 'fps' in name]
    if f'{_PREFIX}NUM_FRAMES_SENT' in node:
        rate = node[f'{_PREFIX}MEAN_FRAME_RATE']
        runs.append((f'peak, {rate:.0f} Hz', node))
    return runs


def _missed(run: dict[str, Any]) -> str:
    return f'{run[f"{_PREFIX}NUM_MISSED_FRAMES"]} of {run[f"{_PREFIX}NUM_FRAMES_SENT"]}'


def _node_row(name: str, run: dict[str, Any]) -> str:
    cells = [name, f'{run[f"{_PREFIX}NUM_FRAMES_SENT"]}, {run[f"{_PREFIX}NUM_MISSED_FRAMES"]}']
    cells.append(f'{run[f"{_PREFIX}MEAN_FRAME_RATE"]:.1f} Hz')
    for times in run['latency'].values():
        cells.append(f'{times["p50"]:.1f} / {times["p99"]:.1f} ms' if times else 'none')
    network = run['network']['p50']
    cells.append('' if network is None else f'{network:.1f} ms')
    jitter = [run.get(f'{_PREFIX}{kind}_JITTER') for kind in ('MEAN', 'MAX')]
    cells.append('' if None in jitter else ' / '.join(f'{value:.1f}' for value in jitter) + ' ms')
    used, stolen, stall = (
        run[f'ResourceMetrics.{name}']
        for name in ('MEAN_OVERALL_CPU_UTILIZATION', 'MEAN_STOLEN_CPU', 'LONGEST_STALL')
    )
    cells.append(f'{used:.0f} %')
    cells.append(f'{stolen:.1f} %, {stall:.0f} ms')
    return f'| {" | ".join(cells)} |'
