# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a machine and a process use of cores and memory, and what is taken from them (Linux)."""

import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

_PERIOD = 0.5  # seconds between two samples of the whole machine
_BEAT = 0.005  # seconds that a thread sleeps, to see when it is woken


def memory(pid: int) -> float:
    """Return the resident memory of a process in MB (10^6 bytes)."""
    pages = int(Path(f'/proc/{pid}/statm').read_text().split()[1])
    return 1e-6 * pages * os.sysconf('SC_PAGE_SIZE')


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has taken so far, on all cores together."""
    fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


class Usage:
    """Watches the machine and one process for the length of a `with` block.

    Attributes
    ----------
    metrics : after the block, ros2_benchmark's MEAN_, MAX_, MIN_ and
        STDDEV_OVERALL_CPU_UTILIZATION (percent of all cores), NODE_CPU_UTILIZATION (percent of
        one core) and NODE_MEMORY (MB, at the end). Beside them MEAN_STOLEN_CPU, the percentage of
        all cores that a hypervisor gave to others while this machine wanted them (the utilization
        includes it), and LONGEST_STALL, how many ms too late a thread of this process that sleeps
        5 ms woke at worst: while nothing keeps this process busy, that is the machine's doing.
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
    """Return the clock ticks that all cores together were (busy or stolen, stolen, there)."""
    with Path('/proc/stat').open() as file:
        ticks = [int(word) for word in file.readline().split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], ticks[7], sum(ticks)
