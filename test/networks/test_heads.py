# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Heads: further outputs that read the depth's features and change nothing of the depth."""

import math

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='training needs torch')
pytest.importorskip('onnx', reason='export needs onnx')
onnxruntime = pytest.importorskip('onnxruntime')

from msdepth_ros.errors import MsdepthError  # noqa: E402
from msdepth_ros.networks import create_network  # noqa: E402
from msdepth_ros.networks.correction import Correction  # noqa: E402
from msdepth_ros.networks.depth_network import normalise  # noqa: E402
from msdepth_ros.networks.export import write_model  # noqa: E402
from msdepth_ros.networks.heads import probability  # noqa: E402
from msdepth_ros.networks.losses import floor_loss, laplace_loss  # noqa: E402

OPTIONS = {
    'msdepth': {'normalised': False, 'size': [64, 64]},
    'eigen2014': {'hidden': 16},
}
HEADS = ['floor', 'confidence']


def with_heads_of(name):
    return create_network(name, {**OPTIONS[name], 'heads': HEADS})


@pytest.fixture(scope='module', params=OPTIONS)
def networks(request):
    """One network without heads, and the same with them."""
    torch.manual_seed(0)
    plain = create_network(request.param, OPTIONS[request.param]).eval()
    with_heads = with_heads_of(request.param).eval()
    missing = with_heads.load_state_dict(plain.state_dict(), strict=False).missing_keys
    assert missing
    assert all(name.startswith('head.') for name in missing)
    plain.correction = with_heads.correction = Correction(1.1, -0.1, 0.2)
    return plain, with_heads


def test_the_exported_depth_is_the_same_bit_for_bit(networks, tmp_path):
    sessions = []
    for number, network in enumerate(networks):
        path = write_model(network, 'mine', tmp_path / str(number), (0.2, 10.0), {})
        sessions.append(onnxruntime.InferenceSession(path.with_suffix('.onnx')))
    width, height = networks[0].image_size
    image = np.random.default_rng(0).integers(0, 256, (1, height, width, 3), dtype=np.uint8)
    (plain,) = sessions[0].run(None, {'image': image})
    depth, floor, confidence = sessions[1].run(['depth', *HEADS], {'image': image})
    assert np.array_equal(plain, depth)
    answer = networks[1].complete(normalise(torch.from_numpy(image)))
    for name, found in zip(HEADS, (floor, confidence), strict=True):
        assert found.shape == depth.shape
        expected = probability(name, answer.heads[name]).detach().numpy()
        np.testing.assert_allclose(found, expected, atol=5e-3)  # weights are stored in half
        assert ((found >= 0) & (found <= 1)).all()
        assert found.std() > 0


def test_the_yaml_names_them(networks, tmp_path):
    import yaml

    documents = [
        yaml.safe_load(write_model(network, 'mine', tmp_path, (0.2, 10.0), {}).read_text())
        for network in networks
    ]
    assert 'outputs' not in documents[0]
    assert documents[1]['outputs'] == {
        'floor': {'name': 'floor'},
        'confidence': {'name': 'confidence'},
    }


@pytest.mark.parametrize('name', OPTIONS)
def test_their_stage_trains_nothing_else(name):
    network = with_heads_of(name)
    network.begin_stage('heads')
    network.train()
    learning = {name for name, value in network.named_parameters() if value.requires_grad}
    assert learning == {name for name, _ in network.named_parameters() if name.startswith('head.')}
    width, height = network.image_size
    image = torch.rand(2, 3, height, width)
    first, again = network.supervised(image), network.supervised(image)  # dropout is off
    assert torch.equal(first.maps[0], again.maps[0])
    assert set(first.heads) == set(HEADS)
    network.begin_stage(network.stages[0])
    assert not any(value.requires_grad for value in network.head.parameters())
    assert not network.supervised(image).heads


def test_a_head_that_does_not_exist():
    with pytest.raises(MsdepthError, match="no head 'flor': known are floor, confidence"):
        create_network('msdepth', {'heads': ['flor']})
    with pytest.raises(ValueError, match='must be one of'):
        create_network('msdepth', OPTIONS['msdepth']).begin_stage('heads')


def test_the_laplace_loss_is_least_at_the_true_spread():
    """Errors drawn with b = 0.2: no other b explains them better, and P(|e| < ln 1.25) is right."""
    generator = torch.Generator().manual_seed(0)
    uniform = torch.rand(1, 1, 200, 200, generator=generator) - 0.5
    error = -0.2 * uniform.sign() * torch.log1p(-2 * uniform.abs())
    valid = torch.ones_like(error, dtype=torch.bool)

    def loss(spread):
        log_spread = torch.full_like(error, math.log(spread))
        return laplace_loss(log_spread, error, torch.zeros_like(error), valid).item()

    assert loss(0.2) < min(loss(0.17), loss(0.23))
    promised = probability('confidence', torch.tensor(math.log(0.2))).item()
    kept = (error.abs() < math.log(1.25)).float().mean().item()
    assert promised == pytest.approx(kept, abs=0.01)


def test_cells_without_a_label_do_not_count():
    logit = torch.randn(2, 1, 4, 4)
    floor = torch.rand(2, 1, 4, 4) > 0.5
    known = torch.zeros_like(floor)
    assert floor_loss(logit, floor, known).item() == 0
    known[0] = True
    changed = logit.clone()
    changed[1] += 5
    assert floor_loss(logit, floor, known) == floor_loss(changed, floor, known)
    nowhere = torch.zeros_like(known)
    truth = torch.full_like(logit, torch.nan)
    assert laplace_loss(logit, logit, truth, nowhere).item() == 0
