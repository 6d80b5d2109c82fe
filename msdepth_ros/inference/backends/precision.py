# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the parameter `precision` means on each runtime."""

from msdepth_ros.errors import BackendError
from msdepth_ros.inference.model import Model

PRECISIONS = ('auto', 'fp16', 'int8', 'fp32')


def check_precision(precision: str, runtime: str, able: tuple[str, ...]) -> None:
    """Raise BackendError unless a runtime computes in this precision, one of `able` or 'auto'."""
    if precision not in ('auto', *able):
        raise BackendError(
            f'{runtime} does not compute in {precision}: set the parameter `precision` to auto, '
            f'{" or ".join(able)}, or choose another `backend`'
        )


def cpu_file(model: Model, precision: str, runtime: str) -> tuple[Model, bool]:
    """Return the file of a model that a CPU runs, and whether it is the int8 one.

    'auto' takes the int8 file where the model has one, as it is the fastest; FP32 otherwise.

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
