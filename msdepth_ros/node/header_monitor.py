# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Warnings about headers that RViz, TF and Nav2 cannot use."""

from collections.abc import Iterator

from std_msgs.msg import Header

from msdepth_ros.errors import quoted
from msdepth_ros.node.messages import nanoseconds

_DAY = 86_400 * 10**9  # nanoseconds; a larger difference means another clock
_START = 10**9  # nanoseconds from the start of a simulation, in which a stamp of 0 is right


def age(header: Header, now: int) -> float | None:
    """Return the seconds from a header's stamp to `now`, None if the stamp is of another clock.

    A stamp of 0 is no time. A stamp more than a day away is of another clock: one that counts from
    boot, or that of a recording.

    Parameters
    ----------
    now : time of the node's clock, nanoseconds.
    """
    stamp = nanoseconds(header.stamp)
    return None if not stamp or abs(now - stamp) > _DAY else (now - stamp) * 1e-9


class HeaderMonitor:
    """Finds headers of images that RViz, TF and Nav2 cannot use; reports each kind once."""

    def __init__(self) -> None:
        self._reported: set[str] = set()
        self._frame_id: str | None = None

    def remarks(self, header: Header, now: int) -> list[str]:
        """Return warnings about a header, without those of a kind returned before.

        Parameters
        ----------
        now : time of the node's clock, nanoseconds.
        """
        found = {**dict(self._of_stamp(header, now)), **dict(self._of_frame(header.frame_id))}
        new = [text for kind, text in found.items() if kind not in self._reported]
        self._reported.update(found)
        return new

    def _of_stamp(self, header: Header, now: int) -> Iterator[tuple[str, str]]:
        stamp = nanoseconds(header.stamp)
        if not stamp:
            if now > _START:
                yield (
                    'zero',
                    'the images have a stamp of 0, and so has their depth: TF, RViz and Nav2 use '
                    'the newest transform for it, which is wrong while the robot moves, and nodes '
                    'that pair messages by time fail; let the driver stamp its images',
                )
        elif age(header, now) is None:
            yield (
                'clock',
                f'the stamps of the images are {abs(now - stamp) / _DAY:.0f} days '
                f"{'behind' if now > stamp else 'ahead of'} this node's clock: TF has no transform "
                'for them, so RViz and Nav2 drop the depth; let the driver use the system clock, '
                'or play a recording with --clock and set use_sim_time',
            )

    def _of_frame(self, frame_id: str) -> Iterator[tuple[str, str]]:
        if self._frame_id not in (None, frame_id):
            yield (
                'changes',
                f'the frame_id of the images changes, from {quoted(str(self._frame_id))} to '
                f'{quoted(frame_id)}: if these are two cameras, give them two topics and two nodes',
            )
        self._frame_id = frame_id
        if not frame_id:
            yield (
                'empty',
                'the images and their depth have an empty frame_id, which TF does not know, so '
                "RViz and Nav2 drop them; set the driver's frame_id, or the parameter "
                'optical_frame',
            )
        elif frame_id.startswith('/'):
            yield (
                'slash',
                f'the frame_id {quoted(frame_id)} of the images begins with a slash, which TF2 '
                'rejects: RViz and Nav2 drop the depth; remove the slash from the frame_id of the '
                'driver, or set the parameter optical_frame',
            )
