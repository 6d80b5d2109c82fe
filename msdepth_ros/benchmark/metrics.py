# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ros2_benchmark's performance metrics, from the times of messages."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from msdepth_ros.benchmark.timing import summary

TOLERATED_LOSS = 0.05  # ros2_benchmark: the peak rate is the highest with fewer frames missed


def performance(sent: Sequence[int], received: Mapping[int, int]) -> dict[str, Any]:
    """Return a run's metrics under ros2_benchmark's names; times in ms, rates in Hz.

    Jitter is the change of the time between consecutive received frames.

    Parameters
    ----------
    sent : stamps of the frames, nanoseconds, ascending.
    received : for each stamp received, its time of arrival, nanoseconds of the same clock. Stamps
        that were not sent are ignored.
    """
    arrivals = {stamp: received[stamp] for stamp in sent if stamp in received}
    metrics: dict[str, Any] = {
        'NUM_FRAMES_SENT': len(sent),
        'NUM_MISSED_FRAMES': len(sent) - len(arrivals),
        'MEAN_PLAYBACK_FRAME_RATE': _rate(list(sent)),
        'MEAN_FRAME_RATE': _rate(list(arrivals.values())),
    }
    if arrivals:
        moments = 1e-6 * np.array(list(arrivals.values()), np.float64)
        latencies = moments - 1e-6 * np.array(list(arrivals), np.float64)
        metrics |= {
            'RECEIVED_DURATION': float(moments[-1] - moments[0]),
            'FIRST_SENT_RECEIVED_LATENCY': float(moments[0] - 1e-6 * sent[0]),
            'LAST_SENT_RECEIVED_LATENCY': float(moments[-1] - 1e-6 * sent[-1]),
            'FIRST_INPUT_LATENCY': float(latencies[0]),
            'LAST_INPUT_LATENCY': float(latencies[-1]),
            'MAX_LATENCY': float(latencies.max()),
            'MIN_LATENCY': float(latencies.min()),
            'MEAN_LATENCY': float(latencies.mean()),
        }
    if len(arrivals) > 2:
        jitter = np.abs(np.diff(moments, 2))
        metrics |= {
            'MAX_JITTER': float(jitter.max()),
            'MIN_JITTER': float(jitter.min()),
            'MEAN_JITTER': float(jitter.mean()),
            'STD_DEV_JITTER': float(jitter.std()),
        }
    return {f'BasicPerformanceMetrics.{name}': value for name, value in metrics.items()}


def latencies(sent: Sequence[int], received: Mapping[int, int]) -> dict[str, float]:
    """Return timing.summary of the times from sent to received, {} if nothing was received."""
    times = [1e-9 * (received[stamp] - stamp) for stamp in sent if stamp in received]
    return summary(times) if times else {}


def loss(sent: Sequence[int], received: Mapping[int, int]) -> float:
    """Return the share of the sent frames that were not received."""
    return sum(stamp not in received for stamp in sent) / len(sent)


def _rate(moments: list[int]) -> float:
    """Return the mean rate in Hz of events at these times in nanoseconds."""
    if len(moments) < 2 or moments[-1] <= moments[0]:
        return 0.0
    return (len(moments) - 1) / (1e-9 * (moments[-1] - moments[0]))
