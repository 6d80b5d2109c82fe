# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A recording's images, each with the calibration that was valid when it was taken."""

import bisect
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from msdepth_ros.calibration import log_doubts
from msdepth_ros.datasets.bag_reader import BagReader, Recorded, header_stamp
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.images.message_fields import camera_fields

_WAIT = 5  # images that are read on while an image's own camera_info may still come
_REMEMBERED = 100  # calibrations
_LOOKED_AT = 50  # images whose times are looked at
_LONG_AGO = 631_152_000 * 10**9  # ns, 1990: a clock that shows less was not set


@dataclass(frozen=True)
class CameraImage:
    """An image of a recording.

    Attributes
    ----------
    recorded : the message, serialised.
    stamp : its header's, ns.
    camera : its calibration, None where the recording has none.
    """

    recorded: Recorded
    stamp: int
    camera: Camera | None


def camera_images(
    bag: BagReader, image_topic: str, info_topic: str | None, given: Camera | None
) -> Iterator[CameraImage]:
    """Yield a recording's images in its order.

    An image goes with the camera_info of its own stamp, which may be recorded after it; without
    one with the last before it, and before the first with the first (drivers may publish it once).

    Parameters
    ----------
    given : calibration of all images, instead of the recording's.
    """
    if given is not None or info_topic is None:
        for recorded in bag.messages([image_topic]):
            yield CameraImage(recorded, header_stamp(bag.message(recorded), 0), given)
        return
    cameras = _Cameras(bag, info_topic)
    waiting: deque[tuple[Recorded, int]] = deque()
    for recorded in bag.messages([image_topic, info_topic]):
        if recorded.topic == info_topic:
            cameras.add(recorded)
        else:
            waiting.append((recorded, header_stamp(bag.message(recorded), 0)))
        while waiting and (len(waiting) > _WAIT or cameras.have(waiting[0][1])):
            image, stamp = waiting.popleft()
            yield CameraImage(image, stamp, cameras.of(stamp))
    for image, stamp in waiting:
        yield CameraImage(image, stamp, cameras.of(stamp))


class _Cameras:
    """The calibrations that were read last."""

    def __init__(self, bag: BagReader, topic: str) -> None:
        self._bag = bag
        self._stamps: list[int] = []
        self._cameras: list[Camera] = []
        self._first = next((self._read(each)[1] for each in bag.messages([topic])), None)
        if self._first is not None:
            log_doubts(self._first, topic)

    def add(self, recorded: Recorded) -> None:
        stamp, camera = self._read(recorded)
        place = bisect.bisect_right(self._stamps, stamp)
        self._stamps.insert(place, stamp)
        self._cameras.insert(place, camera)
        if len(self._stamps) > _REMEMBERED:
            del self._stamps[0], self._cameras[0]

    def have(self, stamp: int) -> bool:
        """Return whether one of this very stamp, or a later one, was read."""
        return bool(self._stamps) and self._stamps[-1] >= stamp

    def of(self, stamp: int) -> Camera | None:
        place = bisect.bisect_right(self._stamps, stamp)
        return self._cameras[place - 1] if place else self._first

    def _read(self, recorded: Recorded) -> tuple[int, Camera]:
        message = self._bag.message(recorded)
        return header_stamp(message, recorded.received), camera_fields(message)


def received_is_nonsense(bag: BagReader, image_topic: str) -> bool:
    """Return whether the times of reception cannot be: a clock that was not set, or went back.

    They can not where the headers' stamps are later than 1990 and they are not, and where they do
    not go up with the headers' stamps.
    """
    times = []
    for recorded in bag.messages([image_topic]):
        times.append((recorded.received, header_stamp(bag.message(recorded), 0)))
        if len(times) >= _LOOKED_AT:
            break
    received, stamps = np.array(times, np.float64).T
    if not stamps.all():
        return False  # the headers are no better
    if received.min() < _LONG_AGO <= stamps.min():
        return True
    if len(times) < 3 or np.ptp(stamps) == 0:
        return False
    return bool(np.ptp(received) == 0 or np.corrcoef(received, stamps)[0, 1] < 0.5)
