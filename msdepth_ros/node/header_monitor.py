# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Headers that consumers of depth cannot use: told once, with what they will make of them."""

from collections.abc import Iterator

from std_msgs.msg import Header

from msdepth_ros.errors import quoted
from msdepth_ros.node.messages import nanoseconds

_DAY = 86_400 * 10**9  # nanoseconds between stamp and clock that no delay explains
_START = 10**9  # nanoseconds of a simulation in which a stamp of 0 is right


def age(header: Header, now: int) -> float | None:
    """Return the seconds from a header's stamp to a clock, None where the stamp is not of it.

    A stamp of 0 says nothing, and one that is more than a day away is of another clock: one that
    counts from boot, or a recording's.

    Parameters
    ----------
    now : of the node's clock, nanoseconds.
    """
    stamp = nanoseconds(header.stamp)
    return None if not stamp or abs(now - stamp) > _DAY else (now - stamp) * 1e-9


class HeaderMonitor:
    """Finds, once of each kind, what RViz, TF and Nav2 cannot do with the headers of images."""

    def __init__(self) -> None:
        self._told: set[str] = set()
        self._frame_id: str | None = None

    def remarks(self, header: Header, now: int) -> list[str]:
        """Return what is amiss with a header, as far as it was not told before.

        Parameters
        ----------
        now : of the node's clock, nanoseconds.
        """
        found = {**dict(self._of_stamp(header, now)), **dict(self._of_frame(header.frame_id))}
        new = [text for kind, text in found.items() if kind not in self._told]
        self._told.update(found)
        return new

    def _of_stamp(self, header: Header, now: int) -> Iterator[tuple[str, str]]:
        stamp = nanoseconds(header.stamp)
        if not stamp:
            if now > _START:
                yield (
                    'zero',
                    'the images have a stamp of 0, and so has their depth: TF, RViz and Nav2 take '
                    'the newest transform for it, which is wrong while the robot moves, and what '
                    'pairs messages by time fails; have the driver stamp its images',
                )
        elif age(header, now) is None:
            yield (
                'clock',
                f'the stamps of the images are {abs(now - stamp) / _DAY:.0f} days '
                f"{'behind' if now > stamp else 'ahead of'} this node's clock: TF has no transform "
                'for them, so RViz and Nav2 drop the depth; have the driver take the system clock, '
                'or, for a recording, play it with --clock and set use_sim_time',
            )

    def _of_frame(self, frame_id: str) -> Iterator[tuple[str, str]]:
        if self._frame_id not in (None, frame_id):
            yield (
                'changes',
                f'the frame_id of the images changes, from {quoted(str(self._frame_id))} to '
                f'{quoted(frame_id)}: RViz, TF and Nav2 place each depth where its frame is; two '
                'cameras need two topics and two nodes',
            )
        self._frame_id = frame_id
        if not frame_id:
            yield (
                'empty',
                'the images have no frame_id, and so has their depth: TF knows no such frame, so '
                "RViz and Nav2 drop it; set the driver's frame_id, or the parameter optical_frame",
            )
        elif frame_id.startswith('/'):
            yield (
                'slash',
                f'the frame_id {quoted(frame_id)} of the images begins with a slash, which TF2 '
                'refuses: RViz and Nav2 drop the depth; take the slash off the frame_id of the '
                'driver, or set the parameter optical_frame',
            )
