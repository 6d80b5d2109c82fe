# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the processes of one training tell each other; a process alone hears only itself.

Every function here but `rank` and `count` must be called by all of them, in the same order.
"""

from typing import Any

import torch
from torch import Tensor, distributed


def count() -> int:
    """Return how many processes train together."""
    return distributed.get_world_size() if _together() else 1


def rank() -> int:
    """Return this process's number; number 0 logs, validates and saves."""
    return distributed.get_rank() if _together() else 0


def all_reduce_sum(value: Tensor) -> Tensor:
    """Return the sum over the processes; its gradient is the sum of theirs."""
    return _Total.apply(value) if _together() else value


def wait() -> None:
    """Wait until every process is here."""
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
