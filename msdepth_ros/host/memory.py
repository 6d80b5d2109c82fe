# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How this process gets memory for images."""

import ctypes
import os
from collections.abc import Mapping

# Of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST = 32 << 20  # bytes; glibc allows no more, and a depth image of 3840x2160 has less
_KEPT = 4 * _LARGEST
_USERS = ('GLIBC_TUNABLES', 'MALLOC_MMAP_THRESHOLD_', 'MALLOC_TRIM_THRESHOLD_')


def keep_freed_memory(environment: Mapping[str, str] = os.environ) -> bool:
    """Have malloc keep the memory of freed images for the next ones; return whether it will.

    By itself glibc gives blocks as large as images back to the kernel, which hands them out again
    page by page, cleared: that takes longer than to copy the image. DDS and rclpy allocate several
    such blocks for each message. Up to 128 MB that are not used stay with the process.

    Nothing is done where the user has tuned malloc (mallopt(3)), or without glibc.
    """
    if any(environment.get(name) for name in _USERS):
        return False
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGEST) and mallopt(_M_TRIM_THRESHOLD, _KEPT))
