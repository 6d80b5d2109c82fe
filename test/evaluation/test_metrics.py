# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The error table against numbers worked out by hand."""

import dataclasses

import numpy as np
import pytest

from msdepth_ros.errors import MsdepthError
from msdepth_ros.evaluation.metrics import (
    EIGEN_CROP,
    ErrorSums,
    mean_log_depth,
    mean_log_ratio,
    median_scaled,
    steadiness,
)

TRUTH = np.array([[1.0, 2.0], [4.0, 5.0]])
DEPTH = np.array([[1.2, 2.0], [2.0, 10.0]])


def table(*pairs):
    sums = ErrorSums()
    for depth, truth in pairs:
        sums.add(depth, truth)
    return sums


def test_errors_of_one_image_are_those_computed_by_hand():
    errors = table((DEPTH, TRUTH)).pooled()
    logs = np.log([1.2, 1.0, 0.5, 2.0])
    assert errors.abs_rel == pytest.approx((0.2 + 0 + 0.5 + 1.0) / 4)
    assert errors.sq_rel == pytest.approx((0.04 + 0 + 1.0 + 5.0) / 4)
    assert errors.rmse == pytest.approx(np.sqrt((0.04 + 4 + 25) / 4))
    assert errors.rmse_log == pytest.approx(np.sqrt(np.mean(logs**2)))
    assert errors.scale_invariant == pytest.approx(np.std(logs))
    assert (errors.delta1, errors.delta2, errors.delta3) == (0.5, 0.5, 0.5)


def test_thresholds():
    depth = np.array([[1.2, 1.5, 1.9, 1.96]])
    errors = table((depth, np.ones((1, 4)))).pooled()
    assert (errors.delta1, errors.delta2, errors.delta3) == (0.25, 0.5, 0.75)
    inverse = table((np.ones((1, 4)), depth)).pooled()
    assert (inverse.delta1, inverse.delta2, inverse.delta3) == (0.25, 0.5, 0.75)


def test_pooling_weighs_pixels_and_per_image_weighs_images():
    large = (np.full((3, 3), 2.0), np.ones((3, 3)))
    small = (np.ones((1, 1)), np.ones((1, 1)))
    sums = table(large, small)
    assert sums.pooled().rmse == pytest.approx(np.sqrt(0.9))
    assert sums.per_image().rmse == pytest.approx(0.5)
    assert sums.pooled().delta1 == pytest.approx(0.1)
    assert sums.per_image().delta1 == pytest.approx(0.5)
    assert sums.per_image().rmse_log == pytest.approx(np.log(2) / 2)


def test_pooled_is_the_table_of_one_large_image():
    rng = np.random.default_rng(0)
    depth, truth = rng.uniform(0.5, 9, (2, 6, 4, 5))
    pooled = table(*zip(depth, truth, strict=True)).pooled()
    whole = table((depth.reshape(24, 5), truth.reshape(24, 5))).pooled()
    for name, value in dataclasses.asdict(whole).items():
        if name != 'scale_invariant':  # an image's own
            assert getattr(pooled, name) == pytest.approx(value)


@pytest.mark.parametrize('bad', [np.nan, np.inf, 0.0, -1.0])
@pytest.mark.parametrize('side', ['depth', 'truth'])
def test_invalid_pixels_do_not_count(bad, side):
    depth, truth = np.hstack([DEPTH, DEPTH]), np.hstack([TRUTH, TRUTH])
    (depth if side == 'depth' else truth)[:, 2:] = bad
    assert table((depth, truth)).pooled() == table((DEPTH, TRUTH)).pooled()


def test_image_without_valid_pixels_is_passed_over():
    nothing = np.full((2, 2), np.nan)
    both = table((DEPTH, TRUTH), (nothing, TRUTH), (DEPTH, nothing))
    assert both.per_image() == table((DEPTH, TRUTH)).per_image()
    with pytest.raises(MsdepthError, match='no pixel has both'):
        table((nothing, TRUTH)).pooled()


def test_median_scaling_removes_an_error_of_scale_only():
    rng = np.random.default_rng(0)
    truth = rng.uniform(1, 9, (8, 8))
    depth = truth * rng.uniform(0.8, 1.2, (8, 8))
    scaled = table((median_scaled(3 * depth, truth), truth)).pooled()
    plain = table((median_scaled(depth, truth), truth)).pooled()
    for name, value in dataclasses.asdict(plain).items():
        assert getattr(scaled, name) == pytest.approx(value)
    assert table((median_scaled(3 * truth, truth), truth)).pooled().rmse == pytest.approx(0)
    assert table((3 * depth, truth)).pooled().delta1 == 0


def test_eigen_crop_is_the_published_one():
    rows, columns = np.zeros((480, 640)), np.zeros((480, 640))
    rows[EIGEN_CROP] = 1
    assert np.flatnonzero(rows.any(axis=1))[[0, -1]].tolist() == [45, 470]
    columns[EIGEN_CROP] = 1
    assert np.flatnonzero(columns.any(axis=0))[[0, -1]].tolist() == [41, 600]


def test_mean_map_ignores_invalid_cells():
    maps = [
        (np.array([[1.0, 7.0, 9.0]]), np.array([[True, False, False]])),
        (np.array([[3.0, 5.0, 9.0]]), np.array([[True, True, False]])),
    ]
    assert mean_log_depth(maps).tolist() == [[2.0, 5.0, 3.0]]
    with pytest.raises(MsdepthError, match='no cell of any map'):
        mean_log_depth([(np.zeros((1, 2)), np.zeros((1, 2), bool))])


def test_steadiness_is_the_change_of_the_scale_from_frame_to_frame():
    truth = np.random.default_rng(0).uniform(1, 4, (6, 8)).astype(np.float32)
    truth[0] = np.nan
    steady = [mean_log_ratio(1.3 * depth, depth) for depth in (truth, 2 * truth, truth)]
    assert steadiness(steady) == pytest.approx(0, abs=1e-6)  # wrong, but always as much
    jumping = [mean_log_ratio(factor * truth, truth) for factor in (1.0, 1.1, 1.0, 1.1)]
    assert steadiness(jumping) == pytest.approx(np.log(1.1), abs=1e-6)
    gap = [jumping[0], mean_log_ratio(np.full_like(truth, np.nan), truth), *jumping[:2]]
    assert steadiness(gap) == pytest.approx(np.log(1.1), abs=1e-6)
    assert steadiness([0.1]) is None
