# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node's state as diagnostic_msgs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Header

from msdepth_ros.inference.backends import Backend
from msdepth_ros.node.statistics import RECENT, FrameStatus, Snapshot

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


@dataclass(frozen=True)
class Thresholds:
    """Limits for WARN and ERROR, like diagnostic_updater's FrequencyStatus and TimeStampStatus.

    Attributes
    ----------
    min_frequency : Hz of the output, below which the status is WARN; 0: none.
    max_age : seconds from stamp to publication, above which it is ERROR; 0: none.
    max_dropped : share of the images dropped, above which it is WARN.
    """

    min_frequency: float = 0.0
    max_age: float = 0.0
    max_dropped: float = 1.0


@dataclass(frozen=True)
class NodeState:
    """The state of a node, without its statistics.

    Attributes
    ----------
    backend : the runtime of the running model; None: no model runs.
    last_error : one line; '' = none.
    build : progress of the building of an engine; '' = none is built.
    next_model : the model that is being loaded while another runs; '' = none.
    active : whether the node's lifecycle state is active.
    wanted : whether an output has a subscriber, so that images are received.
    measured : lines about the measurements, by their names.
    mismeasured : what is wrong with the measurements; '' = nothing.
    """

    backend: Backend | None = None
    last_error: str = ''
    build: str = ''
    next_model: str = ''
    active: bool = True
    wanted: bool = True
    measured: Mapping[str, str] = field(default_factory=dict)
    mismeasured: str = ''

    @property
    def engine(self) -> str:
        """The state of the engine: building, failed, not loaded or running."""
        if self.build:
            return 'building'
        if self.backend is None:
            return 'failed' if self.last_error else 'not loaded'
        return 'running'


def diagnostic_array(
    node_name: str, stamp: Time, snapshot: Snapshot, state: NodeState, thresholds: Thresholds
) -> DiagnosticArray:
    """Return the state of a node as one status; rates in Hz, latencies in ms (p50 / p95 / p99)."""
    level, message = judge(snapshot, state, thresholds)
    values = {
        'input rate (Hz)': f'{snapshot.input_rate:.1f}',
        'output rate (Hz)': f'{snapshot.output_rate:.1f}',
        'dropped (%)': f'{100 * snapshot.dropped:.1f}',
        'greatest age (ms)': f'{1e3 * snapshot.oldest:.2f}',
    }
    values |= {f'frames {status}': str(count) for status, count in sorted(snapshot.counts.items())}
    for stage, percentiles in snapshot.percentiles.items():
        values[f'{stage} (ms)'] = ' / '.join(f'{1e3 * seconds:.2f}' for seconds in percentiles)
    values['engine'] = state.engine
    if state.build:
        values['engine build'] = state.build
    backend = state.backend
    if backend is not None:
        values['model'] = backend.model.name
        values['backend'] = backend.name
        values['device'] = backend.device
        values['precision'] = backend.precision
        values |= {f'engine {name}': str(value) for name, value in backend.details.items()}
    if state.next_model:
        values['next model'] = state.next_model
    values |= state.measured
    values['last error'] = state.last_error
    status = DiagnosticStatus(
        level=level,
        name=f'{node_name}: depth',
        message=message,
        hardware_id='' if backend is None else backend.device,
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )
    return DiagnosticArray(header=Header(stamp=stamp), status=[status])


def judge(snapshot: Snapshot, state: NodeState, thresholds: Thresholds) -> tuple[bytes, str]:
    """Return the level and a message with all troubles, the worst first.

    ERROR: no model runs because of an error; or, in the last RECENT seconds, all images were
    unusable, or one was published too late. WARN: an engine is being built; or, in the last RECENT
    seconds, no image arrived, some were unusable, too many were dropped, or too few of the wanted
    ones were published.
    """
    if state.build:
        return WARN, f'building the engine: {state.build}'
    if state.backend is None:
        return (ERROR, state.last_error) if state.last_error else (WARN, 'not configured')
    if not state.active:
        return OK, 'inactive: activate the node to get depth'
    if not state.wanted:
        return OK, 'no output has a subscriber: no images are received'
    if not snapshot.recent.get(FrameStatus.RECEIVED):
        return WARN, 'no images arrive: see the log'
    troubles = _troubles(snapshot, thresholds)
    if state.mismeasured:
        troubles.append((WARN, state.mismeasured))
    troubles.sort(key=lambda trouble: trouble[0], reverse=True)
    if not troubles:
        return OK, 'running'
    return troubles[0][0], '; '.join(text for _, text in troubles)


def _troubles(snapshot: Snapshot, thresholds: Thresholds) -> list[tuple[bytes, str]]:
    troubles = []
    if snapshot.unusable:
        level = WARN if snapshot.output_rate else ERROR
        text = f'{snapshot.unusable} images of the last seconds were not usable'
        troubles.append((level, text))
    if 0 < thresholds.max_age < snapshot.oldest:
        text = f'published {snapshot.oldest:.3f} s after its stamp, over {thresholds.max_age:g} s'
        troubles.append((ERROR, text))
    if snapshot.dropped > thresholds.max_dropped:
        text = f'{snapshot.dropped:.0%} of the images dropped, over {thresholds.max_dropped:.0%}'
        troubles.append((WARN, text))
    lowest = thresholds.min_frequency
    # If a camera has just started, there may have been no time to publish.
    judged = lowest > 0 and snapshot.input_span > min(2 / lowest, 0.8 * RECENT)
    if judged and snapshot.output_rate < lowest:
        troubles.append((WARN, f'output at {snapshot.output_rate:.1f} Hz, under {lowest:g} Hz'))
    return troubles
