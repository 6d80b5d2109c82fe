# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the node costs beyond its network, beside a node written the way tutorials do it.

make bench-overhead

All run the same network on the same runtime, get the same images at the same rate under the same
transport profile, and answer to the same process, which subscribes to depth and points.
"""

import argparse
import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msdepth_ros.benchmark.metrics import latencies
from msdepth_ros.benchmark.rig import DEPTH, DEPTH_NODE, POINTS, Rig
from msdepth_ros.inference.model import DEFAULT_MODEL

TUTORIAL = (str(Path(__file__).resolve().parent / 'tutorial_node.py'),)
FORWARDER = (str(Path(__file__).resolve().parent / 'forwarder_node.py'),)
SIZE = (640, 480)


@dataclass
class Figures:
    """The medians of a node, in ms, a value for each round."""

    depth: list[float] = field(default_factory=list)
    points: list[float] = field(default_factory=list)
    network: list[float] = field(default_factory=list)
    sent: int = 0
    missed: int = 0

    @property
    def overhead(self) -> float:
        """Return the time to the later of depth and points, less the network's."""
        return statistics.median(
            max(depth, points) - network
            for depth, points, network in zip(self.depth, self.points, self.network, strict=True)
        )


def network_of_ours(rig: Rig) -> Callable[[], float]:
    """Return a function that gives the network's p50 in the product's node."""
    p50 = float(rig.diagnostics()['infer (ms)'].split(' / ')[0])
    return lambda: p50


def network_of_tutorial(rig: Rig) -> Callable[[], float]:
    """Return a function that gives the network's p50 in the tutorial node, once it has ended."""
    return lambda: json.loads(rig.output.strip().splitlines()[-1])['infer_p50']


def no_network(_: Rig) -> Callable[[], float]:
    """Return a function that gives 0, as no network ran."""
    return lambda: 0.0


NODES: dict[str, tuple[tuple[str, ...], dict[str, Any], Any]] = {
    'depth_node': (DEPTH_NODE, {}, network_of_ours),
    'a node that computes nothing': (FORWARDER, {}, no_network),
    'tutorial node, a point a cell': (TUTORIAL, {'cloud': 'network'}, network_of_tutorial),
    'tutorial node, a point a pixel': (TUTORIAL, {'cloud': 'image'}, network_of_tutorial),
}


def measure(
    parameters: dict[str, Any], rate: float, seconds: float, rounds: int
) -> dict[str, Figures]:
    """Measure all nodes in turns."""
    found = {name: Figures() for name in NODES}
    for _ in range(rounds):
        for name, (program, extra, network_of) in NODES.items():
            with Rig({**parameters, **extra}, SIZE, program) as rig:
                run = rig.run(rate, seconds)
                network = network_of(rig)
            figures = found[name]
            figures.network.append(network())
            figures.depth.append(latencies(run.sent, run.received[DEPTH])['p50'])
            figures.points.append(latencies(run.sent, run.received[POINTS])['p50'])
            figures.sent += len(run.sent)
            figures.missed += sum(stamp not in run.received[POINTS] for stamp in run.sent)
    return found


def table(found: dict[str, Figures], rate: float) -> str:
    """Return a Markdown table."""
    own = next(iter(found.values()))
    size = 'x'.join(map(str, SIZE))
    lines = [
        f'{size} at {rate:g} Hz, {len(own.depth)} runs of each in turns, median p50 in ms; '
        'from the stamp until depth and cloud are in another process',
        '',
        '| | depth | cloud | network | cloud without network | relative to depth_node | missed |',
        '| --- ' * 7 + '|',
    ]
    for name, figures in found.items():
        cells = [
            f'{statistics.median(values):.2f}'
            for values in (figures.depth, figures.points, figures.network)
        ]
        cells += [f'{figures.overhead:.2f}', f'{figures.overhead / own.overhead:.1f}']
        lines.append(f'| {name} | {" | ".join(cells)} | {figures.missed} of {figures.sent} |')
    return '\n'.join(lines) + '\n'


def main() -> None:
    """Print the table, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--model', default=DEFAULT_MODEL)
    parser.add_argument('--backend', default='auto')
    parser.add_argument('--rate', type=float, default=30.0, help='Hz')
    parser.add_argument('--seconds', type=float, default=5.0, help='of each run')
    parser.add_argument('--rounds', type=int, default=3, help='runs of each node')
    parser.add_argument('--out', type=Path, help='write the table to this file')
    arguments = parser.parse_args()
    parameters = {'model': arguments.model, 'backend': arguments.backend}
    found = measure(parameters, arguments.rate, arguments.seconds, arguments.rounds)
    text = table(found, arguments.rate)
    print(text)
    if arguments.out:
        arguments.out.write_text(text, encoding='utf-8')


if __name__ == '__main__':
    main()
