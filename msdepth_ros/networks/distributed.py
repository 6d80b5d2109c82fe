# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Communication between the processes of one training; with a single process it does nothing.

All functions except `rank` and `count` must be called by all processes, in the same order.
"""

from typing import Any

import torch
from torch import Tensor, distributed


def count() -> int:
    """Return the number of processes that train together."""
    return distributed.get_world_size() if _together() else 1


def rank() -> int:
    """Return this process's number; number 0 logs, validates and saves."""
    return distributed.get_rank() if _together() else 0


def all_reduce_sum(value: Tensor) -> Tensor:
    """Return the sum over all processes; its gradient is the sum of their gradients."""
    return _Total.apply(value) if _together() else value


def wait() -> None:
    """Wait until every process has called this."""
    if _together():
        distributed.barrier()


def _together() -> bool:
    return distributed.is_available() and distributed.is_initialized()


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        result = value.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(result)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return _Total.apply(gradients[0])
