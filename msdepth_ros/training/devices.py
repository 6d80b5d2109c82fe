# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The device of a training, in one process or in several that torchrun started."""

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
from torch import distributed

from msdepth_ros.errors import MsdepthError

_PATIENCE = timedelta(hours=2)  # how long the other processes wait while the first one validates


@contextmanager
def joined(device: str) -> Iterator[torch.device]:
    """Join the other processes, if torchrun started this one, and yield this process's device.

    Parameters
    ----------
    device : 'auto' (a GPU if torch finds one), 'cpu', 'cuda' or 'cuda:N'. Several processes on one
        machine use one GPU each.

    Raises
    ------
    MsdepthError
        If the device cannot be used, or the other processes cannot be reached.
    """
    together = distributed.is_available() and distributed.is_torchelastic_launched()
    chosen = choose_device(device, int(os.environ['LOCAL_RANK']) if together else None)
    on_gpu = chosen.type == 'cuda'
    if on_gpu and chosen.index is not None:
        torch.cuda.set_device(chosen)
    if not together:
        yield chosen
        return
    try:
        distributed.init_process_group(
            'nccl' if on_gpu else 'gloo', timeout=_PATIENCE, device_id=chosen if on_gpu else None
        )
    except (RuntimeError, ValueError) as error:
        raise MsdepthError(
            f'cannot reach the other processes: {_first_line(error)}: check the addresses given '
            'to torchrun'
        ) from error
    try:
        yield chosen
    finally:
        distributed.destroy_process_group()


def choose_device(name: str, local_rank: int | None) -> torch.device:
    """Return a torch device by its name.

    Parameters
    ----------
    name : see `joined`.
    local_rank : number of this process on its machine; None: there is only one.

    Raises
    ------
    MsdepthError
        If the device cannot be used.
    """
    if name == 'auto':
        name = 'cuda' if torch.cuda.is_available() else 'cpu'
    if name == 'cuda' and local_rank is not None:
        name = f'cuda:{local_rank}'
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise MsdepthError(
            f"device '{name}' cannot be used ({_first_line(error)}): choose --device cpu, or one "
            f'of {torch.cuda.device_count()} GPUs that torch sees, one for each process'
        ) from error
    return device


@functools.cache
def computes_bfloat16(device: torch.device) -> bool:
    """Return whether a device has instructions for bfloat16.

    Without them it is emulated; on a CPU that is some twenty times slower than float32.
    """
    if device.type == 'cuda':
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in ('avx512_bf16', 'amx_bf16'))


def _first_line(error: BaseException) -> str:
    return (str(error) or repr(error)).splitlines()[0]
