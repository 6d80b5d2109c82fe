# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""16-bit images converted to 8 bits, also those that use only a part of the range."""

import numpy as np

_FULL = 65535.0
# An image with values above 14 bits, and a span above 13 bits, uses the whole range.
_BITS_14, _SPAN = 0x4000, 0x2000
_BLACK = 0.25  # if the darkest value is below this fraction of the brightest, black is 0
_LEAST = 64.0  # least span that is stretched, so that noise is not amplified
_PERCENTILES = (1, 50, 99)
_RATE = 0.03  # by which an image moves the limits, as a fraction of the difference
_JUMP = 8.0  # if the limits are so many times wider than the image's, the gain was changed
_SAMPLES = 20_000


class Stretch:
    """Converts the 16-bit images of one camera to 8 bits, without flicker.

    Of an image that uses the whole range, the upper bytes are taken. Others (from a sensor with 10
    to 14 bits, or a thermal camera in hundredths of a kelvin) are stretched between their darkest
    and their brightest value; these limits follow later images slowly.
    """

    def __init__(self) -> None:
        self._note: str | None = None
        self._limits: np.ndarray | None = None
        self._tabulated: tuple[int, int] | None = None
        self._table = np.empty(0, np.uint8)

    def eight_bit(self, values: np.ndarray) -> np.ndarray:
        """Convert uint16 values, of any shape and in native byte order, to uint8."""
        wanted, middle = _wanted_limits(values)
        if self._limits is None or _outdated(self._limits, wanted, middle):
            self._limits = wanted
        else:
            self._limits = self._limits + _RATE * (wanted - self._limits)
        low, high = (round(float(limit)) for limit in self._limits)
        if (low, high) == (0, _FULL):
            return (values >> 8).astype(np.uint8)
        if self._note is None:
            self._note = (
                f'the images use values from about {low} to {high} of 65535: these are shown as '
                'black to white, and follow the scene slowly'
            )
        if self._tabulated != (low, high):
            ramp = (np.arange(1 << 16, dtype=np.float32) - low) * np.float32(255 / (high - low))
            self._table = ramp.clip(0, 255).round().astype(np.uint8)
            self._tabulated = low, high
        return self._table[values]

    def take_note(self) -> str:
        """Return a note for the user on what is done to the images, once; then ''."""
        note, self._note = self._note, '' if self._note else self._note
        return note or ''


def _wanted_limits(values: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the values of one image for black and white, float64 [2], and its median."""
    step = max(1, int((values.size / _SAMPLES) ** 0.5))
    sample = values[::step, ::step] if values.ndim > 1 else values[:: step * step]
    low, middle, high = (float(value) for value in np.percentile(sample, _PERCENTILES))
    if high >= _BITS_14 and high - low >= _SPAN:
        return np.array([0.0, _FULL]), middle
    if low < _BLACK * high:
        low = 0.0
    missing = max(0.0, _LEAST - (high - low))
    low = max(0.0, low - missing / 2)
    return np.array([low, max(high, low + _LEAST)]), middle


def _outdated(limits: np.ndarray, wanted: np.ndarray, middle: float) -> bool:
    """Return whether an image has another scene or gain; a hot spot alone does not count."""
    low, high = limits
    return bool(not low <= middle <= high or high - low > _JUMP * (wanted[1] - wanted[0]))
