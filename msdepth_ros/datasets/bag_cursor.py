# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Single messages of a recording, read in one pass if they are asked for in order."""

from collections import OrderedDict
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from msdepth_ros.datasets.bag_reader import BagReader, Recorded, header_stamp
from msdepth_ros.datasets.base import DatasetError

_REMEMBERED = 16  # skipped messages that are kept: a depth image may be recorded before its image
_NEAR = 1_000_000_000  # ns; a message farther ahead is searched by its time


@dataclass(frozen=True)
class Place:
    """Identifies a message: its topic, its header's stamp in ns, and when it was received, ns."""

    topic: str
    stamp: int
    received: int


class BagCursor:
    """Reads single messages of some topics by their places."""

    def __init__(self, bag: BagReader, topics: Collection[str]) -> None:
        self._bag = bag
        self._topics = topics
        self._messages: Iterator[Recorded] = iter(())
        self._at: int | None = None
        self._passed: OrderedDict[Place, Recorded] = OrderedDict()

    def read(self, place: Place) -> Recorded:
        """Return the message at a place.

        Raises
        ------
        DatasetError
            If it is no longer there, or the recording is damaged.
        """
        known = self._passed.pop(place, None)
        if known is not None:
            return known
        ahead = self._at is not None and 0 <= place.received - self._at <= _NEAR
        found = self._advance(place) if ahead else None
        if found is None:
            self._messages = self._bag.messages(self._topics, place.received)
            found = self._advance(place)
        if found is None:
            raise DatasetError(f'{self._bag.path} has changed since it was opened')
        return found

    def _advance(self, place: Place) -> Recorded | None:
        """Read on to a place; None if the recording ends before it."""
        for recorded in self._messages:
            self._at = recorded.received
            here = place_of(self._bag, recorded)
            if here == place:
                return recorded
            self._passed[here] = recorded
            if len(self._passed) > _REMEMBERED:
                self._passed.popitem(last=False)
        return None


def place_of(bag: BagReader, recorded: Recorded) -> Place:
    """Return the place of a message."""
    stamp = header_stamp(bag.message(recorded), recorded.received)
    return Place(recorded.topic, stamp, recorded.received)
