# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The conditions of a measurement: machine, versions, commit, model."""

import hashlib
import os
import platform
import subprocess
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2

from msdepth_ros import __version__
from msdepth_ros.inference.backends import Backend
from msdepth_ros.resources import share_directory

# The instructions that int8 and BF16 networks gain most from.
_FEATURES = ('avx2', 'avx512f', 'avx_vnni', 'avx512_vnni', 'avx512_bf16', 'amx_bf16', 'amx_int8')
_PACKAGES = ('numpy', 'onnxruntime', 'openvino', 'tensorrt', 'tensorrt_rtx', 'torch')


def machine_facts() -> dict[str, Any]:
    """Return machine, operating system, versions, commit, load, and the time now (UTC)."""
    return {
        'TEST_DATETIME': time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime()),
        'DEVICE_ARCH': platform.machine(),
        'DEVICE_OS': _operating_system(),
        'cpu': _cpu('model name') or platform.machine(),
        'cpu_features': [name for name in _FEATURES if name in _cpu('flags').split()],
        'cores': len(os.sched_getaffinity(0)),
        'load_before': round(os.getloadavg()[0], 2),
        'versions': {
            'msdepth_ros': __version__,
            'python': platform.python_version(),
            'opencv': cv2.__version__,
            **_installed(),
        },
        'commit': _commit(),
    }


def model_facts(backend: Backend) -> dict[str, Any]:
    """Return the facts about a loaded model: its file, runtime, device and precision."""
    return {
        'model': backend.model.name,
        'model_file': backend.model.onnx.name,
        'model_sha256': hashlib.sha256(backend.model.read_onnx()).hexdigest(),
        'backend': backend.name,
        'device': backend.device,
        'precision': backend.precision,
    }


def describe(facts: dict[str, Any]) -> str:
    """Return machine_facts as one line of text."""
    versions = facts['versions']
    names = {'python': 'Python', 'opencv': 'OpenCV', 'onnxruntime': 'ONNX Runtime'}
    names |= {'openvino': 'OpenVINO', 'torch': 'PyTorch'}
    features = ', '.join(facts['cpu_features'])
    parts = [f'{facts["cores"]} cores of {facts["cpu"]} ({features})', facts['DEVICE_OS']]
    parts += [f'{title} {versions[key]}' for key, title in names.items() if key in versions]
    parts.append(f'commit {facts["commit"]}')
    busy = f'load average {facts["load_before"]:.1f} before the run'
    return f'{", ".join(parts)}; {facts["TEST_DATETIME"][:10]}, {busy}'


def _installed() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    distribution = os.environ.get('ROS_DISTRO', '')
    if distribution:
        found['ros'] = distribution
    return found


def _operating_system() -> str:
    try:
        return platform.freedesktop_os_release()['PRETTY_NAME']
    except (OSError, KeyError):
        return f'{platform.system()} {platform.release()}'


def _cpu(key: str) -> str:
    """Return an entry of /proc/cpuinfo for the first processor, '' if there is none (on ARM)."""
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
    except OSError:
        return ''
    return next((line.partition(':')[2].strip() for line in lines if line.startswith(key)), '')


def _commit() -> str:
    """Return the commit of the source tree, with + if files are changed; else 'unknown'."""
    tree = share_directory()
    git = ['git', '-C', str(tree)]
    if not (tree / '.git').exists():
        return 'unknown'
    try:
        commit = subprocess.run(
            [*git, 'rev-parse', '--short=12', 'HEAD'], capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            [*git, 'status', '--porcelain', '--untracked-files=no'],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return 'unknown'
    return commit + ('+' if changed.strip() else '')
