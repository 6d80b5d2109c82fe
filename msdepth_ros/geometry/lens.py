# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Lens models: their names in other tools, and which one a list of coefficients describes."""

import re

from msdepth_ros.errors import CalibrationError, quoted

PLUMB_BOB, RATIONAL, EQUIDISTANT = 'plumb_bob', 'rational_polynomial', 'equidistant'
# Number of distortion coefficients that OpenCV takes, for each of ROS's model names.
COEFFICIENTS = {PLUMB_BOB: (4, 5), RATIONAL: (8, 12, 14), EQUIDISTANT: (4,)}
_LARGEST_COEFFICIENT = 1e6
# The names of the same models in Kalibr, OpenCV, COLMAP, RealSense, ORB-SLAM3, Basalt, VINS and
# EuRoC: in lower case, with _ between words.
_NAMES = {
    PLUMB_BOB: (
        '', 'none', 'no_distortion', 'pinhole', 'perspective', 'rectified', 'radtan',
        'radial_tangential', 'radialtangential', 'pinhole_radtan', 'plumbbob', 'brown',
        'brown_conrady', 'modified_brown_conrady', 'opencv', 'simple_radial', 'radial', 'standard',
    ),
    RATIONAL: (
        'rational', 'radtan8', 'pinhole_radtan8', 'full_opencv', 'thin_prism', 'tilted',
        'opencv_rational', 'rational_polynomial_model',
    ),
    EQUIDISTANT: (
        'fisheye', 'equi', 'pinhole_equi', 'pinhole_equidistant', 'kannala_brandt',
        'kannala_brandt4', 'kannala_brandt8', 'kannalabrandt', 'kannalabrandt4', 'kannalabrandt8',
        'kb4', 'opencv_fisheye', 'pinhole_fisheye',
    ),
}  # fmt: skip
_ROS_NAME = {name: model for model, names in _NAMES.items() for name in (model, *names)}


def ros_lens(model: str, d: tuple[float, ...]) -> tuple[str, tuple[float, ...]]:
    """Return ROS's name for a lens model, and as many coefficients as OpenCV takes.

    Zeros at the end are dropped or added. A `plumb_bob` whose sixth or a later coefficient is not
    zero is a `rational_polynomial`, as OpenCV would read it (k1, k2, p1, p2, k3, k4, k5, k6, s1 to
    s4, tx, ty).

    Parameters
    ----------
    model : the name of the lens model, ROS's or another tool's.
    d : distortion coefficients.

    Returns
    -------
    (model, d); both unchanged if no ROS model has them: then `check_lens` raises.
    """
    name = _ROS_NAME.get(re.sub(r'[^a-z0-9]+', '_', model.strip().lower()).strip('_'))
    if name is None:
        return model, d
    if not any(d) or len(d) in COEFFICIENTS[name]:
        return name, d
    used = len(d)  # coefficients before the zeros at the end
    while d[used - 1] == 0.0:
        used -= 1
    if name == PLUMB_BOB and used > 5:
        name = RATIONAL
    # k1 and k2 come first in every convention, but three coefficients are ambiguous: the third is
    # k3 in some tools and p1 in others.
    if name == PLUMB_BOB and used == 3:
        return name, d
    for count in COEFFICIENTS[name]:
        if used <= count:
            return name, (*d[:used], *(0.0,) * (count - used))
    return (name if name != RATIONAL else model), d


def check_lens(model: str, d: tuple[float, ...]) -> None:
    """Check a lens that `ros_lens` returned.

    Raises
    ------
    CalibrationError
        If OpenCV has no such model, or not with that many or so large coefficients.
    """
    counts = COEFFICIENTS.get(model)
    if counts is None:
        raise CalibrationError(
            f'distortion model {quoted(model)} is not known: use one of {", ".join(COEFFICIENTS)}'
        )
    if len(d) not in counts:
        raise CalibrationError(
            f'{model} has {" or ".join(map(str, counts))} coefficients, this calibration has '
            f'{len(d)}'
        )
    if max(map(abs, d)) > _LARGEST_COEFFICIENT:
        raise CalibrationError(
            f'no lens has a distortion coefficient of {max(d, key=abs):g}; calibrate again'
        )
