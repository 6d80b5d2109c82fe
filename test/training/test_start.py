# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The start that networks without normalisation get from the images."""

import pytest

torch = pytest.importorskip('torch', reason='training needs torch')

from torch import nn  # noqa: E402

from msdepth_ros.training.start import (  # noqa: E402
    cluster_filters,
    initialise_from_data,
)


def test_every_channel_has_zero_mean_and_unit_deviation():
    torch.manual_seed(0)
    first, second = nn.Conv2d(3, 8, 5, stride=2), nn.Conv2d(8, 6, 3, padding=1)
    last = nn.Linear(6, 4)
    images = 5 + 3 * torch.rand(24, 3, 21, 21).cumsum(dim=3)
    outputs = {}

    def run():
        outputs['first'] = first(images)
        outputs['second'] = second(outputs['first'].relu())
        outputs['last'] = last(outputs['second'].relu().mean(dim=(2, 3)))

    initialise_from_data([first, second, last], run)
    run()
    for output in outputs.values():
        channels = output.transpose(0, 1).flatten(1)
        assert channels.mean(dim=1).abs().max() < 1e-3
        assert (channels.std(dim=1) - 1).abs().max() < 1e-3


def test_filters_distinguish_clusters():
    torch.manual_seed(0)
    kinds = 4 * torch.eye(5, 30)
    members = torch.arange(600) % 5
    patches = kinds[members] + 0.1 * torch.randn(600, 30) + 7
    filters = cluster_filters(patches, 12)
    answers = (patches - patches.mean(dim=0)) @ filters.T
    best = answers.argmax(dim=1)
    owners = [set(members[best == index].tolist()) for index in range(12)]
    assert all(len(owner) <= 1 for owner in owners)
    assert set().union(*owners) == set(range(5))
    assert torch.isfinite(filters).all()


def test_start_depends_on_the_seed_alone():
    results = []
    for _ in range(2):
        torch.manual_seed(3)
        layer = nn.Conv2d(1, 4, 3)
        images = torch.rand(16, 1, 12, 12)
        initialise_from_data([layer], lambda layer=layer, images=images: layer(images))
        results.append(layer.weight.detach().clone())
    assert torch.equal(*results)
