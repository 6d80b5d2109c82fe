# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The paper's network: its size, its shapes, its two stages."""

import pytest

torch = pytest.importorskip('torch', reason='training needs torch')

from msdepth_ros.errors import MsdepthError  # noqa: E402
from msdepth_ros.networks import create_network  # noqa: E402
from msdepth_ros.networks.eigen2014 import Eigen2014  # noqa: E402


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Eigen2014(hidden=32)


def count_multiplications(network, image):
    """Return the multiply-accumulates of all convolutions and full layers in one forward pass."""
    total = 0

    def count(layer, inputs, output):
        nonlocal total
        if isinstance(layer, torch.nn.Conv2d):
            total += output[0].numel() * layer.weight[0].numel()
        else:
            total += layer.weight.numel()

    layers = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    handles = [layer.register_forward_hook(count) for layer in layers]
    with torch.no_grad():
        network(image)
    for handle in handles:
        handle.remove()
    return total


def test_paper_width_has_the_papers_size():
    with torch.device('meta'):
        network = Eigen2014(hidden=4096)
        assert sum(p.numel() for p in network.parameters()) == 70_877_171
        operations = count_multiplications(network.eval(), torch.empty(1, 3, 228, 304))
    assert operations / 1e9 == pytest.approx(2.06, abs=0.01)


def test_layer_sizes_are_the_papers(network):
    sizes = {}

    def note(name, output):
        value = output[0] if isinstance(output, tuple) else output
        sizes[name] = tuple(value.shape[1:])

    for name, layer in network.named_modules():
        layer.register_forward_hook(lambda _layer, _inputs, output, name=name: note(name, output))
    network.eval()(torch.zeros(2, 3, 228, 304))
    pooled = [f'coarse.convolutions.{i}' for i in (2, 5, 10)]
    assert [sizes[name] for name in pooled] == [(96, 27, 37), (256, 13, 18), (256, 6, 8)]
    assert sizes['fine.edges'] == (63, 110, 148)
    assert sizes['fine'] == sizes['coarse'] == (1, 55, 74)


def test_fine_network_starts_as_the_coarse_map(network):
    torch.nn.init.uniform_(network.coarse.map.bias, -2.0, 2.3)
    image = torch.randn(2, 3, 228, 304)
    with torch.no_grad():
        difference = network.eval()(image) - network.coarse(image)[0]
    assert difference.abs().max() < 0.05
    assert network.coarse.map.bias.std() > 0.9


def test_the_mean_map_is_the_first_prediction(network):
    mean = torch.linspace(0.0, 2.0, 55 * 74).view(55, 74)
    network.set_mean_log_depth(mean)
    with torch.no_grad():
        answer, _ = network.eval().coarse(torch.randn(2, 3, 228, 304))
    assert (answer - mean).abs().max() < 0.2


@pytest.mark.parametrize(('stage', 'other'), [('coarse', 'fine'), ('fine', 'coarse')])
def test_a_stage_changes_only_its_own_weights(network, stage, other):
    network.train()
    network.begin_stage(stage)
    network.supervised(torch.randn(2, 3, 228, 304)).maps[0].square().mean().backward()
    learned = {name for name, p in network.named_parameters() if p.grad is not None}
    assert learned == {n for n, _ in network.named_parameters() if n.startswith(stage)}
    assert not any(name.startswith(other) for name in learned)


def test_frozen_coarse_network_does_not_drop_out(network):
    network.begin_stage('fine')
    network.train()
    image = torch.randn(1, 3, 228, 304)
    first, second = (network.supervised(image).maps[0] for _ in range(2))
    assert torch.equal(first, second)
    network.begin_stage('coarse')
    torch.nn.init.normal_(network.coarse.map.weight)
    first, second = (network.supervised(image).maps[0] for _ in range(2))
    assert not torch.equal(first, second)


def test_fine_network_uses_image_and_coarse_map(network):
    image = torch.randn(1, 3, 228, 304, requires_grad=True)
    coarse = torch.randn(1, 1, 55, 74, requires_grad=True)
    torch.nn.init.normal_(network.fine.map.weight)
    network.fine(image, coarse)[0][0, 0, 27, 37].backward()
    assert coarse.grad[0, 0, 27, 37] != 0
    seen = image.grad.abs().sum(dim=(0, 1)).nonzero()
    low, high = seen.min(dim=0).values, seen.max(dim=0).values
    assert (high - low + 1).tolist() == [43, 43]  # 8 cells of 4 pixels, and the 11 of a cell's own
    assert ((low + high) / 2).tolist() == [4 * 27 + 5, 4 * 37 + 5]  # the grid's origin and step


@pytest.mark.parametrize('options', [{'depth': 3}, {'hidden': 'wide', 'depth': 3}])
def test_an_unknown_option_is_refused(options):
    with pytest.raises(MsdepthError, match="options of network 'eigen2014'"):
        create_network('eigen2014', options)


def test_an_unknown_network_is_refused():
    with pytest.raises(MsdepthError, match='choose from eigen2014'):
        create_network('eigen2015', {})
