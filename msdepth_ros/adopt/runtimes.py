# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compares the other runtimes of this machine with ONNX Runtime."""

import numpy as np

from msdepth_ros.adopt import checks
from msdepth_ros.adopt.exported import ExportedNetwork
from msdepth_ros.errors import BackendError, ModelError, RuntimeMissingError
from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.inference.backends import create_backend
from msdepth_ros.inference.backends.tensorrt.api import check_installed, import_tensorrt
from msdepth_ros.inference.model import DEPTH, IMAGE, INTRINSICS, Model

_RIGHT_TENSORRT = (10, 12)  # 10.3 (JetPack 6) computes wrong depth with vision transformers
_OF_BF16, _OF_OTHERS = 0.05, 0.01  # largest relative difference; BF16 has 8 bits
_NAMES = {'openvino': 'OpenVINO', 'tensorrt': 'TensorRT'}


def compare_runtimes(
    model: Model, pixels: np.ndarray, camera: Intrinsics, expected: np.ndarray
) -> list[str]:
    """Run a model on OpenVINO and TensorRT, if they run here; return warnings.

    Parameters
    ----------
    model : the adopted model.
    pixels : its input, uint8 [height, width, 3].
    camera : of that image.
    expected : ONNX Runtime's prediction, float32 [h, w].
    """
    found = []
    for runtime, name in _NAMES.items():
        try:
            backend = create_backend(model, runtime, precision=model.precision)
        except RuntimeMissingError:
            continue
        except (BackendError, ModelError) as error:
            if runtime == 'openvino' or isinstance(error, ModelError):
                found.append(f'{name} does not run it, another runtime will: {error}')
            continue  # no GPU here
        try:
            backend.inputs[IMAGE][:] = pixels
            if INTRINSICS in backend.inputs:
                backend.inputs[INTRINSICS][:] = camera.matrix()
            backend.run()
            prediction = backend.outputs[DEPTH].copy()
        finally:
            backend.close()
        what = f'{name} ({backend.precision}) and ONNX Runtime differ'
        tolerance = _OF_BF16 if backend.precision == 'bf16' else _OF_OTHERS
        found += checks.check_same(expected, prediction, what, tolerance)
    return found


def check_tensorrt_version(network: ExportedNetwork) -> list[str]:
    """Return a warning if this TensorRT is known to be wrong with vision transformers."""
    if not {'Softmax', 'MatMul'} <= network.operations():
        return []
    try:
        check_installed()
        api = import_tensorrt()
    except BackendError:
        return []
    numbers = tuple(int(part) for part in api.version.split('.')[:2] if part.isdigit())
    if api.flavour != 'tensorrt' or numbers >= _RIGHT_TENSORRT:
        return []
    right = '.'.join(map(str, _RIGHT_TENSORRT))
    return [
        f'{api.title} is known to compute wrong depth with vision transformers: install {right} or '
        'later. The first start compares the engine with ONNX Runtime, and rejects it if it is '
        'wrong'
    ]
