# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The default network: its size, its scales, and that the fine network uses all that it gets."""

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='training needs torch')

from msdepth_ros.errors import MsdepthError  # noqa: E402
from msdepth_ros.networks import create_network  # noqa: E402
from msdepth_ros.networks.batch_norm import BatchNorm2d  # noqa: E402
from msdepth_ros.networks.export import to_onnx, weights_of  # noqa: E402
from msdepth_ros.networks.msdepth import MultiScaleDepth  # noqa: E402

SIZES = [(96, 128), (48, 64), (24, 32), (12, 16), (6, 8), (6, 8)]


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = MultiScaleDepth().eval()
    for refine in network.fine:  # as they are after training, not nearly zero
        torch.nn.init.normal_(refine.correct.weight, std=0.1)
    torch.nn.init.normal_(network.coarse.map.weight, std=0.1)
    return network


@pytest.fixture
def image():
    return torch.randn(1, 3, 192, 256, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def experienced(network):
    """Return the network with normalisations as they are after training."""
    for module in network.modules():
        if isinstance(module, BatchNorm2d):
            for values in (module.weight, module.running_var):
                torch.nn.init.uniform_(values, 0.5, 2.0)
            for values in (module.bias, module.running_mean):
                torch.nn.init.normal_(values)
    for refine in network.fine:
        torch.nn.init.normal_(refine.correct.bias)
    return network


def test_with_folded_normalisations_it_computes_the_same(experienced, image):
    folded = experienced.folded().eval()
    assert not any(isinstance(module, BatchNorm2d) for module in folded.modules())
    with torch.no_grad():
        torch.testing.assert_close(folded(image), experienced(image), rtol=1e-4, atol=1e-4)
    assert folded.folded() is folded


def test_the_exported_file_holds_every_weight_by_name(experienced, tmp_path):
    path = tmp_path / 'model.onnx'
    path.write_bytes(to_onnx(experienced).SerializeToString())
    folded = experienced.folded().state_dict()
    weights = weights_of(path)
    assert weights.keys() == folded.keys()
    for name, value in folded.items():
        stored = value.half().float() if value.numel() >= 256 else value
        assert torch.equal(weights[name], stored), name
    (tmp_path / 'broken.onnx').write_bytes(path.read_bytes()[:1000])
    with pytest.raises(MsdepthError, match='cannot read the weights'):
        weights_of(tmp_path / 'broken.onnx')


def test_the_network_is_small_and_its_cells_cover_the_whole_input():
    network = MultiScaleDepth()
    assert sum(p.numel() for p in network.parameters()) < 5e6
    width, height = network.image_size
    assert (width % 32, height % 32, width / height) == (0, 0, 4 / 3)
    grid = network.grid
    assert (grid.width, grid.height) == (width // 2, height // 2)
    first, last = grid.origin[0] - grid.step[0] / 2, grid.origin[0] + grid.step[0] * grid.width
    assert (first, last - grid.step[0] / 2) == (-0.5, width - 0.5)


def test_the_network_of_another_size_has_the_same_field_of_view():
    network = create_network('msdepth', {'size': [320, 224]})
    assert network.image_size == (320, 224)
    assert network.focal / 320 == pytest.approx(207.5 / 256)
    assert (network.grid.width, network.grid.height) == (160, 112)
    assert network.eval()(torch.zeros(1, 3, 224, 320)).shape == (1, 1, 112, 160)


@pytest.mark.parametrize('size', [[320, 240], [0, 192], [256], [-256, 192]])
def test_a_size_must_be_halved_five_times(size):
    with pytest.raises(MsdepthError, match='two multiples of 32'):
        create_network('msdepth', {'size': size})


def test_every_scale_has_a_prediction(network, image):
    answer = network.supervised(image)
    assert [tuple(each.shape[2:]) for each in answer.maps] == SIZES
    assert not answer.heads
    assert torch.equal(network(image), answer.maps[0])
    assert answer.maps[0].dtype == torch.float32


def test_every_scale_is_supervised(network, image):
    """Each map's own loss reaches the encoder, and the correction of its own scale."""
    for index, answer in enumerate(network.supervised(image).maps[:-1]):
        network.zero_grad()
        answer.square().mean().backward(retain_graph=True)
        scale = len(SIZES) - 2 - index
        for number, refine in enumerate(network.fine):
            reached = refine.correct.weight.grad
            assert (reached is not None and bool(reached.any())) == (number <= scale)
        assert network.encoder.stem.weight.grad.any()


@pytest.mark.parametrize('scale', range(5))
def test_fine_network_uses_the_map_its_features_and_the_skip(network, image, scale):
    """Gradients reach all three inputs, and zeroing any of them changes the prediction."""
    refine = network.fine[scale]
    shape = {0: (6, 8), 1: (12, 16), 2: (24, 32), 3: (48, 64), 4: (96, 128)}[scale]
    below = 16 if scale == 0 else network.fine[scale - 1].correct.in_channels
    skip = network.encoder.channels[4 - scale]
    inputs = [torch.randn(1, channels, *shape, requires_grad=True) for channels in (1, below, skip)]
    answer, features = refine(*inputs)
    (answer - inputs[0]).square().sum().backward()
    for number, value in enumerate(inputs):
        assert value.grad.abs().sum() > 0
        blanked = [torch.zeros_like(v) if i == number else v for i, v in enumerate(inputs)]
        changed, changed_features = refine(*blanked)
        correction = changed - blanked[0] - (answer - inputs[0])
        assert correction.abs().max() > 1e-4
        assert not torch.equal(changed_features, features)


def test_the_coarse_map_and_each_skip_matter_to_the_finest_map(network, image):
    with torch.no_grad():
        whole = network(image)
        handle = network.coarse.register_forward_hook(
            lambda _layer, _inputs, output: (torch.zeros_like(output[0]), output[1])
        )
        assert (network(image) - whole).abs().mean() > 1e-3
        handle.remove()
        for index in range(5):

            def blank(_layer, _inputs, output, index=index):
                maps = list(output)
                maps[index] = torch.zeros_like(maps[index])
                return tuple(maps)

            handle = network.encoder.register_forward_hook(blank)
            assert (network(image) - whole).abs().max() > 1e-4, index
            handle.remove()


def test_coarse_map_sees_the_whole_image(network):
    deepest = torch.randn(1, network.encoder.channels[-1], 6, 8, requires_grad=True)
    network.coarse(deepest)[0][0, 0, 0, 0].backward()
    assert (deepest.grad.abs().sum(dim=1) > 0).all()


def test_the_mean_map_is_the_first_prediction():
    network = MultiScaleDepth().eval()
    mean = torch.linspace(0.0, 2.0, 96 * 128).view(96, 128)
    network.set_mean_log_depth(mean)
    with torch.no_grad():
        coarse = network.supervised(torch.randn(1, 3, 192, 256)).maps[-1]
    expected = torch.nn.functional.adaptive_avg_pool2d(mean[None, None], (6, 8))
    assert (coarse - expected).abs().max() < 0.3


def test_pretrained_weights_are_the_encoders(network):
    names = {n for n, p in network.named_parameters() if p in network.pretrained_parameters()}
    assert names == {n for n, _ in network.named_parameters() if n.startswith('encoder.')}


def test_exported_it_computes_the_same_with_operators_of_old_runtimes(network, image):
    onnxruntime = pytest.importorskip('onnxruntime')
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (1, 192, 256, 3), dtype=np.uint8)
    model = to_onnx(network, half=False)
    operators = {node.op_type for node in model.graph.node}
    assert operators <= {
        *('Add', 'Cast', 'Clip', 'Concat', 'Conv', 'Exp', 'Flatten', 'Gemm', 'Mul', 'Relu'),
        *('Reshape', 'Resize', 'Sub', 'Transpose'),
    }  # no Pad, no BatchNormalization: convolutions do that
    (depth,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {'image': photo})
    planes = torch.from_numpy((photo / 255 - 0.45) / 0.25).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        expected = np.exp(network(planes).numpy())
    assert depth.shape == (1, 1, 96, 128)
    assert np.abs(depth / expected - 1).max() < 1e-4
