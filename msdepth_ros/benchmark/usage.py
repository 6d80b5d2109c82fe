# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Usage of cores and memory by a process and the machine, and stolen time (Linux)."""

import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

_PERIOD = 0.5  # seconds between two samples of the whole machine
_BEAT = 0.005  # seconds for which a thread sleeps, to measure when it is woken


def memory(pid: int) -> float:
    """Return the resident memory of a process in MB (10^6 bytes)."""
    pages = int(Path(f'/proc/{pid}/statm').read_text().split()[1])
    return 1e-6 * pages * os.sysconf('SC_PAGE_SIZE')


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process so far, on all cores together, in seconds."""
    fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


class Usage:
    """Measures the machine and one process during a `with` block.

    Attributes
    ----------
    metrics : after the block, ros2_benchmark's MEAN_, MAX_, MIN_ and
        STDDEV_OVERALL_CPU_UTILIZATION (percent of all cores), NODE_CPU_UTILIZATION (percent of
        one core) and NODE_MEMORY (MB, at the end). Also MEAN_STOLEN_CPU, the percentage of all
        cores that the hypervisor gave to others while this machine needed them (the utilization
        includes it), and LONGEST_STALL, the longest delay in ms with which a thread of this process
        that sleeps for 5 ms was woken. If this process is idle, the machine causes that delay.
    """

    def __init__(self, pid: int) -> None:
        self.metrics: dict[str, Any] = {}
        self._pid = pid
        self._stop = threading.Event()
        self._samples: list[float] = []
        self._threads = [
            threading.Thread(target=target, daemon=True) for target in (self._sample, self._beat)
        ]
        self._stall = 0.0

    def __enter__(self) -> 'Usage':
        self._started, self._cpu = time.monotonic(), cpu_seconds(self._pid)
        self._ticks = _machine_ticks()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        spent = time.monotonic() - self._started
        samples = np.array(self._samples)
        _, stolen, total = np.subtract(_machine_ticks(), self._ticks)
        metrics = {
            'MEAN_OVERALL_CPU_UTILIZATION': float(samples.mean()),
            'MAX_OVERALL_CPU_UTILIZATION': float(samples.max()),
            'MIN_OVERALL_CPU_UTILIZATION': float(samples.min()),
            'STDDEV_OVERALL_CPU_UTILIZATION': float(samples.std()),
            'NODE_CPU_UTILIZATION': 100 * (cpu_seconds(self._pid) - self._cpu) / spent,
            'NODE_MEMORY': memory(self._pid),
            'MEAN_STOLEN_CPU': 100 * float(stolen / max(1, total)),
            'LONGEST_STALL': 1e3 * self._stall,
        }
        self.metrics = {f'ResourceMetrics.{name}': value for name, value in metrics.items()}

    def _sample(self) -> None:
        busy, _, total = _machine_ticks()
        stopped = False
        while not stopped:
            stopped = self._stop.wait(_PERIOD)
            now_busy, _, now_total = _machine_ticks()
            if now_total > total:
                self._samples.append(100 * (now_busy - busy) / (now_total - total))
            elif not self._samples:
                self._samples.append(0.0)
            busy, total = now_busy, now_total

    def _beat(self) -> None:
        while not self._stop.is_set():
            due = time.monotonic() + _BEAT
            time.sleep(_BEAT)
            self._stall = max(self._stall, time.monotonic() - due)


def _machine_ticks() -> tuple[int, int, int]:
    """Return the clock ticks of all cores together: (busy or stolen, stolen, total)."""
    with Path('/proc/stat').open() as file:
        ticks = [int(word) for word in file.readline().split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], ticks[7], sum(ticks)
