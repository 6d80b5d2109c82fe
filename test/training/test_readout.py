# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The closed-form readout: ridge regression, its rank, and the network that answers it."""

import pytest

torch = pytest.importorskip('torch', reason='training needs torch')

from msdepth_ros.networks.eigen2014 import Eigen2014  # noqa: E402
from msdepth_ros.training.readout import fit_readout  # noqa: E402


@pytest.fixture
def sample():
    """60 images of 20 features whose log depth is a linear map of rank 3, nearly."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(60, 20, generator=generator) + 2
    maps = torch.randn(20, 3, generator=generator) @ torch.randn(3, 35, generator=generator)
    log_depth = features @ maps + 5 + 0.01 * torch.randn(60, 35, generator=generator)
    return features, log_depth, torch.ones(60, 35, dtype=torch.bool)


def answer(readout, features):
    return readout.mean + (features @ readout.projection.T + readout.offset) @ readout.maps


def test_full_rank_is_ridge_regression(sample):
    features, log_depth, valid = sample
    readout = fit_readout(features, log_depth, valid, penalty=0.5, rank=35)
    x, y = features - features.mean(dim=0), log_depth - log_depth.mean(dim=0)
    ridge = 0.5 * x.square().sum(dim=1).mean()
    weights = torch.linalg.solve(x.T @ x + ridge * torch.eye(20), x.T @ y)
    assert torch.allclose(answer(readout, features), log_depth.mean(dim=0) + x @ weights, atol=1e-3)


def test_true_rank_is_enough_and_less_is_not(sample):
    features, log_depth, valid = sample
    errors = []
    for rank in (1, 2, 3):
        readout = fit_readout(features, log_depth, valid, penalty=1e-5, rank=rank)
        assert readout.projection.shape == (rank, 20)
        errors.append((answer(readout, features) - log_depth).square().mean().sqrt())
    assert errors[2] < 0.05
    assert errors[0] > errors[1] > 5 * errors[2]


def test_numbers_between_have_zero_mean_and_unit_deviation(sample):
    features, log_depth, valid = sample
    readout = fit_readout(features, log_depth, valid, penalty=0.1, rank=3)
    numbers = features @ readout.projection.T + readout.offset
    assert numbers.mean(dim=0).abs().max() < 1e-3
    assert (numbers.std(dim=0) - 1).abs().max() < 0.05


def test_invalid_cells_do_not_count(sample):
    features, log_depth, valid = sample
    valid[::2, 7] = False
    clean = fit_readout(features, log_depth, valid, penalty=0.1, rank=35)
    log_depth[::2, 7] = float('nan')
    poisoned = fit_readout(features, log_depth, valid, penalty=0.1, rank=35)
    assert torch.allclose(answer(clean, features), answer(poisoned, features), atol=1e-3)
    assert clean.mean[7] == pytest.approx(log_depth[1::2, 7].mean().item(), abs=1e-5)


def test_network_answers_the_readout():
    torch.manual_seed(0)
    network = Eigen2014(hidden=24, dropout=0.0).eval()
    assert network.readout_rank == 3
    image = torch.randn(6, 3, 228, 304)
    with torch.no_grad():
        features = network.supervised(image).features[-1].flatten(1)
        truth = torch.rand(6, 55 * 74)
        readout = fit_readout(features, truth, torch.ones_like(truth, dtype=torch.bool), 0.1, 3)
        network.set_readout(readout)
        maps = network.supervised(image).maps[0].flatten(1)
    assert torch.allclose(maps, answer(readout, features), atol=1e-4)
    assert maps.std(dim=0).mean() > 0.05
