# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs the node at a steady rate for long; fails if its memory grows or an image is dropped.

make soak MINUTES=20
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from msdepth_ros.benchmark.machine import describe, machine_facts
from msdepth_ros.benchmark.metrics import latencies
from msdepth_ros.benchmark.rig import DEPTH, Rig
from msdepth_ros.inference.model import DEFAULT_MODEL

LARGEST_GROWTH = 5.0  # MB after the first period
# First more than the node can answer, so that it has once had all the frames at work that it ever
# has, and keeps the memory for them: what comes on top of that is a leak.
BURST_RATE, BURST = 200.0, 2.0  # Hz, seconds


@dataclass(frozen=True)
class Period:
    """What one period showed: milliseconds, MB, images.

    `stolen` is the percentage of all cores that a hypervisor gave to others, `stall` how many ms
    too late this process was woken at worst; see usage.Usage.
    """

    p50: float
    p99: float
    memory: float
    sent: int
    dropped: int
    stolen: float
    stall: float


def periods(rig: Rig, rate: float, seconds: float, count: int) -> Iterator[Period]:
    """Run period after period, with no more than the last image's answer between them."""
    for _ in range(count):
        run = rig.run(rate, seconds)
        times = latencies(run.sent, run.received[DEPTH]) or {
            'p50': float('nan'),
            'p99': float('nan'),
        }
        dropped = sum(stamp not in run.received[DEPTH] for stamp in run.sent)
        memory, stolen, stall = (
            run.usage[f'ResourceMetrics.{name}']
            for name in ('NODE_MEMORY', 'MEAN_STOLEN_CPU', 'LONGEST_STALL')
        )
        yield Period(times['p50'], times['p99'], memory, len(run.sent), dropped, stolen, stall)


def verdict(seen: list[Period]) -> tuple[bool, str]:
    """Return whether the limits held, and a line that says so."""
    first, last = seen[0], seen[-1]
    growth = max(period.memory for period in seen) - first.memory
    dropped, sent = (sum(getattr(p, name) for p in seen) for name in ('dropped', 'sent'))
    passed = growth <= LARGEST_GROWTH and not dropped
    return passed, (
        f'{"passed" if passed else "FAILED"}: {dropped} of {sent} images dropped (limit 0), memory '
        f'grew by {growth:.1f} MB after the first period (limit {LARGEST_GROWTH:g}), p50 went from '
        f'{first.p50:.1f} to {last.p50:.1f} ms, p99 from {first.p99:.1f} to {last.p99:.1f} ms'
    )


def main() -> int:
    """Run, print a line a period and a summary; return 1 if a limit was broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--minutes', type=float, default=20.0)
    parser.add_argument('--every', type=float, default=60.0, help='seconds of a period')
    parser.add_argument('--rate', type=float, default=30.0, help='Hz')
    parser.add_argument('--model', default=DEFAULT_MODEL)
    parser.add_argument('--backend', default='auto')
    parser.add_argument('--threads', type=int, default=0, help='of the network (default: all)')
    arguments = parser.parse_args()
    count = max(1, round(60 * arguments.minutes / arguments.every))
    names = ('model', 'backend', 'threads')
    parameters: dict[str, Any] = {name: getattr(arguments, name) for name in names}
    seen: list[Period] = []
    print(describe(machine_facts()))
    print(f'640x480 at {arguments.rate:g} Hz, {count} periods of {arguments.every:g} s', flush=True)
    with Rig(parameters) as rig:
        rig.run(BURST_RATE, BURST)
        for period in periods(rig, arguments.rate, arguments.every, count):
            seen.append(period)
            print(
                f'{len(seen):4d}  memory {period.memory:6.1f} MB   latency p50 {period.p50:5.1f}, '
                f'p99 {period.p99:5.1f} ms, drift {period.p50 - seen[0].p50:+5.1f} ms   dropped '
                f'{period.dropped} of {period.sent}   stolen {period.stolen:4.1f} %, longest stall '
                f'{period.stall:4.0f} ms',
                flush=True,
            )
    passed, line = verdict(seen)
    print(line)
    return 0 if passed else 1


if __name__ == '__main__':
    sys.exit(main())
