# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How much a page is sent, and how often: as much as its connection takes."""

from dataclasses import dataclass

SHORTEST = 0.1  # seconds between two updates of a page, however fast its connection is
_QUICK = 0.15  # seconds; an update that takes less could have been larger
_SLOW = 0.4  # seconds; one that takes more is too large
_QUICK_ONES = 4  # in a row, before more is sent


@dataclass(frozen=True)
class Quality:
    """What one update holds.

    Attributes
    ----------
    width : of the pictures, pixels.
    jpeg : their JPEG quality, 0 to 100.
    points : of the cloud, at most.
    """

    width: int
    jpeg: int
    points: int


# Each has about twice the bytes of the one before; the first are some 10 KB.
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

    One update is under way at a time: the next one is sent when the page has shown the one before.
    So nothing queues, and a slow connection sees fewer and smaller updates, but fresh ones.

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
        """Take how long an update took until the page had shown it.

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
