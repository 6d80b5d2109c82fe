# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""OpenVINO's devices: a CPU, and the integrated GPU and NPU of Intel's boards."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msdepth_ros.errors import BackendError
from msdepth_ros.inference.backends.precision import check_precision, cpu_file
from msdepth_ros.inference.model import Model

OPENVINO_DEVICES = ('CPU', 'GPU', 'NPU', 'AUTO')
_FASTEST_FIRST = ('GPU', 'NPU', 'CPU')
_REMEDIES = {
    'GPU': "install Intel's compute runtime (apt: intel-opencl-icd)",
    'NPU': "install Intel's NPU driver (github.com/intel/linux-npu-driver)",
}


@dataclass(frozen=True)
class DevicePlan:
    """How a model is compiled for a device.

    Attributes
    ----------
    device : OpenVINO's name of it.
    title : of the device, as text for users.
    model : with the file that is compiled.
    precision : 'fp32', 'bf16', 'fp16' or 'int8'.
    settings : OpenVINO's properties.
    """

    device: str
    title: str
    model: Model
    precision: str
    settings: dict[str, Any]


def choose_devices(core: Any, device: str) -> list[str]:
    """Return the devices to try: the one asked for; with AUTO all of them, the fastest first.

    Raises
    ------
    BackendError
        If the device is not present; the message says which are, and what to do.
    """
    if device not in OPENVINO_DEVICES:
        raise BackendError(
            f"openvino_device is '{device}' but must be one of {', '.join(OPENVINO_DEVICES)}"
        )
    present = {name.split('.')[0] for name in core.available_devices}
    if device == 'AUTO':
        return [name for name in _FASTEST_FIRST if name in present]
    if device not in present:
        raise BackendError(
            f'OpenVINO finds no {device} on this machine, only {", ".join(sorted(present))}: '
            f'{_REMEDIES.get(device, "choose another")}, add this user to the group render, or '
            'set openvino_device to CPU or AUTO'
        )
    return [device]


def plans_for(
    core: Any, device: str, model: Model, threads: int, precision: str
) -> list[DevicePlan]:
    """Return the ways to compile a model for a device, the fastest first.

    On a CPU 'auto' takes the model's int8 file if it has one. What is not int8 is computed in BF16
    if the CPU has instructions for it (AMX, AVX512-BF16), else in FP32: OpenVINO's FP16 is slower
    than its FP32 on x86. A GPU or an NPU computes in FP16, or on request in int8; a GPU also in
    FP32.

    Raises
    ------
    BackendError
        If the device does not support `precision`, or the model has no int8 file.
    """
    if device == 'CPU':
        return [_on_cpu(core, model, threads, precision)]
    able = ('fp16', 'int8', 'fp32') if device == 'GPU' else ('fp16', 'int8')
    check_precision(precision, f"OpenVINO's {device}", able)
    title = f'{core.get_property(device, "FULL_DEVICE_NAME")} ({device})'
    settings = {'PERFORMANCE_HINT': 'LATENCY', 'CACHE_DIR': _cache_dir()}
    plans = []
    for each in ('fp16', 'fp32')[: len(able) - 1] if precision == 'auto' else (precision,):
        hint = {'INFERENCE_PRECISION_HINT': 'f32' if each == 'fp32' else 'f16'}
        file = cpu_file(model, each, f"OpenVINO's {device}")[0] if each == 'int8' else model
        plans.append(DevicePlan(device, title, file, each, settings | hint))
    return plans


def _on_cpu(core: Any, model: Model, threads: int, precision: str) -> DevicePlan:
    model, quantised = cpu_file(model, precision, 'OpenVINO')
    floats = 'f32'
    if precision != 'fp32' and 'BF16' in core.get_property('CPU', 'OPTIMIZATION_CAPABILITIES'):
        floats = 'bf16'
    settings = {
        'PERFORMANCE_HINT': 'LATENCY',
        'NUM_STREAMS': 1,
        'INFERENCE_NUM_THREADS': threads,
        'INFERENCE_PRECISION_HINT': floats,
        # With pinning, the nodes of two cameras would use the same cores.
        'ENABLE_CPU_PINNING': False,
    }
    name = 'int8' if quantised else {'f32': 'fp32'}.get(floats, floats)
    return DevicePlan('CPU', 'CPU', model, name, settings)


def _cache_dir() -> str:
    """Return the folder for compiled kernels (a GPU's take seconds); '' = none can be written."""
    base = os.environ.get('XDG_CACHE_HOME', '')
    try:
        cache = Path(base) if Path(base).is_absolute() else Path('~/.cache').expanduser()
        folder = cache / 'msdepth_ros' / 'openvino'
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return ''
    return str(folder) if os.access(folder, os.W_OK) else ''
