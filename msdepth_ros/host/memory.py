# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The allocation of memory for images."""

import ctypes
import os
from collections.abc import Mapping

# From glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST = 32 << 20  # bytes; glibc allows no more, and a depth image of 3840x2160 has less
_KEPT = 4 * _LARGEST
_USERS = ('GLIBC_TUNABLES', 'MALLOC_MMAP_THRESHOLD_', 'MALLOC_TRIM_THRESHOLD_')


def keep_freed_memory(environment: Mapping[str, str] = os.environ) -> bool:
    """Make malloc keep the memory of freed images for the next ones; return whether it does.

    By default glibc returns blocks as large as images to the kernel, which gives them out again
    page by page, cleared. That takes longer than copying the image. DDS and rclpy allocate several
    such blocks for each message. Now up to 128 MB of unused memory stay with the process.

    It does nothing if the user has tuned malloc (mallopt(3)), or without glibc.
    """
    if any(environment.get(name) for name in _USERS):
        return False
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGEST) and mallopt(_M_TRIM_THRESHOLD, _KEPT))
