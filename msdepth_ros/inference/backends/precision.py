# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which values of the parameter `precision` a runtime supports."""

from msdepth_ros.errors import BackendError
from msdepth_ros.inference.model import Model

PRECISIONS = ('auto', 'fp16', 'int8', 'fp32')


def check_precision(precision: str, runtime: str, able: tuple[str, ...]) -> None:
    """Check that a precision is 'auto' or one of `able`.

    Raises
    ------
    BackendError
        If it is not.
    """
    if precision not in ('auto', *able):
        raise BackendError(
            f'{runtime} does not support {precision}: set the parameter `precision` to auto, '
            f'{" or ".join(able)}, or choose another `backend`'
        )


def cpu_file(model: Model, precision: str, runtime: str) -> tuple[Model, bool]:
    """Return the model file for a CPU, and whether it is the int8 file.

    'auto' is int8, the fastest, if the model has an int8 file; otherwise FP32.

    Raises
    ------
    BackendError
        If `precision` is 'fp16', or 'int8' and the model has no such file.
    """
    check_precision(precision, f'{runtime} on a CPU', ('int8', 'fp32'))
    if precision == 'int8' and model.int8 is None:
        raise BackendError(
            f'model {model.name} has no int8 file: set the parameter `precision` to auto or fp32'
        )
    if precision == 'fp32' or model.int8 is None:
        return model, False
    return model.int8, True
