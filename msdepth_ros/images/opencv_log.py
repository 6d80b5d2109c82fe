# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""OpenCV's own log."""

import contextlib
from collections.abc import Iterator

import cv2


@contextlib.contextmanager
def quiet_opencv() -> Iterator[None]:
    """Keep OpenCV's log of damaged files off stderr: this package raises an error that says it."""
    log = getattr(cv2.utils, 'logging', None)  # not in OpenCV 4.5
    if log is None:
        yield
        return
    level = log.setLogLevel(log.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        log.setLogLevel(level)
