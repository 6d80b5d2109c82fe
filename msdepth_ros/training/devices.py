# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where a training runs: in one process, or in several that torchrun started."""

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
from torch import distributed

from msdepth_ros.errors import MsdepthError

_PATIENCE = timedelta(hours=2)  # of the others while the first one validates


@contextmanager
def joined(device: str) -> Iterator[torch.device]:
    """Join the processes that torchrun started, if it did, and give this one's device.

    Parameters
    ----------
    device : 'auto' (a GPU where torch sees one), 'cpu', 'cuda' or 'cuda:N'. Of several processes
        on one machine, each takes a GPU of its own.

    Raises
    ------
    MsdepthError
        If the device cannot be used, or the other processes are not met.
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
        raise MsdepthError(f'cannot meet the other processes: {_first_line(error)}') from error
    try:
        yield chosen
    finally:
        distributed.destroy_process_group()


def choose_device(name: str, local_rank: int | None) -> torch.device:
    """Return the torch device that a name means to one of the machine's processes, None: alone."""
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

    Without them it is emulated, on a CPU at a twentieth of float32's speed.
    """
    if device.type == 'cuda':
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in ('avx512_bf16', 'amx_bf16'))


def _first_line(error: BaseException) -> str:
    return (str(error) or repr(error)).splitlines()[0]
