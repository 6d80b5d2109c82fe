# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Checks the stamps of arriving images, and finds images that were lost."""

from collections import deque

from builtin_interfaces.msg import Time

from msdepth_ros.node.statistics import FrameStatus

_WINDOW = 100  # camera_info messages over which the loss is measured
_UNSETTLED = 5  # the newest of them, whose images may still arrive
_TOLERATED = 0.05  # share of lost images below which there is no warning


class StampMonitor:
    """Decides by its stamp whether an image is processed."""

    def __init__(self) -> None:
        self._last = 0

    def refusal(self, stamp: int, now: int, max_age: float, simulated: bool) -> str | None:
        """Return why an image is dropped, None if it is processed.

        Parameters
        ----------
        stamp, now : the image's stamp (0: none) and the node's clock, nanoseconds.
        max_age : seconds; 0: any age.
        simulated : whether the node runs on simulated time, which may jump backwards.
        """
        if not stamp:
            return None
        backwards = stamp < self._last and not simulated
        self._last = stamp
        if backwards:
            return FrameStatus.BACKWARDS
        if max_age > 0 and now - stamp > max_age * 1e9:
            return FrameStatus.STALE
        return None


class GapMonitor:
    """Finds lost images: camera_info messages whose image never arrived.

    A camera publishes both with the same stamp; camera_info is small and rarely lost.
    """

    def __init__(self) -> None:
        # Bounded, because a camera may send only one of the two.
        self._images: deque[tuple[int, int]] = deque(maxlen=2 * _WINDOW)
        self._infos: deque[tuple[int, int]] = deque(maxlen=_WINDOW)
        self._reported = False

    def camera_info(self, stamp: Time) -> None:
        """Take a camera_info into account."""
        if self._images and not self._reported:
            self._infos.append((stamp.sec, stamp.nanosec))

    def image(self, stamp: Time) -> float:
        """Take an image into account; return the share lost once if it needs a warning, else 0."""
        if self._reported:
            return 0.0
        self._images.append((stamp.sec, stamp.nanosec))
        if len(self._infos) < _WINDOW:
            return 0.0
        settled = list(self._infos)[:-_UNSETTLED]
        matched = len(set(settled).intersection(self._images))
        self._images.clear()
        self._images.append((stamp.sec, stamp.nanosec))
        self._infos.clear()
        lost = 1 - matched / len(settled)
        # With very few matches, this camera's stamps differ by design.
        self._reported = lost > _TOLERATED and matched > len(settled) // 10
        return lost if self._reported else 0.0
