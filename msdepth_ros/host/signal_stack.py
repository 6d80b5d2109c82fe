# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Protects a thread's alternate signal stack, which libraries may replace by a freed one."""

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
    """Restore this thread's alternate signal stack after the block, see sigaltstack(2).

    OpenVINO sets one when it compiles a network, and a freed one when networks are closed in the
    order in which they were made. The next handler that uses it, such as Python's for Ctrl-C or
    PyTorch's for SIGCHLD, would end the process with SIGSEGV.
    """
    libc = ctypes.CDLL(None)
    before = _SignalStack()
    libc.sigaltstack(None, ctypes.byref(before))
    try:
        yield
    finally:
        libc.sigaltstack(ctypes.byref(before), None)
