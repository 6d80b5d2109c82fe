# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The poses of a robot's odometry, interpolated to the stamps of images."""

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.rigid import between, inverse, rigid, rotation_angle

_SECOND = 1_000_000_000  # ns
_KEPT = 3.0  # seconds
_CLOSEST = 0.002  # seconds; a pose that comes sooner after another one is ignored
_LARGEST_GAP = 0.5  # seconds between two poses that are interpolated
_AHEAD = 0.1  # seconds after the newest pose for which the motion is extrapolated
_BASIS = 0.02  # seconds of motion that are extrapolated from
_ANOTHER_CLOCK = 2.0  # seconds
# A jump is a motion that is both larger and faster than this.
_JUMP, _FASTEST = 0.1, 10.0  # metres; metres a second
_TURN, _FASTEST_TURN = math.radians(20), math.radians(1000)


class PoseError(MsdepthError):
    """No pose is known for an image; the message is the cause, in a few words."""


@dataclass(frozen=True)
class Pose:
    """A pose, and the number of jumps of the odometry before it.

    Attributes
    ----------
    matrix : float64 [4, 4], from the robot's frame to the odometry's, metres.
    jumps : poses with different numbers must not be compared.
    """

    matrix: np.ndarray
    jumps: int


class PoseHistory:
    """The poses of the last seconds, interpolated to any stamp.

    Not thread-safe.

    Attributes
    ----------
    jumps : how often the poses jumped or time went back; then earlier poses are forgotten.
    """

    def __init__(self) -> None:
        self._stamps: list[int] = []
        self._poses: list[np.ndarray] = []
        self._frames: tuple[str, ...] = ()
        self._refused = False
        self.jumps = 0

    @property
    def heard(self) -> bool:
        """Whether anything came, a pose or not."""
        return self._refused or bool(self._stamps)

    def __len__(self) -> int:
        return len(self._stamps)

    def hear(
        self,
        stamp: int,
        position: Sequence[float],
        quaternion: Sequence[float],
        frames: tuple[str, ...] = (),
    ) -> None:
        """Add an odometry as it came, at a stamp in ns.

        A position (x, y, z) and quaternion (x, y, z, w) that are no pose are not added; `at` says
        so. Poses between other frames, by their names, do not belong to the earlier ones: these
        are forgotten.
        """
        try:
            pose = rigid(position, quaternion)
        except ValueError:
            self._refused = True
            return
        self._refused = False
        if self._stamps and frames != self._frames:
            self._forget()
        self._frames = frames
        self.add(stamp, pose)

    def _forget(self) -> None:
        self._stamps.clear()
        self._poses.clear()
        self.jumps += 1

    def add(self, stamp: int, pose: np.ndarray) -> None:
        """Add a pose, float64 [4, 4], at a stamp in ns.

        A pose that is up to 3 s older than the newest came late and is ignored. If it is older,
        time went back, as when a recording starts again.
        """
        if self._stamps:
            elapsed = (stamp - self._stamps[-1]) / _SECOND
            if -_KEPT < elapsed < _CLOSEST:
                return
            if elapsed < 0 or _jumped(self._poses[-1], pose, elapsed):
                self._forget()
        self._stamps.append(stamp)
        self._poses.append(pose)
        old = bisect.bisect_left(self._stamps, stamp - round(_KEPT * _SECOND))
        del self._stamps[:old], self._poses[:old]

    def at(self, stamp: int) -> Pose:
        """Return the pose at a stamp in ns.

        Between two poses it is interpolated; for 0.1 s after the newest, it is extrapolated.

        Raises
        ------
        PoseError
            If it is not known; the message is the cause.
        """
        if not self._stamps:
            raise self._unknown('no odometry')
        after = bisect.bisect_left(self._stamps, stamp)
        if after < len(self._stamps) and self._stamps[after] == stamp:
            return Pose(self._poses[after], self.jumps)
        behind = (stamp - self._stamps[-1]) / _SECOND
        if abs(behind) > _ANOTHER_CLOCK and (behind > 0 or after == 0):
            raise self._unknown('odometry ended, or another clock')
        if after == 0:
            raise self._unknown('image older than the odometry')
        if after < len(self._stamps):
            first, second = after - 1, after
            if self._stamps[second] - self._stamps[first] > _LARGEST_GAP * _SECOND:
                raise self._unknown('odometry has a gap')
        else:
            if behind > _AHEAD:
                raise self._unknown('odometry late')
            second = len(self._stamps) - 1
            basis = self._stamps[second] - round(_BASIS * _SECOND)
            first = bisect.bisect_right(self._stamps, basis, hi=second) - 1
            if first < 0 or self._stamps[second] - self._stamps[first] > _LARGEST_GAP * _SECOND:
                raise self._unknown('odometry just begun')
        share = (stamp - self._stamps[first]) / (self._stamps[second] - self._stamps[first])
        return Pose(between(self._poses[first], self._poses[second], share), self.jumps)

    def _unknown(self, cause: str) -> PoseError:
        return PoseError('odometry is no pose' if self._refused else cause)


def _jumped(before: np.ndarray, now: np.ndarray, elapsed: float) -> bool:
    """Return whether a motion within `elapsed` seconds is too large for a robot."""
    motion = inverse(before) @ now
    way, turn = float(np.linalg.norm(motion[:3, 3])), rotation_angle(motion)
    return (way > _JUMP and way > _FASTEST * elapsed) or (
        turn > _TURN and turn > _FASTEST_TURN * elapsed
    )
