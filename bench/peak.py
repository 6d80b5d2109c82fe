# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How near the node's peak rate comes to the bare network's, by the threads the network has.

make bench-peak

Camera, node and receiver share this machine's cores with the network: where it takes all of them,
nothing is left for the rest to run beside it.
"""

import argparse
import os
import statistics
from dataclasses import dataclass, field, replace
from pathlib import Path

from msdepth_ros.benchmark.layers import Setup, measure_engine, measure_peak
from msdepth_ros.benchmark.rig import DEPTH
from msdepth_ros.inference.model import DEFAULT_MODEL


@dataclass
class Figures:
    """What was found for a number of threads, a value for each round.

    Attributes
    ----------
    bare : how often the network alone runs in a second, by the mean time before and after.
    peak : the rate at which the node answers, with less than 5 % of the images missed, Hz.
    latency : p50 at the peak, from the stamp until the depth is in another process, ms.

    """

    bare: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)
    latency: list[float] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Return the median of the peak over the network's own rate."""
        pairs = zip(self.peak, self.bare, strict=True)
        return statistics.median(peak / bare for peak, bare in pairs)


def measure(setup: Setup, threads: list[int], rounds: int) -> dict[int, Figures]:
    """Measure with all numbers of threads, in turns."""
    found = {number: Figures() for number in threads}
    for _ in range(rounds):
        for number, figures in found.items():
            chosen = replace(setup, threads=number)
            before = measure_engine(chosen)['milliseconds']['mean']
            node = measure_peak(chosen)
            after = measure_engine(chosen)['milliseconds']['mean']
            figures.bare.append(2e3 / (before + after))
            figures.peak.append(node['BasicPerformanceMetrics.MEAN_FRAME_RATE'])
            figures.latency.append(node['latency'][DEPTH]['p50'])
    return found


def table(setup: Setup, found: dict[int, Figures], rounds: int) -> str:
    """Return a Markdown table."""
    size = 'x'.join(map(str, setup.size))
    lines = [
        f'{size}, {rounds} searches for the peak in turns, medians',
        '',
        "| network's threads | network alone | node, peak | of the network alone | depth p50 |",
        '| --- ' * 5 + '|',
    ]
    for number, figures in found.items():
        bare, peak, latency = map(statistics.median, (figures.bare, figures.peak, figures.latency))
        cells = [f'{bare:.0f} Hz', f'{peak:.0f} Hz', f'{figures.share:.0%}', f'{latency:.1f} ms']
        lines.append(f'| {number} | {" | ".join(cells)} |')
    return '\n'.join(lines) + '\n'


def main() -> None:
    """Print the table, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--model', default=DEFAULT_MODEL)
    parser.add_argument('--backend', default='auto')
    parser.add_argument('--seconds', type=float, default=5.0, help='of each run')
    parser.add_argument('--rounds', type=int, default=3, help='searches with each number')
    parser.add_argument('--out', type=Path, help='write the table to this file')
    arguments = parser.parse_args()
    setup = Setup(arguments.model, arguments.backend, seconds=arguments.seconds)
    cores = len(os.sched_getaffinity(0))
    threads = sorted({max(1, cores - 1), cores})
    text = table(setup, measure(setup, threads, arguments.rounds), arguments.rounds)
    print(text)
    if arguments.out:
        arguments.out.write_text(text, encoding='utf-8')


if __name__ == '__main__':
    main()
