# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Depth aligned with measurements, whatever is measured, and however wrong a third of it is."""

import itertools

import numpy as np
import pytest
from how_many import examples
from hypothesis import given
from hypothesis import strategies as st

from msdepth_ros.geometry.pinhole import Grid
from msdepth_ros.metric.alignment import Alignment, Scale
from msdepth_ros.metric.median import median
from msdepth_ros.metric.prior import Prior
from msdepth_ros.metric.sparse_depth import SparseDepth

HEIGHT, WIDTH = 48, 64
CELLS = Grid(WIDTH, HEIGHT, (4.5, 4.5), (10.0, 10.0))
X, Y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
NOISE = 0.02
seeds = st.integers(0, 2**32 - 1)


def scene(rng, wavy=0.1):
    """Return a true log depth, and a prediction that is off by a scale and by waves, float32."""
    truth = 0.5 + 0.01 * Y + np.where(X > 40, 0.6, 0.0)
    waves = sum(
        rng.normal(0, wavy) * np.sin(X / rng.uniform(8, 20) + Y / rng.uniform(8, 20))
        for _ in range(2)
    )
    return truth.astype(np.float32), (truth + rng.normal(0, 0.4) + waves).astype(np.float32)


def measured(truth, count, rng, noise=NOISE, sigma=NOISE, source='points'):
    """Return measurements at random cells."""
    place = rng.choice(truth.size, count, replace=count > truth.size)
    rows, columns = np.divmod(place, WIDTH)
    depth = np.exp(truth.ravel()[place] + rng.normal(0, noise, count))
    u = CELLS.origin[0] + CELLS.step[0] * columns
    v = CELLS.origin[1] + CELLS.step[1] * rows
    return SparseDepth(u, v, depth, sigma, source)


def changed(sparse, depth):
    return SparseDepth(sparse.u, sparse.v, depth, sparse.sigma, sparse.source)


def error(log_depth, truth):
    return float(np.abs(log_depth - truth).mean())


@pytest.mark.parametrize('sparse', [[], [SparseDepth([], [], [], [], 'scan')]])
def test_without_measurements_the_depth_is_unchanged_bit_by_bit(sparse):
    _, prediction = scene(np.random.default_rng(0))
    before = prediction.copy()
    log_depth, std = Alignment(Prior(sg=0.3, sl=0.4)).align(prediction, CELLS, sparse)
    assert log_depth.tobytes() == before.tobytes()
    assert std == pytest.approx(np.full_like(std, 0.5), rel=0.01)


@pytest.mark.parametrize(
    ('u', 'v', 'depth'),
    [
        ([np.nan, 100], [100, np.inf], [1, 1]),
        ([100, 100, 100, 100], [100] * 4, [np.nan, np.inf, -1.0, 0.0]),
        ([-200, 9000], [100, 100], [1, 1]),  # beside the image
    ],
)
def test_what_is_no_measurement_in_the_image_changes_nothing(u, v, depth):
    _, prediction = scene(np.random.default_rng(0))
    log_depth, _ = Alignment().align(prediction, CELLS, [SparseDepth(u, v, depth, 0.02, 'x')])
    assert log_depth.tobytes() == prediction.tobytes()


@examples(40)
@given(seeds, st.sampled_from([1, 2, 5, 20, 100, 101, 300, 3000]))
def test_all_is_finite_and_the_measured_cells_become_right(seed, count):
    rng = np.random.default_rng(seed)
    truth, prediction = scene(rng)
    sparse = measured(truth, count, rng)
    log_depth, std = Alignment().align(prediction, CELLS, [sparse])
    assert log_depth.dtype == std.dtype == np.float32
    assert np.isfinite(log_depth).all()
    assert np.isfinite(std).all()
    assert (std > 0).all()
    rows, columns = np.rint((sparse.v - 4.5) / 10).astype(int), np.rint((sparse.u - 4.5) / 10)
    there = rows, columns.astype(int)
    before, after = (np.abs(depth - truth)[there].mean() for depth in (prediction, log_depth))
    assert after < before + 0.03 + 3 * NOISE / np.sqrt(count)  # the noise that is measured
    assert count < 20 or after < 0.08


@examples(30)
@given(seeds)
def test_more_measurements_do_not_make_it_worse(seed):
    rng = np.random.default_rng(seed)
    truth, prediction = scene(rng)
    errors = [error(prediction, truth)]
    every = measured(truth, 1000, rng)
    for count in (3, 30, 100, 300, 1000):
        log_depth, _ = Alignment().align(prediction, CELLS, [every[:count]])
        errors.append(error(log_depth, truth))
    assert errors[2] < 0.09
    assert errors[-1] < 0.03
    for fewer, more in itertools.pairwise(errors[2:]):
        assert more < fewer + 0.005


@examples(30)
@given(seeds, st.floats(0.5, 2.0), st.sampled_from([10, 100, 500]))
def test_a_factor_on_all_measurements_is_a_factor_on_the_depth(seed, factor, count):
    rng = np.random.default_rng(seed)
    truth, prediction = scene(rng)
    sparse = measured(truth, count, rng)
    wide = Alignment(Prior(sg=30.0))
    once, _ = wide.align(prediction, CELLS, [sparse])
    times, _ = wide.align(prediction, CELLS, [changed(sparse, sparse.depth * factor)])
    assert np.abs(times - once - np.log(factor)).max() < 0.01


@pytest.mark.parametrize('count', [30, 100, 400, 2000])
@pytest.mark.parametrize(
    'how', ['any', *(pytest.param(each, marks=pytest.mark.slow) for each in ('half', 'double'))]
)
def test_a_third_of_wrong_measurements_changes_little(count, how):
    more = []
    for seed in range(15):
        rng = np.random.default_rng(seed)
        truth, prediction = scene(rng)
        sparse = measured(truth, count, rng)
        wrong = rng.permutation(count) < 0.32 * count
        factor = {'half': 0.5, 'double': 2.0, 'any': np.exp(rng.uniform(-2, 2, count))}[how]
        spoiled = changed(sparse, np.where(wrong, sparse.depth * factor, sparse.depth))
        right, _ = Alignment().align(prediction, CELLS, [sparse])
        robust, _ = Alignment().align(prediction, CELLS, [spoiled])
        more.append(error(robust, truth) - error(right, truth))
    assert np.mean(more) < (0.06 if count == 30 else 0.035)


def test_coincident_and_collinear_measurements():
    rng = np.random.default_rng(1)
    truth, prediction = scene(rng)
    point = measured(truth, 1, rng)
    same = SparseDepth(*(np.repeat(getattr(point, c), 50) for c in ('u', 'v', 'depth')), 0.02, 'x')
    once, _ = Alignment().align(prediction, CELLS, [point])
    often, _ = Alignment().align(prediction, CELLS, [same])
    assert np.abs(once - often).max() < 0.05
    columns = np.arange(0, 640, 10) + 4.5
    row = SparseDepth(columns, np.full(64, 244.5), np.exp(truth[24]), 0.02, 'scan')
    log_depth, std = Alignment().align(prediction, CELLS, [row])
    assert error(log_depth, truth) < 0.12
    assert std[24].mean() < 0.8 * std[0].mean()  # where it was measured it is surer


def test_the_same_measurements_give_the_same_bits():
    rng = np.random.default_rng(2)
    truth, prediction = scene(rng)
    sparse = [measured(truth, 700, rng), measured(truth, 50, rng, source='scan')]
    first, std = Alignment().align(prediction, CELLS, sparse)
    again, std_again = Alignment().align(prediction, CELLS, sparse)
    assert first.tobytes() == again.tobytes()
    assert std.tobytes() == std_again.tobytes()


def test_at_most_a_hundred_points_stand_for_thousands_of_every_source_and_all_over_the_image():
    rng = np.random.default_rng(3)
    truth, prediction = scene(rng)
    sparse = [measured(truth, 5000, rng), measured(truth, 8, rng, source='scan')]
    fit = Alignment().fit(prediction, CELLS, sparse)
    assert len(fit.points) == 5008
    assert 60 <= len(fit.chosen) <= 100
    assert set(fit.chosen.source) == {0, 1}
    quarters = 2 * (fit.chosen.x > WIDTH / 2) + (fit.chosen.y > HEIGHT / 2)
    assert np.bincount(quarters, minlength=4).min() >= 8


def test_dense_measurements_are_kept_to_their_noise_and_their_holes_are_filled():
    rng = np.random.default_rng(4)
    truth, prediction = scene(rng)
    chair = (slice(20, 40), slice(20, 23))  # thin, and the network saw nothing of it
    truth[chair] -= 0.5
    hole = (slice(10, 20), slice(5, 25))
    there = np.ones((HEIGHT, WIDTH), bool)
    there[hole] = False
    noisy = np.exp(truth + rng.normal(0, 0.005, truth.shape))[there]
    u = (CELLS.origin[0] + CELLS.step[0] * X)[there]
    v = (CELLS.origin[1] + CELLS.step[1] * Y)[there]
    log_depth, std = Alignment().align(prediction, CELLS, [SparseDepth(u, v, noisy, 0.01, 'depth')])
    assert np.abs(log_depth - truth)[there].mean() < 0.015
    assert np.abs(log_depth - truth)[chair].mean() < 0.08
    assert np.abs(log_depth - truth)[hole].mean() < 0.06
    assert np.median(std[hole]) > 1.5 * np.median(std[there])


@pytest.mark.slow
def test_the_truth_lies_within_the_posterior_as_often_as_its_sigma_says():
    promised, found = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        prior = Prior(sg=0.4, sl=0.15, ell=25.0, tau=0.3)
        truth = 0.5 + 0.01 * Y
        rows, columns = np.divmod(rng.choice(truth.size, 300, replace=False), WIDTH)
        features = prior.features(columns, rows, truth[rows, columns], WIDTH)
        root = np.linalg.cholesky(prior.local(features, features) + 1e-3 * np.eye(300))
        residual = root @ rng.normal(size=300) + rng.normal(0, prior.sg)
        few = np.arange(25)
        depth = np.exp(truth[rows, columns] + residual + rng.normal(0, NOISE, 300))[few]
        u, v = 4.5 + 10 * columns[few], 4.5 + 10 * rows[few]
        log_depth, std = Alignment(prior).align(
            truth.astype(np.float32), CELLS, [SparseDepth(u, v, depth, NOISE, 'points')]
        )
        off = truth[rows, columns] + residual - log_depth[rows, columns]
        found.append(np.mean(np.abs(off) < std[rows, columns]))
        promised.append(0.683)
    assert np.mean(found) == pytest.approx(np.mean(promised), abs=0.08)


def test_what_the_scale_is_known_to_be_counts():
    rng = np.random.default_rng(5)
    truth, prediction = scene(rng, wavy=0.0)
    few = measured(truth, 3, rng)
    lying = changed(few, few.depth * 0.5)
    fit = Alignment().fit(prediction, CELLS, [few])
    assert fit.scale.variance < Alignment().prior.sg ** 2
    sure = Scale(fit.scale.mean, 1e-4)
    held = Alignment().fit(prediction, CELLS, [lying], sure)
    assert held.scale.mean == pytest.approx(fit.scale.mean, abs=0.05)


def test_cells_without_a_prediction_stay_nan():
    rng = np.random.default_rng(6)
    truth, prediction = scene(rng)
    prediction[:10] = np.nan
    log_depth, _ = Alignment().align(prediction, CELLS, [measured(truth, 300, rng)])
    assert np.isnan(log_depth[:10]).all()
    assert error(log_depth[10:], truth[10:]) < 0.06


def test_a_prior_is_read_from_a_models_yaml():
    prior = Prior.from_document({'SG': 0.3, 'SL': 0.2, 'ELL': 30, 'TAU': 0.25})
    assert prior == Prior(0.3, 0.2, 30.0, 0.25)
    assert Prior.from_document(prior.document()) == prior
    for wrong in ({'SG': 0.3}, {'SG': 0, 'SL': 1, 'ELL': 1, 'TAU': 1}, {'SG': '1'}, 7):
        with pytest.raises(ValueError, match=r'SG|SL'):
            Prior.from_document(wrong)


def test_cells_without_a_depth_leave_those_around_them_alone():
    rng = np.random.default_rng(0)
    truth, prediction = scene(rng)
    holes = prediction.copy()
    holes[20:24, 30:34] = np.nan
    sparse = measured(truth, 60, rng)
    whole, _ = Alignment().align(prediction, CELLS, [sparse])
    log_depth, std = Alignment().align(holes, CELLS, [sparse])
    assert np.array_equal(np.isnan(log_depth), np.isnan(holes))
    assert np.isfinite(std).all()
    assert np.nanmax(np.abs(log_depth - whole)) < 0.1


@pytest.mark.parametrize('count', [1, 2, 3, 10, 101])
def test_the_median_is_the_middle_or_between_the_two_in_the_middle(count):
    values = np.random.default_rng(count).permutation(count) + 1.0
    assert median(values) == (count + 1) / 2


@pytest.mark.parametrize('count', [60, 99, 100])
def test_the_exact_solution_is_that_of_the_textbook_for_any_number(count):
    """Rasmussen and Williams, equations 2.25 and 2.26, where nothing is an outlier."""
    rng = np.random.default_rng(count)
    prior = Prior()
    _, predicted = scene(rng, 0.0)
    points = measured(predicted + 0.1, count, rng, noise=0.0)
    fit = Alignment(prior).fit(predicted, CELLS, [points])
    assert len(fit.chosen) == count
    chosen = fit.chosen
    ell = prior.ell * WIDTH / 128
    distance = ((chosen.x[:, None] - chosen.x) ** 2 + (chosen.y[:, None] - chosen.y) ** 2) / ell**2
    distance = (distance + ((chosen.predicted[:, None] - chosen.predicted) / prior.tau) ** 2) / 2
    local = prior.sl**2 * (0.8 * np.exp(-distance) + 0.2 * np.exp(-16 * distance))
    whole = prior.sg**2 + local + np.diag(chosen.noise)
    answer = np.linalg.solve(whole, np.column_stack([chosen.residual, np.ones(count)]))
    assert fit.scale.mean == pytest.approx(prior.sg**2 * answer[:, 0].sum(), abs=1e-4)
    variance = prior.sg**2 - prior.sg**4 * answer[:, 1].sum()
    assert fit.scale.variance == pytest.approx(variance, rel=0.01)
