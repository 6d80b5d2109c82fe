# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Watches what arrives on the input topics: stamps, losses, and who publishes."""

from collections import deque

from builtin_interfaces.msg import Time

from msdepth_ros.node.statistics import FrameStatus

_WINDOW = 100  # camera_info messages that a loss is measured over
_UNSETTLED = 5  # newest of them, whose images may still be under way
_TOLERATED = 0.05  # share of images lost that is not worth a warning


class StampMonitor:
    """Decides by its stamp whether an image is worth processing."""

    def __init__(self) -> None:
        self._last = 0

    def refusal(self, stamp: int, now: int, max_age: float, simulated: bool) -> str | None:
        """Return why an image must be dropped, None if it need not.

        Parameters
        ----------
        stamp, now : the image's stamp (0 = none) and the node's clock, nanoseconds.
        max_age : seconds, 0 = any.
        simulated : whether the node runs on simulated time, which may be reset to an earlier one.
        """
        if not stamp:  # says nothing
            return None
        backwards = stamp < self._last and not simulated
        self._last = stamp
        if backwards:
            return FrameStatus.BACKWARDS
        if max_age > 0 and now - stamp > max_age * 1e9:
            return FrameStatus.STALE
        return None


class GapMonitor:
    """Finds images lost on the way, by the camera_info messages whose images never came.

    A camera publishes both with the same stamp; camera_info is small and rarely lost.
    """

    def __init__(self) -> None:
        # Bounded, for a camera may send only one of the two.
        self._images: deque[tuple[int, int]] = deque(maxlen=2 * _WINDOW)
        self._infos: deque[tuple[int, int]] = deque(maxlen=_WINDOW)
        self._told = False

    def camera_info(self, stamp: Time) -> None:
        """Note a camera_info."""
        if self._images and not self._told:
            self._infos.append((stamp.sec, stamp.nanosec))

    def image(self, stamp: Time) -> float:
        """Note an image; return the share lost, once, when it is worth a warning, else 0."""
        if self._told:
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
        # Few matches: the stamps of the two are not the same by design.
        self._told = lost > _TOLERATED and matched > len(settled) // 10
        return lost if self._told else 0.0
