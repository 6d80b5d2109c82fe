# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The tape measure: depth.scale from distances that somebody measured by hand."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from msdepth_ros.errors import MsdepthError

FEWEST = 2  # measurements; what is left of one alone is always nothing
_LOWEST, _HIGHEST = 0.01, 100.0  # what the parameter depth.scale takes


@dataclass(frozen=True)
class Measurement:
    """One point whose distance from the camera is known.

    Attributes
    ----------
    measured : metres that the node answered.
    true : metres by tape measure, from the lens to the point.
    scale : the depth.scale that `measured` holds.
    """

    measured: float
    true: float
    scale: float = 1.0

    def __post_init__(self) -> None:
        for name in ('measured', 'true', 'scale'):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise MsdepthError(f'a {name} distance of {value:g} m is none: give metres above 0')


@dataclass(frozen=True)
class TapeFit:
    """The scale that fits the measurements best.

    Attributes
    ----------
    scale : the new depth.scale.
    errors : of each measurement under the new scale, relative: 0.02 reads 2 % too far.
    spread : root mean square of `errors`' logarithms.
    """

    scale: float
    errors: tuple[float, ...]
    spread: float


def fit_scale(measurements: Sequence[Measurement]) -> TapeFit:
    """Return the scale s that makes the mean of ln(s * measured / true) zero.

    It is exp of alpha(y, y*) in the scale-invariant error of Eigen, Puhrsch and Fergus (2014): the
    scale that leaves the smallest mean square of log errors.

    Raises
    ------
    MsdepthError
        If there are fewer than two measurements, or the scale is not one that depth.scale takes.
    """
    if len(measurements) < FEWEST:
        raise MsdepthError('measure at two points at least, at different distances')
    logs = [math.log(m.true * m.scale / m.measured) for m in measurements]
    alpha = sum(logs) / len(logs)
    scale = math.exp(alpha)
    if not _LOWEST <= scale <= _HIGHEST:
        raise MsdepthError(
            f'a scale of {scale:.3g} is outside of {_LOWEST:g} to {_HIGHEST:g}: are the distances '
            'in metres?'
        )
    left = [alpha - log for log in logs]
    spread = math.sqrt(sum(value * value for value in left) / len(left))
    return TapeFit(scale, tuple(math.exp(value) - 1 for value in left), spread)
