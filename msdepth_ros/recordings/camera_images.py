# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The images of a recording, each with its calibration."""

import bisect
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from msdepth_ros.calibration import log_doubts
from msdepth_ros.datasets.bag_reader import BagReader, Recorded, header_stamp
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.images.message_fields import camera_fields

_WAIT = 5  # images read ahead while an image's own camera_info may follow
_REMEMBERED = 100  # number of calibrations kept
_CHECKED = 50  # number of images whose times are checked
_LONG_AGO = 631_152_000 * 10**9  # ns, 1990: a clock before that was not set


@dataclass(frozen=True)
class CameraImage:
    """An image of a recording.

    Attributes
    ----------
    recorded : the serialised message.
    stamp : stamp of its header, ns.
    camera : its calibration; None if the recording has none.
    """

    recorded: Recorded
    stamp: int
    camera: Camera | None


def camera_images(
    bag: BagReader, image_topic: str, info_topic: str | None, given: Camera | None
) -> Iterator[CameraImage]:
    """Yield the images of a recording in recorded order.

    An image is paired with the camera_info of the same stamp, which may be recorded after it;
    otherwise with the last one before it, or with the first one (drivers may publish only one).

    Parameters
    ----------
    bag : the recording.
    image_topic, info_topic : topics of the images and of camera_info; None: no camera_info.
    given : calibration of all images, instead of the recorded ones.
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
    """The newest calibrations read."""

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
        """Return whether one with this stamp or a later one was read."""
        return bool(self._stamps) and self._stamps[-1] >= stamp

    def of(self, stamp: int) -> Camera | None:
        place = bisect.bisect_right(self._stamps, stamp)
        return self._cameras[place - 1] if place else self._first

    def _read(self, recorded: Recorded) -> tuple[int, Camera]:
        message = self._bag.message(recorded)
        return header_stamp(message, recorded.received), camera_fields(message)


def reception_is_implausible(bag: BagReader, image_topic: str) -> bool:
    """Return whether the times of reception are wrong, because a clock was not set or jumped.

    They are if they are before 1990 and the headers' stamps are not, or if they do not increase
    with the headers' stamps.
    """
    times = []
    for recorded in bag.messages([image_topic]):
        times.append((recorded.received, header_stamp(bag.message(recorded), 0)))
        if len(times) >= _CHECKED:
            break
    received, stamps = np.array(times, np.float64).T
    if not stamps.all():
        return False  # the headers are not better
    if received.min() < _LONG_AGO <= stamps.min():
        return True
    if len(times) < 3 or np.ptp(stamps) == 0:
        return False
    return bool(np.ptp(received) == 0 or np.corrcoef(received, stamps)[0, 1] < 0.5)
