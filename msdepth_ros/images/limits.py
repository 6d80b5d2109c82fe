# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The largest image that is taken: 8K as cinema has it."""

from msdepth_ros.errors import ImageError

MAX_SIDE = 8192  # pixels
MAX_PIXELS = 8192 * 4320


def check_size(width: int, height: int) -> None:
    """Raise ImageError unless an image's size is one that is taken."""
    if not width or not height:
        raise ImageError(f'the image is {width}x{height}')
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise ImageError(
            f'the image is {width}x{height}: at most {MAX_SIDE} pixels a side and '
            f'{MAX_PIXELS} in all are taken, so have the camera send smaller ones'
        )
