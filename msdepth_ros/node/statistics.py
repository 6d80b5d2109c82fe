# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Counters and latencies of the running node."""

import threading
import time
from collections import Counter, deque
from dataclasses import dataclass

import numpy as np

WINDOW = 300  # number of frames for percentiles
RECENT = 3.0  # seconds for rates and troubles
_MOST = 4096  # number of events kept


class FrameStatus:
    """What happened to an image; DROPPED ones were wanted, but gave no depth."""

    RECEIVED = 'received'
    PUBLISHED = 'published'
    UNWANTED = 'without subscribers'
    REPLACED = 'replaced by a newer image'
    STALE = 'stale'
    BACKWARDS = 'stamp went backwards'
    UNCALIBRATED = 'without camera_info'
    MALFORMED = 'malformed'
    FAILED = 'failed'
    UNUSABLE = (MALFORMED, FAILED)
    DROPPED = (REPLACED, STALE, BACKWARDS, UNCALIBRATED, *UNUSABLE)


@dataclass(frozen=True)
class Snapshot:
    """The statistics at one moment.

    Attributes
    ----------
    counts : frames by status since the start.
    recent : frames by status in the last RECENT seconds.
    input_rate, output_rate : Hz over the last RECENT seconds; 0: no images.
    input_span : seconds between the first and the last image of the last RECENT seconds; 0 while
        no image is wanted.
    percentiles : for each stage of a frame, (p50, p95, p99) in seconds over the last WINDOW frames.
    oldest : greatest age at publication in the last RECENT seconds, in seconds.
    """

    counts: dict[str, int]
    recent: dict[str, int]
    input_rate: float
    output_rate: float
    input_span: float
    percentiles: dict[str, tuple[float, float, float]]
    oldest: float

    @property
    def unusable(self) -> int:
        """Number of frames that were malformed or failed in the last RECENT seconds."""
        return sum(self.recent.get(status, 0) for status in FrameStatus.UNUSABLE)

    @property
    def dropped(self) -> float:
        """Share of the wanted frames of the last RECENT seconds that were dropped, 0 to 1."""
        dropped = sum(self.recent.get(status, 0) for status in FrameStatus.DROPPED)
        return dropped / (dropped + self.recent.get(FrameStatus.PUBLISHED, 0)) if dropped else 0.0


class Statistics:
    """Collects counts and latencies; all methods may be called from any thread.

    Adding a frame takes a lock, a count and one or two entries; `snapshot` does the arithmetic.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._events: deque[tuple[float, str]] = deque(maxlen=_MOST)
        self._frames: deque[tuple[float, dict[str, float]]] = deque(maxlen=WINDOW)

    def count(self, status: str, now: float | None = None) -> None:
        """Count one frame under a status, at `now` (time.monotonic seconds)."""
        now = time.monotonic() if now is None else now
        with self._lock:
            self._counts[status] += 1
            self._events.append((now, status))

    def published(self, now: float, stages: dict[str, float]) -> None:
        """Count a published frame; `stages` has the duration of each stage in seconds."""
        with self._lock:
            self._counts[FrameStatus.PUBLISHED] += 1
            self._events.append((now, FrameStatus.PUBLISHED))
            self._frames.append((now, stages))

    def snapshot(self) -> Snapshot:
        """Return the present statistics."""
        with self._lock:
            counts, events, frames = dict(self._counts), list(self._events), list(self._frames)
        since = time.monotonic() - RECENT
        times: dict[str, list[float]] = {}
        for moment, status in events:
            if moment >= since:
                times.setdefault(status, []).append(moment)
        arrivals = times.get(FrameStatus.RECEIVED, [])
        wanted = len(arrivals) > len(times.get(FrameStatus.UNWANTED, []))
        ages = [stages.get('age', 0.0) for moment, stages in frames if moment >= since]
        return Snapshot(
            counts,
            {status: len(moments) for status, moments in times.items()},
            _rate(arrivals),
            _rate(times.get(FrameStatus.PUBLISHED, [])),
            arrivals[-1] - arrivals[0] if wanted else 0.0,
            _percentiles([stages for _, stages in frames]),
            max(ages, default=0.0),
        )


def _rate(times: list[float]) -> float:
    """Return the rate in Hz of events at these times."""
    if len(times) < 2 or times[-1] <= times[0]:
        return 0.0
    return (len(times) - 1) / (times[-1] - times[0])


def _percentiles(frames: list[dict[str, float]]) -> dict[str, tuple[float, float, float]]:
    percentiles = {}
    for name in dict.fromkeys(name for frame in frames for name in frame):
        p50, p95, p99 = np.percentile([f[name] for f in frames if name in f], (50, 95, 99))
        percentiles[name] = (float(p50), float(p95), float(p99))
    return percentiles
