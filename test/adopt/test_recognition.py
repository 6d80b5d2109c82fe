# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which preset a file belongs to: from the graph where that is certain, else asked for."""

import json
from pathlib import Path
from typing import Any

import pytest

onnx = pytest.importorskip('onnx')

from export_stubs import STUBS, Output, Stub, write_stub  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402

from msdepth_ros.adopt.exported import ExportedNetwork  # noqa: E402
from msdepth_ros.adopt.hub_config import read_hub_config  # noqa: E402
from msdepth_ros.adopt.presets import PRESETS  # noqa: E402
from msdepth_ros.adopt.recipe import NORMALISATIONS, Normalisation, Recipe  # noqa: E402
from msdepth_ros.adopt.recognition import choose_preset, refuse_unusable  # noqa: E402
from msdepth_ros.errors import ModelError  # noqa: E402

CERTAIN = (
    *('da3-ika', 'da3-hub', 'metric3d', 'metric3d-hub', 'unidepth', 'unidepth-rays'),
    *('unidepth-intrinsics', 'depthpro', 'depthpro-transformers', 'depthpro-hub', 'yolo-depth'),
    *('zoe', 'fsnet'),
)
IMAGENET = {'image_mean': [0.485, 0.456, 0.406], 'image_std': [0.229, 0.224, 0.225]}
HALF = {'image_mean': [0.5, 0.5, 0.5], 'image_std': [0.5, 0.5, 0.5]}
UNUSED = {'rescale_factor': 0.00392156862745098, 'size': {'height': 384, 'width': 384}}


def network(folder: Path, name: str, **changes: Any) -> ExportedNetwork:
    return ExportedNetwork(write_stub(folder / 'file.onnx', STUBS[name], **changes))


@pytest.mark.parametrize('name', CERTAIN)
def test_tensors_that_only_one_route_has(name: str, tmp_path: Path):
    preset = choose_preset(network(tmp_path, name), 'auto', None)
    assert preset is not None
    assert preset.name == name


@pytest.mark.parametrize(
    ('name', 'candidates'),
    [
        ('da-fabio', ['da-fabio', 'da-metric-fabio-indoor', 'zipdepth']),
        ('da-hub', ['da-hub', 'da-metric-hub', 'dpt-hub', 'dpt-dinov2', 'glpn', 'zoe-hub']),
        ('da-lightly', ['da-lightly', 'da-metric-lightly-indoor', 'da-metric-lightly-outdoor']),
        ('da3-lightly-metric', ['da3-lightly-metric', 'da3-lightly-relative']),
    ],
)
def test_similar_networks_need_a_preset(name: str, candidates: list[str], tmp_path: Path):
    with pytest.raises(ModelError, match='--preset') as error:
        choose_preset(network(tmp_path, name), 'auto', None)
    assert all(candidate in str(error.value) for candidate in candidates)


def test_the_file_name_is_a_hint_and_no_proof(tmp_path: Path):
    path = write_stub(tmp_path / 'dav2_vits_metric_indoor.onnx', STUBS['da-fabio'])
    with pytest.raises(ModelError, match='Its file name suggests da-metric-fabio-indoor'):
        choose_preset(ExportedNetwork(path), 'auto', None)


def test_an_incomplete_or_unknown_name_is_refused(tmp_path: Path):
    with pytest.raises(ModelError, match=r'da-metric-lightly-indoor .*da-metric-lightly-outdoor'):
        choose_preset(network(tmp_path, 'da-lightly'), 'da-metric-lightly', None)
    with pytest.raises(ModelError, match="no preset named 'nothing'"):
        choose_preset(network(tmp_path, 'da-lightly'), 'nothing', None)


def vit(folder: Path, image: str, output: str, ending: list[tuple[str, list[str]]]) -> Path:
    """Write a network that cuts patches of 14 pixels, as Depth Anything does, and its ending."""
    nodes = [helper.make_node('Conv', [image, 'w'], ['c'], kernel_shape=[14, 14], strides=[14, 14])]
    name = 'c'
    for index, (operation, more) in enumerate(ending):
        nodes.append(helper.make_node(operation, [name, *more], [f'e{index}']))
        name = f'e{index}'
    nodes.append(helper.make_node('Identity', [name], [output]))
    info = helper.make_tensor_value_info
    weights = [
        helper.make_tensor('w', TensorProto.FLOAT, [1, 3, 14, 14], [0.1] * 588),
        helper.make_tensor('twenty', TensorProto.FLOAT, [], [20.0]),
        helper.make_tensor('eighty', TensorProto.FLOAT, [], [80.0]),
    ]
    graph = helper.make_graph(
        nodes,
        'vit',
        [info(image, TensorProto.FLOAT, [1, 3, 'h', 'w'])],
        [info(output, TensorProto.FLOAT, [1, 1, 'a', 'b'])],
        weights,
    )
    path = folder / 'vit.onnx'
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)]), path)
    return path


RELU = [('Relu', [])]
TIMES_20, TIMES_80 = ([('Sigmoid', []), ('Mul', [factor])] for factor in ('twenty', 'eighty'))


@pytest.mark.parametrize(
    ('image', 'output', 'ending', 'name'),
    [
        ('image', 'depth', RELU, 'da-fabio'),
        ('image', 'depth', TIMES_20, 'da-metric-fabio-indoor'),
        ('image', 'depth', TIMES_80, 'da-metric-fabio-outdoor'),
        ('images', 'depth', RELU, 'da-lightly'),
        ('pixel_values', 'predicted_depth', TIMES_80, 'da-metric-hub'),
    ],
)
def test_a_preset_is_recognised_by_the_end_of_the_graph(
    image: str, output: str, ending: Any, name: str, tmp_path: Path
):
    preset = choose_preset(ExportedNetwork(vit(tmp_path, image, output, ending)), 'auto', None)
    assert preset is not None
    assert preset.name == name


def test_metric_without_its_factor_is_not_taken_for_indoor_or_outdoor(tmp_path: Path):
    path = vit(tmp_path, 'images', 'depth', [('Sigmoid', [])])
    with pytest.raises(ModelError, match='da-metric-lightly-indoor'):
        choose_preset(ExportedNetwork(path), 'auto', None)


@pytest.mark.parametrize(
    ('config', 'preprocessor', 'name'),
    [
        ({'model_type': 'depth_anything'}, None, 'da-hub'),
        (
            {'model_type': 'depth_anything', 'depth_estimation_type': 'metric', 'max_depth': 20},
            None,
            'da-metric-hub',
        ),
        ({'model_type': 'dpt'}, {'do_resize': True, **HALF}, 'dpt-hub'),
        (
            {'model_type': 'dpt'},
            {'do_pad': True, 'do_resize': False, 'size_divisor': 14},
            'dpt-dinov2',
        ),
        ({'model_type': 'glpn'}, None, 'glpn'),
        ({'model_type': 'zoedepth'}, None, 'zoe-hub'),
    ],
)
def test_the_hub_names_the_family(config: Any, preprocessor: Any, name: str, tmp_path: Path):
    (tmp_path / 'config.json').write_text(json.dumps(config))
    if preprocessor is not None:
        (tmp_path / 'preprocessor_config.json').write_text(json.dumps(preprocessor))
    preset = choose_preset(network(tmp_path, 'da-hub'), 'auto', read_hub_config(tmp_path))
    assert preset is not None
    assert preset.name == name


@pytest.mark.parametrize(
    ('file', 'normalisation', 'multiple', 'size'),
    [
        (
            {'do_rescale': True, 'do_normalize': True, 'ensure_multiple_of': 14, **IMAGENET}
            | {'size': {'height': 518, 'width': 518}, 'do_resize': True},
            'imagenet',
            14,
            (518, 518),
        ),
        (
            {'feature_extractor_type': 'DPTFeatureExtractor', 'size': 384, **HALF},
            'half',
            14,
            (384, 384),
        ),
        (
            {'ensure_multiple_of': 32, 'size': {'height': 384, 'width': 512}, **HALF},
            'half',
            32,
            (512, 384),
        ),
        (
            {'do_rescale': False, 'do_resize': False, 'do_pad': True, 'size_divisor': 14}
            | {'image_mean': [123.675, 116.28, 103.53], 'image_std': [58.395, 57.12, 57.375]}
            | UNUSED,
            'imagenet',
            14,
            (640, 480),
        ),
        (
            {'do_normalize': False, 'do_rescale': False, 'ensure_multiple_of': 14, 'size': 518},
            'raw255',
            14,
            (518, 518),
        ),
        (
            {'image_processor_type': 'GLPNImageProcessor', 'size_divisor': 32},
            'unit',
            32,
            (640, 480),
        ),
    ],
    ids=['da', 'dpt-old', 'zoe', 'dpt-dinov2', 'metric3d', 'glpn'],
)
def test_the_hubs_preparation(
    file: Any, normalisation: str, multiple: int, size: Any, tmp_path: Path
):
    (tmp_path / 'preprocessor_config.json').write_text(json.dumps(file))
    recipe = read_hub_config(tmp_path).applied(Recipe(multiple=14, size=(640, 480)))
    assert str(recipe.normalisation) == normalisation
    assert (recipe.multiple, recipe.size) == (multiple, size)


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('{', 'cannot read'),
        ('[]', 'one JSON object'),
        ('{"image_mean": 1, "image_std": 2}', 'three'),
    ],
)
def test_damaged_hub_files(text: str, reason: str, tmp_path: Path):
    with pytest.raises(ModelError, match='no preprocessor_config'):
        read_hub_config(tmp_path)
    (tmp_path / 'preprocessor_config.json').write_text(text)
    with pytest.raises(ModelError, match=reason):
        read_hub_config(tmp_path).applied(Recipe())


def test_normalisations_by_name_and_by_number():
    given = Normalisation.parse('mean=0.485,0.456,0.406,std=0.229,0.224,0.225')
    assert str(given) == 'imagenet'
    assert Normalisation.parse(str(Normalisation((1, 2, 3), (4, 5, 6)))).mean == (1, 2, 3)
    assert Normalisation.parse('raw255') == NORMALISATIONS['raw255']
    for text in ('imagnet', 'mean=1,2,std=3,4', 'mean=0,0,0,std=1,0,1', 'mean=a,b,c,std=1,1,1'):
        with pytest.raises(ModelError, match='no normalisation'):
            Normalisation.parse(text)


def refused(folder: Path, stub: Stub, **changes: Any) -> str:
    with pytest.raises(ModelError, match='cannot be adopted') as error:
        refuse_unusable(ExportedNetwork(write_stub(folder / 'file.onnx', stub, **changes)))
    return str(error.value)


def test_networks_that_no_recipe_makes_a_model_of(tmp_path: Path):
    hub = STUBS['da-hub']
    points = (
        Output('points', 'points', ('batch', 3, 'H', 'W')),
        Output('mask', 'zeros', (1, 1, 'H', 'W')),
    )
    assert 'MoGe' in refused(tmp_path, hub, outputs=points, further={'num_tokens': (1,)})
    assert 'is 32 images' in refused(tmp_path, hub, leading=(1, 32))
    assert 'keeps a state' in refused(tmp_path, hub, further={'hidden_state_0': (1, 16)})
    assert 'sphere' in refused(tmp_path, hub, further={'lat_range': (1, 2)})
    assert 'text' in refused(tmp_path, hub, further={'input_ids': (1, 77)})


@pytest.mark.parametrize(
    ('operation', 'domain', 'reason'),
    [
        ('MatMulNBits', 'com.microsoft', 'quantised'),
        ('MatMulBnb4', 'com.microsoft', 'quantised'),
        ('DynamicQuantizeLinear', '', 'quantised'),
        ('ConvInteger', '', 'quantised'),
        ('SkipLayerNormalization', 'com.microsoft', 'only one runtime supports'),
        ('Loop', '', 'loops'),
    ],
)
def test_operations_that_no_engine_has(operation: str, domain: str, reason: str, tmp_path: Path):
    path = write_stub(tmp_path / 'file.onnx', STUBS['da-hub'])
    model = onnx.load(path)
    model.graph.node.append(helper.make_node(operation, ['t0'], ['extra'], domain=domain))
    onnx.save(model, path)
    with pytest.raises(ModelError, match=reason):
        refuse_unusable(ExportedNetwork(path))


def test_every_preset_is_documented():
    page = (Path(__file__).resolve().parents[2] / 'docs' / 'adopt.md').read_text()
    for preset in PRESETS:
        assert f'`{preset.name}`' in page
        assert preset.title
        assert preset.source
        assert preset.license or preset.license_note
