# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A prior is found again in residuals that were drawn from it."""

import numpy as np
import pytest

from msdepth_ros.metric.fitting import Residuals, fit_prior, residuals_of
from msdepth_ros.metric.points import NETWORK_NOISE
from msdepth_ros.metric.prior import Prior


def drawn(prior, frames, rng):
    found = []
    for _ in range(frames):
        x, y = rng.uniform(0, 127, 100), rng.uniform(0, 95, 100)
        predicted = rng.normal(0.8, 0.4, 100)
        features = prior.features(x, y, predicted, 128)
        covariance = prior.local(features, features) + prior.sg**2 + NETWORK_NOISE**2 * np.eye(100)
        residual = np.linalg.cholesky(covariance) @ rng.normal(size=100)
        found.append(Residuals(x, y, predicted, residual, 128))
    return found


@pytest.mark.slow
def test_a_prior_is_found_in_what_was_drawn_from_it():
    prior = Prior(0.25, 0.15, 20.0, 0.4)
    fitted = fit_prior(drawn(prior, 60, np.random.default_rng(0)))
    assert fitted.sg == pytest.approx(prior.sg, rel=0.25)
    assert fitted.sl == pytest.approx(prior.sl, rel=0.15)
    assert fitted.ell == pytest.approx(prior.ell, rel=0.25)
    assert fitted.tau == pytest.approx(prior.tau, rel=0.3)


def test_residuals_need_enough_of_truth():
    rng = np.random.default_rng(0)
    log_depth = rng.normal(0, 1, (12, 16)).astype(np.float32)
    truth = log_depth + 0.3
    found = residuals_of(log_depth, truth, rng)
    assert found.residual == pytest.approx(np.full(100, 0.3), abs=1e-5)
    truth[1:] = np.nan
    assert residuals_of(log_depth, truth, rng) is None
