# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The inference runtimes with one interface: a module each, TensorRT a folder."""

from msdepth_ros.inference.backends.base import Backend
from msdepth_ros.inference.backends.create import BACKENDS, create_backend
from msdepth_ros.inference.backends.openvino_device import OPENVINO_DEVICES
from msdepth_ros.inference.backends.precision import PRECISIONS
from msdepth_ros.inference.backends.tensorrt.engine_options import EngineOptions, Progress

__all__ = [
    'BACKENDS',
    'OPENVINO_DEVICES',
    'PRECISIONS',
    'Backend',
    'EngineOptions',
    'Progress',
    'create_backend',
]
