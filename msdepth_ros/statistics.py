# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Counters and latencies of a running node, cheap enough to take at every frame."""

import threading
import time
from collections import Counter, deque
from dataclasses import dataclass

import numpy as np

WINDOW = 300  # frames that percentiles and rates are taken over
RECENT = 3.0  # seconds that rates and troubles are counted over
MALFORMED, FAILED = UNUSABLE = ('malformed', 'failed')


@dataclass(frozen=True)
class Snapshot:
    """The statistics at one moment.

    Attributes
    ----------
    counts : frames by fate since the start: 'received', 'published', 'replaced', ...
    input_rate, output_rate : Hz over the last seconds, 0 when nothing comes.
    percentiles : for each stage of a frame, (p50, p95, p99) in seconds over the last WINDOW frames.
    unusable : frames that were malformed or failed in the last seconds.
    """

    counts: dict[str, int]
    input_rate: float
    output_rate: float
    percentiles: dict[str, tuple[float, float, float]]
    unusable: int


class Statistics:
    """Collects from the receiving and the working thread; `snapshot` may be called from a third."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._arrivals: deque[float] = deque(maxlen=WINDOW)
        self._departures: deque[float] = deque(maxlen=WINDOW)
        self._frames: deque[dict[str, float]] = deque(maxlen=WINDOW)
        self._troubles: deque[float] = deque(maxlen=WINDOW)

    def count(self, fate: str) -> None:
        """Count one frame under a fate."""
        with self._lock:
            self._counts[fate] += 1
            if fate in UNUSABLE:
                self._troubles.append(time.monotonic())

    def received(self, now: float) -> None:
        """Count a frame that arrived at `now` (time.monotonic seconds)."""
        with self._lock:
            self._counts['received'] += 1
            self._arrivals.append(now)

    def published(self, now: float, stages: dict[str, float]) -> None:
        """Count a frame that was published, with the seconds that each stage took."""
        with self._lock:
            self._counts['published'] += 1
            self._departures.append(now)
            self._frames.append(stages)

    def snapshot(self) -> Snapshot:
        """Return the statistics of this moment."""
        with self._lock:
            counts, frames = dict(self._counts), list(self._frames)
            arrivals, departures = list(self._arrivals), list(self._departures)
            troubles = list(self._troubles)
        names = dict.fromkeys(name for frame in frames for name in frame)
        percentiles = {}
        for name in names:
            p50, p95, p99 = np.percentile([f[name] for f in frames if name in f], (50, 95, 99))
            percentiles[name] = (float(p50), float(p95), float(p99))
        now = time.monotonic()
        unusable = sum(now - moment <= RECENT for moment in troubles)
        return Snapshot(counts, _rate(arrivals, now), _rate(departures, now), percentiles, unusable)


def _rate(times: list[float], now: float) -> float:
    """Return the rate in Hz of the events of the last seconds."""
    recent = [moment for moment in times if now - moment <= RECENT]
    if len(recent) < 2:
        return 0.0
    return (len(recent) - 1) / (recent[-1] - recent[0]) if recent[-1] > recent[0] else 0.0
