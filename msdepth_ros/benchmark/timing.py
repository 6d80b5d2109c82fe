# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measures the duration of a call."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

_WARM_UP = 5


def measure(run: Callable[[], Any], seconds: float) -> dict[str, float]:
    """Call `run` repeatedly for some seconds; return statistics of the durations.

    Returns
    -------
    The values of `summary`, and 'cpu', the processor time per call on all cores, milliseconds.
    """
    for _ in range(_WARM_UP):
        run()
    times: list[float] = []
    cpu, end = time.process_time(), time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    cpu = time.process_time() - cpu
    return {**summary(times), 'cpu': 1e3 * cpu / len(times)}


def summary(seconds: Sequence[float]) -> dict[str, float]:
    """Return 'count' and, in milliseconds, 'min', 'mean', 'p50', 'p95' and 'p99' of durations."""
    times = 1e3 * np.asarray(seconds)
    p50, p95, p99 = (float(value) for value in np.percentile(times, (50, 95, 99)))
    return {
        'count': len(times),
        'min': float(times.min()),
        'mean': float(times.mean()),
        'p50': p50,
        'p95': p95,
        'p99': p99,
    }
