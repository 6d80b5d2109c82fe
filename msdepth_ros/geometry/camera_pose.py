# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The pose of a camera on a robot: 'x y z roll pitch yaw', and as quaternions for TF.

Frames follow REP-103: a body has x forward, y left, z up; its optical frame has z forward,
x right, y down.
"""

import math
from dataclasses import dataclass

from msdepth_ros.errors import MsdepthError

Quaternion = tuple[float, float, float, float]  # x, y, z, w

# From the camera's body to its optical frame: roll -90 degrees, then yaw -90 degrees.
BODY_TO_OPTICAL: Quaternion = (-0.5, 0.5, -0.5, 0.5)
OPTICAL_TO_BODY: Quaternion = (0.5, -0.5, 0.5, 0.5)


@dataclass(frozen=True)
class CameraPose:
    """The pose of a camera's body in the robot's frame: metres, and radians (REP-103)."""

    x: float
    y: float
    z: float
    roll: float
    pitch: float
    yaw: float

    @classmethod
    def parse(cls, text: str, name: str = 'camera_pose') -> 'CameraPose':
        """Read 'x y z roll pitch yaw', separated by spaces or commas.

        Parameters
        ----------
        text : the numbers.
        name : of the parameter or argument, for the error.

        Raises
        ------
        MsdepthError
            If the text is not six finite numbers.
        """
        try:
            numbers = [float(word) for word in text.replace(',', ' ').split()]
        except ValueError:
            numbers = []
        if len(numbers) != 6 or not all(math.isfinite(number) for number in numbers):
            raise MsdepthError(
                f"{name} '{text}' is not a pose: give six numbers, 'x y z roll pitch yaw', in "
                "metres and radians, such as '0.2 0 0.5 0 0.1 0'"
            )
        return cls(*numbers)

    def body_rotation(self) -> Quaternion:
        """Return the rotation from the body to the robot's frame: Rz(yaw) Ry(pitch) Rx(roll)."""
        cr, sr = math.cos(self.roll / 2), math.sin(self.roll / 2)
        cp, sp = math.cos(self.pitch / 2), math.sin(self.pitch / 2)
        cy, sy = math.cos(self.yaw / 2), math.sin(self.yaw / 2)
        return (
            sr * cp * cy - cr * sp * sy,
            cr * sp * cy + sr * cp * sy,
            cr * cp * sy - sr * sp * cy,
            cr * cp * cy + sr * sp * sy,
        )

    def optical_rotation(self) -> Quaternion:
        """Return the rotation from the camera's optical frame to the robot's frame."""
        return _product(self.body_rotation(), BODY_TO_OPTICAL)


def _product(a: Quaternion, b: Quaternion) -> Quaternion:
    ax, ay, az, aw = a
    bx, by, bz, bw = b
    return (
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
        aw * bw - ax * bx - ay * by - az * bz,
    )
