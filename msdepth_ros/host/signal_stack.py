# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The stack on which a thread's signal handlers run: libraries may leave a freed one behind."""

import contextlib
import ctypes
from collections.abc import Iterator


class _SignalStack(ctypes.Structure):
    """stack_t of <signal.h>."""

    _fields_ = (
        ('sp', ctypes.c_void_p),
        ('flags', ctypes.c_int),
        ('size', ctypes.c_size_t),
    )


@contextlib.contextmanager
def kept_signal_stack() -> Iterator[None]:
    """Give this thread its alternate signal stack back after a block, see sigaltstack(2).

    OpenVINO sets one when it compiles a network, and another one, freed already, when networks are
    closed in the order in which they were made. The next handler that asks for it, as Python's for
    Ctrl-C and PyTorch's for SIGCHLD do, would end the process with SIGSEGV.
    """
    libc = ctypes.CDLL(None)
    before = _SignalStack()
    libc.sigaltstack(None, ctypes.byref(before))
    try:
        yield
    finally:
        libc.sigaltstack(ctypes.byref(before), None)
