# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node's state as diagnostic_msgs."""

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Header

from msdepth_ros.backends import Backend
from msdepth_ros.statistics import Snapshot


def diagnostic_array(
    node_name: str,
    stamp: Time,
    snapshot: Snapshot,
    backend: Backend | None,
    last_error: str,
    build: str = '',
    next_model: str = '',
) -> DiagnosticArray:
    """Return the state of a node.

    ERROR: no model runs, because of an error. WARN: an engine is being built (`build` says how
    far it is), no images arrive, or some are dropped as malformed or failed. Rates are in Hz,
    latencies in ms as p50 / p95 / p99. `next_model` is being loaded while this one runs.
    """
    counts = snapshot.counts
    status = DiagnosticStatus(
        name=f'{node_name}: depth', level=DiagnosticStatus.OK, message='running'
    )
    if build:
        status.level, status.message = DiagnosticStatus.WARN, f'building the engine: {build}'
    elif backend is None and last_error:
        status.level, status.message = DiagnosticStatus.ERROR, last_error
    elif backend is None:
        status.level, status.message = DiagnosticStatus.WARN, 'not configured'
    elif snapshot.input_rate == 0:
        status.level, status.message = DiagnosticStatus.WARN, 'no images arrive'
    elif snapshot.unusable:
        message = f'{snapshot.unusable} frames of the last seconds were not usable'
        status.level, status.message = DiagnosticStatus.WARN, message
    values = {
        'input rate (Hz)': f'{snapshot.input_rate:.1f}',
        'output rate (Hz)': f'{snapshot.output_rate:.1f}',
    }
    values |= {f'frames {fate}': str(count) for fate, count in sorted(counts.items())}
    for stage, percentiles in snapshot.percentiles.items():
        values[f'{stage} (ms)'] = ' / '.join(f'{1e3 * seconds:.2f}' for seconds in percentiles)
    if backend is not None:
        status.hardware_id = backend.device
        values['model'] = backend.model.name
        values['backend'] = backend.name
        values['precision'] = backend.precision
        values |= {f'engine {name}': str(value) for name, value in backend.details.items()}
    if next_model:
        values['next model'] = next_model
    values['last error'] = last_error
    status.values = [KeyValue(key=key, value=value) for key, value in values.items()]
    return DiagnosticArray(header=Header(stamp=stamp), status=[status])
