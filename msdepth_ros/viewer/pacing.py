# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The amount and rate of data sent to a page, adapted to its connection."""

from dataclasses import dataclass

SHORTEST = 0.1  # least number of seconds between two updates of a page
_QUICK = 0.15  # seconds; if an update takes less, the next ones can be larger
_SLOW = 0.4  # seconds; if an update takes more, the next one is smaller
_QUICK_ONES = 4  # number of quick updates in a row before the quality rises


@dataclass(frozen=True)
class Quality:
    """The quality of an update.

    Attributes
    ----------
    width : width of the pictures, pixels.
    jpeg : JPEG quality of the pictures, 0 to 100.
    points : greatest number of points of the cloud.
    """

    width: int
    jpeg: int
    points: int


# Each has about twice as many bytes as the one before; the first has about 10 KB.
QUALITIES = (
    Quality(160, 40, 600),
    Quality(208, 45, 1500),
    Quality(288, 50, 3000),
    Quality(384, 60, 6000),
    Quality(512, 70, 12000),
    Quality(640, 80, 24000),
)


class Pace:
    """Chooses the quality and the time of a page's next update.

    The next update is sent only when the page has shown the one before. So updates do not queue: a
    slow connection gets fewer and smaller ones, but always the newest frame.

    Attributes
    ----------
    delay : seconds that the last update took until the page had shown it; 0 at first.
    """

    def __init__(self, level: int = 1) -> None:
        self._level = level
        self._quick = 0
        self.delay = 0.0

    @property
    def quality(self) -> Quality:
        """The quality of the next update."""
        return QUALITIES[self._level]

    def shown(self, seconds: float) -> float:
        """Take the seconds that an update needed until the page had shown it.

        Returns
        -------
        Seconds to wait before the next one.
        """
        self.delay = seconds
        self._quick = self._quick + 1 if seconds < _QUICK else 0
        if seconds > _SLOW:
            self._level = max(0, self._level - (2 if seconds > 3 * _SLOW else 1))
        elif self._quick >= _QUICK_ONES:
            self._level = min(len(QUALITIES) - 1, self._level + 1)
            self._quick = 0
        return max(0.0, SHORTEST - seconds)
