# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Lens models: their names in other tools, and which one a list of coefficients describes."""

import re

from msdepth_ros.errors import CalibrationError, quoted

PLUMB_BOB, RATIONAL, EQUIDISTANT = 'plumb_bob', 'rational_polynomial', 'equidistant'
# Number of distortion coefficients that OpenCV takes, for each of ROS's model names.
COEFFICIENTS = {PLUMB_BOB: (4, 5), RATIONAL: (8, 12, 14), EQUIDISTANT: (4,)}
_LARGEST_COEFFICIENT = 1e6
# The same models in Kalibr, OpenCV, COLMAP, RealSense, ORB-SLAM3, Basalt, VINS and EuRoC; without
# case, and with _ for every other mark between words.
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
    """Return a lens under ROS's name, with as many coefficients as OpenCV takes.

    What the coefficients say counts, not how many there are: zeros at the end are dropped or added,
    and a `plumb_bob` with more than five that are not zero is the `rational_polynomial` that OpenCV
    would read there (k1, k2, p1, p2, k3, k4, k5, k6, s1 to s4, tx, ty).

    Parameters
    ----------
    model : the name of the lens model, ROS's or another tool's.
    d : distortion coefficients.

    Returns
    -------
    (model, d); both as given where no model of ROS has them, see `check_lens`.
    """
    name = _ROS_NAME.get(re.sub(r'[^a-z0-9]+', '_', model.strip().lower()).strip('_'))
    if name is None:
        return model, d
    if not any(d) or len(d) in COEFFICIENTS[name]:
        return name, d
    said = len(d)
    while d[said - 1] == 0.0:
        said -= 1
    if name == PLUMB_BOB and said > 5:
        name = RATIONAL
    # k1 and k2 come first in every convention; a third one alone is k3 for some, p1 for others
    if name == PLUMB_BOB and said == 3:
        return name, d
    for count in COEFFICIENTS[name]:
        if said <= count:
            return name, (*d[:said], *(0.0,) * (count - said))
    return (name if name != RATIONAL else model), d


def check_lens(model: str, d: tuple[float, ...]) -> None:
    """Raise CalibrationError unless OpenCV has this lens, as `ros_lens` returns it."""
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
        raise CalibrationError(f'a distortion coefficient of {max(d, key=abs):g} cannot be one')
