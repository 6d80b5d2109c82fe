# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""16-bit pictures in 8 bits, also those that use a part of the range only."""

import numpy as np

_FULL = 65535.0
# A picture whose values go beyond 14 bits, over a span of 13, uses the whole range.
_BITS_14, _SPAN = 0x4000, 0x2000
_BLACK = 0.25  # of bright: dark below it is the black of a camera, and stays black
_LEAST = 64.0  # values that are stretched at least, so that noise stays noise
_PERCENTILES = (1, 50, 99)
_RATE = 0.03  # of the way to the present picture's limits that a picture moves them
_JUMP = 8.0  # times wider limits than the picture's: another gain, which is taken at once
_SAMPLES = 20_000


class Stretch:
    """Brings the 16-bit pictures of one camera to 8 bits, steadily over time.

    A picture that uses the whole range is taken by its upper bytes. One that does not, as of a
    sensor with 10 to 14 bits, or of a thermal camera in hundredths of a kelvin, is stretched
    between its darkest and its brightest values; these limits follow later pictures slowly, so
    that nothing flickers.
    """

    def __init__(self) -> None:
        self._note: str | None = None
        self._limits: np.ndarray | None = None
        self._tabulated: tuple[int, int] | None = None
        self._table = np.empty(0, np.uint8)

    def eight_bit(self, values: np.ndarray) -> np.ndarray:
        """Return uint16 values, of any shape and native byte order, as uint8 of that shape."""
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
                f'the pictures use values from about {low} to {high} of 65535: these are taken as '
                'black to white, and follow the scene slowly'
            )
        if self._tabulated != (low, high):
            ramp = (np.arange(1 << 16, dtype=np.float32) - low) * np.float32(255 / (high - low))
            self._table = ramp.clip(0, 255).round().astype(np.uint8)
            self._tabulated = low, high
        return self._table[values]

    def take_note(self) -> str:
        """Return what is done to the pictures, in one line, the first time; else ''."""
        note, self._note = self._note, '' if self._note else self._note
        return note or ''


def _wanted_limits(values: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the values of one picture that are to be black and white, float64 [2]; its median."""
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
    """Return whether a picture shows another scene or gain; not what a hot spot alone changes."""
    low, high = limits
    return bool(not low <= middle <= high or high - low > _JUMP * (wanted[1] - wanted[0]))
