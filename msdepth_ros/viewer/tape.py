# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The tape measure: depth.scale from distances measured by hand."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from msdepth_ros.errors import MsdepthError

FEWEST = 2  # measurements; with one alone the remaining error is always 0
_LOWEST, _HIGHEST = 0.01, 100.0  # limits of the parameter depth.scale


@dataclass(frozen=True)
class Measurement:
    """One point whose distance from the camera is known.

    Attributes
    ----------
    measured : distance by the node's depth, metres.
    true : distance by tape measure, from the lens to the point, metres.
    scale : the depth.scale with which `measured` was computed.
    """

    measured: float
    true: float
    scale: float = 1.0

    def __post_init__(self) -> None:
        for name in ('measured', 'true', 'scale'):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise MsdepthError(f'the {name} distance is {value:g} m: it must be above 0')


@dataclass(frozen=True)
class TapeFit:
    """The scale that fits the measurements best.

    Attributes
    ----------
    scale : the new depth.scale.
    errors : relative error of each measurement with the new scale: 0.02 = 2 % too far.
    spread : root mean square of the logarithmic errors.
    """

    scale: float
    errors: tuple[float, ...]
    spread: float


def fit_scale(measurements: Sequence[Measurement]) -> TapeFit:
    """Return the scale s that makes the mean of ln(s * measured / true) zero.

    It minimises the mean square of the log errors: s = exp(alpha(y, y*)) of the scale-invariant
    error of Eigen, Puhrsch and Fergus (2014).

    Raises
    ------
    MsdepthError
        If there are fewer than two measurements, or the scale is outside the limits.
    """
    if len(measurements) < FEWEST:
        raise MsdepthError('measure at least two points, at different distances')
    logs = [math.log(m.true * m.scale / m.measured) for m in measurements]
    alpha = sum(logs) / len(logs)
    scale = math.exp(alpha)
    if not _LOWEST <= scale <= _HIGHEST:
        raise MsdepthError(
            f'the scale {scale:.3g} is outside {_LOWEST:g} to {_HIGHEST:g}: are the distances in '
            'metres?'
        )
    left = [alpha - log for log in logs]
    spread = math.sqrt(sum(value * value for value in left) / len(left))
    return TapeFit(scale, tuple(math.exp(value) - 1 for value in left), spread)
