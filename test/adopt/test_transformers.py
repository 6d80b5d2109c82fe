# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Real architectures with random weights, exported as their users do it, adopted and run."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('onnx')
torch = pytest.importorskip('torch')
transformers = pytest.importorskip('transformers')

from msdepth_ros.cli import main  # noqa: E402
from msdepth_ros.inference.backends import create_backend  # noqa: E402
from msdepth_ros.inference.model import load_model  # noqa: E402

pytestmark = pytest.mark.slow

VIT = {'hidden_size': 32, 'num_attention_heads': 2, 'intermediate_size': 64, 'mlp_ratio': 2}


def dinov2(**more: Any) -> Any:
    return transformers.Dinov2Config(
        **VIT,
        num_hidden_layers=4,
        image_size=56,
        patch_size=14,
        out_features=['stage1', 'stage2', 'stage3', 'stage4'],
        reshape_hidden_states=False,
        apply_layernorm=True,
        **more,
    )


def depth_anything(**more: Any) -> Any:
    config = transformers.DepthAnythingConfig(
        backbone_config=dinov2(),
        reassemble_hidden_size=32,
        neck_hidden_sizes=[16, 24, 32, 32],
        fusion_hidden_size=16,
        head_hidden_size=8,
        **more,
    )
    return transformers.DepthAnythingForDepthEstimation(config)


def dpt() -> Any:
    config = transformers.DPTConfig(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=64,
        image_size=64,
        patch_size=16,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[16, 24, 32, 32],
        fusion_hidden_size=16,
        is_hybrid=False,
    )
    return transformers.DPTForDepthEstimation(config)


def glpn() -> Any:
    config = transformers.GLPNConfig(
        hidden_sizes=[8, 16, 24, 32],
        depths=[1, 1, 1, 1],
        num_attention_heads=[1, 2, 2, 4],
        decoder_hidden_size=16,
        max_depth=10,
    )
    return transformers.GLPNForDepthEstimation(config)


def zoe() -> Any:
    config = transformers.ZoeDepthConfig(
        backbone_config=transformers.BeitConfig(
            hidden_size=32,
            num_hidden_layers=4,
            num_attention_heads=2,
            intermediate_size=64,
            image_size=64,
            patch_size=16,
            use_relative_position_bias=True,
            reshape_hidden_states=False,
            out_features=['stage1', 'stage2', 'stage3', 'stage4'],
        ),
        backbone_hidden_size=32,
        neck_hidden_sizes=[16, 24, 32, 32],
        fusion_hidden_size=16,
        bottleneck_features=16,
        num_relative_features=8,
        bin_embedding_dim=16,
        patch_transformer_hidden_size=16,
        patch_transformer_intermediate_size=32,
        patch_transformer_num_attention_heads=2,
        num_attractors=[4, 2, 2, 1],
    )
    return transformers.ZoeDepthForDepthEstimation(config)


def depth_pro() -> Any:
    encoder = {
        'model_type': 'dinov2',
        'hidden_size': 32,
        'num_attention_heads': 2,
        'num_hidden_layers': 4,
        'mlp_ratio': 2,
        'image_size': 64,
        'patch_size': 16,
    }
    config = transformers.DepthProConfig(
        fusion_hidden_size=16,
        patch_size=64,
        intermediate_hook_ids=[3, 1],
        intermediate_feature_dims=[16, 16],
        scaled_images_ratios=[0.5, 1.0],
        scaled_images_overlap_ratios=[0.5, 0.25],
        scaled_images_feature_dims=[32, 16],
        image_model_config=encoder,
        patch_model_config=encoder,
        fov_model_config=encoder,
        use_fov_model=True,
    )
    return transformers.DepthProForDepthEstimation(config)


class Exported(torch.nn.Module):
    """A network of transformers with plain outputs."""

    def __init__(self, network: Any, names: tuple[str, ...]) -> None:
        super().__init__()
        self.network, self.names = network, names

    def forward(self, pixel_values: Any) -> Any:
        found = self.network(pixel_values=pixel_values)
        return tuple(getattr(found, name) for name in self.names)


def export(
    network: Any, path: Path, size: tuple[int, int], names: tuple[str, ...], dynamic: bool
) -> None:
    """Write an ONNX file as optimum names its tensors."""
    torch.manual_seed(0)
    axes = {0: 'batch_size', 2: 'height', 3: 'width'}
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of tracing, and of the exporter's own age
        torch.onnx.export(
            Exported(network.eval(), names),
            (torch.randn(1, 3, size[1], size[0]),),
            path,
            input_names=['pixel_values'],
            output_names=list(names),
            dynamic_axes={'pixel_values': axes} if dynamic else None,
            opset_version=17,
            dynamo=False,
        )


CASES = {
    'depth_anything': (depth_anything, 'da-hub', (70, 56), False),
    'depth_anything_metric': (
        lambda: depth_anything(depth_estimation_type='metric', max_depth=20),
        'da-metric-hub',
        (70, 56),
        False,
    ),
    'dpt': (dpt, 'dpt-hub', (64, 64), False),
    'glpn': (glpn, 'glpn', (96, 64), True),
    'zoe': (zoe, 'zoe-hub', (96, 64), False),
    'depth_pro': (depth_pro, 'depthpro-transformers', (128, 128), False),
}
OUTPUTS = {'depth_pro': ('predicted_depth', 'field_of_view')}


@pytest.fixture(scope='module', params=CASES)
def adopted(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a model, and torch's output for its input."""
    make, preset, size, dynamic = CASES[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    torch.manual_seed(1)
    network = make().eval()
    path = folder / 'network.onnx'
    export(network, path, size, OUTPUTS.get(request.param, ('predicted_depth',)), dynamic)
    out = folder / 'adopted'
    options = ['--size', '128x96'] if dynamic else []
    assert main(['adopt', str(path), '--preset', preset, '--out', str(out), *options]) == 0
    model = load_model(out / 'adopted.yaml')

    def answer(image: np.ndarray) -> np.ndarray:
        normal = model.document['adopted']['normalisation']
        mean, std = {
            'imagenet': ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
            'half': ([0.5] * 3, [0.5] * 3),
            'unit': ([0.0] * 3, [1.0] * 3),
        }[normal]
        values = (image / 255.0 - mean) / std
        tensor = torch.from_numpy(values.transpose(2, 0, 1)[None]).float()
        with torch.no_grad():
            return network(pixel_values=tensor).predicted_depth[0].numpy()

    return model, answer


def picture(model: Any) -> np.ndarray:
    width, height = model.input_size
    random = np.random.default_rng(3)
    return random.integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize('backend', ['onnxruntime', 'openvino'])
def test_the_adopted_model_computes_the_same_as_torch(
    adopted: tuple[Any, Callable[..., Any]], backend: str
):
    pytest.importorskip(backend)
    model, answer = adopted
    image = picture(model)
    loaded = create_backend(model, backend, 1, 'fp32')
    loaded.inputs['image'][:] = image
    loaded.run()
    expected = answer(image)
    np.testing.assert_allclose(
        loaded.outputs['depth'], expected, rtol=2e-3, atol=2e-3 * np.abs(expected).max()
    )
    loaded.close()


def test_becomes_an_fp16_engine(adopted: tuple[Any, Callable[..., Any]]):
    pytest.importorskip('tensorrt_rtx_bindings', exc_type=ImportError)
    from msdepth_ros.inference.backends.tensorrt.api import import_tensorrt
    from msdepth_ros.inference.backends.tensorrt.engine_builder import build_engine

    built = build_engine(import_tensorrt(), adopted[0], 'fp16', target='sm89')
    assert built.facts['fp16_products'] == built.facts['products'] > 20


def test_a_size_that_tracing_fixed_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    export(depth_anything(), tmp_path / 'network.onnx', (70, 56), ('predicted_depth',), True)
    options = ('--preset', 'da-hub', '--size', '140x56', '--out', str(tmp_path / 'adopted'))
    assert main(['adopt', str(tmp_path / 'network.onnx'), *options]) == 0
    assert 'prediction of 70x56 does not follow the input of 140x56' in capsys.readouterr().out


def test_depth_anything_is_recognised(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    metric = depth_anything(depth_estimation_type='metric', max_depth=20)
    export(metric, tmp_path / 'network.onnx', (70, 56), ('predicted_depth',), False)
    assert main(['adopt', str(tmp_path / 'network.onnx'), '--out', str(tmp_path / 'adopted')]) == 0
    assert 'network.onnx: da-metric-hub' in capsys.readouterr().out
