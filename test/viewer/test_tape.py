# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""depth.scale from tape measurements."""

import math

import pytest

from msdepth_ros.errors import MsdepthError
from msdepth_ros.viewer.tape import Measurement, fit_scale


def test_exact_measurements_give_the_factor_and_nothing_is_left():
    fit = fit_scale([Measurement(true / 1.25, true) for true in (0.8, 2.0, 4.5)])
    assert fit.scale == pytest.approx(1.25)
    assert fit.errors == pytest.approx((0, 0, 0), abs=1e-12)
    assert fit.spread == pytest.approx(0, abs=1e-12)


def test_what_is_left_is_each_ones_error_under_the_new_scale():
    """The scale is the geometric mean of the factors 1.1 and 1.3."""
    fit = fit_scale([Measurement(2.0, 2.2), Measurement(3.0, 3.9)])
    assert fit.scale == pytest.approx(math.sqrt(1.1 * 1.3))
    assert fit.errors[0] == pytest.approx(2.0 * fit.scale / 2.2 - 1)
    assert fit.errors[1] == pytest.approx(3.0 * fit.scale / 3.9 - 1)
    assert fit.errors[0] > 0 > fit.errors[1]


def test_no_other_scale_leaves_less():
    measurements = [Measurement(2.0, 2.2), Measurement(3.0, 3.9), Measurement(1.0, 0.9)]
    fit = fit_scale(measurements)

    def left(scale):
        return sum(math.log(scale * m.measured / m.true) ** 2 for m in measurements)

    assert left(fit.scale) < min(left(1.01 * fit.scale), left(0.99 * fit.scale))
    assert fit.spread == pytest.approx(math.sqrt(left(fit.scale) / 3))


def test_measurements_under_another_scale_count_as_if_under_one():
    """The second one was clicked after depth.scale had become 2."""
    fit = fit_scale([Measurement(1.0, 1.5), Measurement(4.0, 3.0, scale=2.0)])
    assert fit.scale == pytest.approx(1.5)


def test_one_measurement_is_too_few():
    with pytest.raises(MsdepthError, match='two points'):
        fit_scale([Measurement(1.0, 1.5)])


def test_a_scale_that_the_parameter_does_not_take_asks_for_the_unit():
    with pytest.raises(MsdepthError, match='metres'):
        fit_scale([Measurement(1.0, 150.0), Measurement(2.0, 300.0)])


@pytest.mark.parametrize('bad', [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize('name', ['measured', 'true', 'scale'])
def test_distances_that_are_none_are_refused(name, bad):
    with pytest.raises(MsdepthError, match='above 0'):
        Measurement(**{'measured': 1.0, 'true': 1.0, name: bad})
