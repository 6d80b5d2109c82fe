# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The fixed input size of an adopted network."""

import itertools
import math
import re

from msdepth_ros.errors import ModelError

_ASPECT_WEIGHT = 4.0  # cost of another aspect ratio, relative to another number of pixels
_LARGEST = 8192


def parse_size(text: str) -> tuple[int, int]:
    """Return the (width, height) of a text such as '640x480'.

    Raises
    ------
    ModelError
        If it is not such a text.
    """
    found = re.fullmatch(r'(\d+)x(\d+)', text)
    if not found or not all(2 <= int(side) <= _LARGEST for side in found.groups()):
        raise ModelError(f"'{text}' must be WIDTHxHEIGHT in pixels, for example 644x476")
    return int(found[1]), int(found[2])


def nearest_size(
    camera_size: tuple[int, int], about: tuple[int, int], multiple: int
) -> tuple[int, int]:
    """Return the (width, height) with the camera's aspect ratio and about this number of pixels.

    Parameters
    ----------
    camera_size : (width, height) of the camera's images.
    about : (width, height) with the wanted number of pixels, of any aspect ratio.
    multiple : both sides are multiples of it; 0: the network supports only `about`.
    """
    if not multiple:
        return about
    aspect, pixels = camera_size[0] / camera_size[1], about[0] * about[1]
    width = math.sqrt(pixels * aspect) / multiple
    height = math.sqrt(pixels / aspect) / multiple
    steps = range(-2, 3)
    candidates = [
        (max(1, round(width) + x), max(1, round(height) + y))
        for x, y in itertools.product(steps, steps)
    ]

    def cost(size: tuple[int, int]) -> float:
        shape = abs(math.log(size[0] / size[1] / aspect))
        count = abs(math.log(size[0] * size[1] * multiple**2 / pixels))
        return _ASPECT_WEIGHT * shape + count

    best = min(candidates, key=cost)
    return best[0] * multiple, best[1] * multiple


def check_size(size: tuple[int, int], about: tuple[int, int], multiple: int) -> None:
    """Check a (width, height) of the network's input.

    Raises
    ------
    ModelError
        If the network does not support it; the message names one that it supports.
    """
    if not multiple and size != about:
        raise ModelError(
            f'this network supports only {about[0]}x{about[1]} pixels: omit --size, or give it so'
        )
    if multiple and (size[0] % multiple or size[1] % multiple):
        width, height = (max(1, round(side / multiple)) * multiple for side in size)
        raise ModelError(
            f'this network needs sides that are multiples of {multiple}, not {size[0]}x{size[1]}: '
            f'try {width}x{height}, or set --multiple'
        )
