# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The largest image that is accepted: 8K, as in cinema."""

from msdepth_ros.errors import ImageError

MAX_SIDE = 8192  # pixels
MAX_PIXELS = 8192 * 4320


def check_size(width: int, height: int) -> None:
    """Check the size of an image, in pixels.

    Raises
    ------
    ImageError
        If it is 0, or too large.
    """
    if not width or not height:
        raise ImageError(f'the image is {width}x{height}: it has no pixels')
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise ImageError(
            f'the image is {width}x{height}: at most {MAX_SIDE} pixels a side and '
            f'{MAX_PIXELS} in total are accepted, configure the camera to send smaller images'
        )
