# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Each check catches its trap, and is silent where all is right."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip('onnx')

from onnx import TensorProto, helper  # noqa: E402

from msdepth_ros.adopt import checks  # noqa: E402
from msdepth_ros.adopt.exported import ExportedNetwork  # noqa: E402
from msdepth_ros.adopt.recipe import NORMALISATIONS, Metric, Recipe  # noqa: E402

SHAPE = (40, 60)
ROWS = np.broadcast_to(np.arange(40, dtype=np.float32)[:, None], SHAPE)
FLOOR = (8.0 - 0.1 * ROWS).astype(np.float32)  # metres: nearer at the bottom


def network(folder: Path, *operations: tuple[str, Any], opset: int = 17) -> ExportedNetwork:
    """Write a network that does these to the image (with a constant each), then convolves it."""
    nodes, weights, name = [], [], 'image'
    for index, (operation, value) in enumerate(operations):
        inputs = [name]
        if value is not None:
            weights.append(
                onnx.numpy_helper.from_array(np.array(value, np.float32), f'value{index}')
            )
            inputs.append(f'value{index}')
        name = f'step{index}'
        nodes.append(helper.make_node(operation, inputs, [name]))
    weights.append(onnx.numpy_helper.from_array(np.ones((1, 3, 3, 3), np.float32), 'w'))
    nodes.append(helper.make_node('Conv', [name, 'w'], ['depth'], pads=[1] * 4))
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        'network',
        [info('image', TensorProto.FLOAT, [1, 3, 'h', 'w'])],
        [info('depth', TensorProto.FLOAT, [1, 1, 'h', 'w'])],
        weights,
    )
    path = folder / 'network.onnx'
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid('', opset)]), path)
    return ExportedNetwork(path)


def per_channel(*values: float) -> np.ndarray:
    return np.array(values).reshape(1, 3, 1, 1)


OF_BYTES = (('Sub', per_channel(123.675, 116.28, 103.53)), ('Div', per_channel(58.4, 57.1, 57.4)))
OF_UNIT = (('Sub', per_channel(0.485, 0.456, 0.406)), ('Div', per_channel(0.229, 0.224, 0.225)))
LITE = (('Sub', 0.45), ('Div', 0.225))


@pytest.mark.parametrize(
    ('inside', 'given', 'word'),
    [
        (OF_BYTES, 'raw255', None),
        (OF_UNIT, 'unit', None),
        (LITE, 'unit', None),
        ((), 'imagenet', None),
        ((), 'half', None),
        ((), 'unit', None),
        (OF_BYTES, 'imagenet', 'doubled'),
        (OF_UNIT, 'imagenet', 'doubled'),
        (LITE, 'half', 'doubled'),
        (OF_BYTES, 'unit', '0 to 255, but is given one of 0 to 1'),
        (OF_UNIT, 'raw255', '0 to 1, but is given one of 0 to 255'),
        ((), 'raw255', 'missing'),
    ],
)
def test_normalisation_is_done_once(inside: Any, given: str, word: str | None, tmp_path: Path):
    recipe = Recipe(normalisation=NORMALISATIONS[given])
    beginning = network(tmp_path, *inside).beginning('image')
    found = checks.check_normalisation(recipe, beginning, inside=False)
    assert (not found) if word is None else (word in found[0])


def test_a_route_that_normalises_inside_must_show_it(tmp_path: Path):
    recipe = Recipe(normalisation=NORMALISATIONS['unit'])
    beginning = network(tmp_path).beginning('image')
    assert 'missing' in checks.check_normalisation(recipe, beginning, inside=True)[0]
    preset = Recipe()
    assert (
        'known to need imagenet' in checks.check_preset_normalisation(recipe, preset, beginning)[0]
    )
    assert not checks.check_preset_normalisation(preset, preset, beginning)


def test_a_factor_before_the_mean_is_found(tmp_path: Path):
    steps = (('Mul', 1 / 255), *OF_UNIT)
    beginning = network(tmp_path, *steps).beginning('image')
    np.testing.assert_allclose(beginning.mean, [123.675, 116.28, 103.53], rtol=1e-5)
    assert beginning.normalises
    assert beginning.product


@pytest.mark.parametrize(
    ('answer', 'word'),
    [
        (FLOOR, None),
        (np.zeros(SHAPE, np.float32), 'zero everywhere'),
        (np.full(SHAPE, 2.5, np.float32), '2.5 everywhere'),
        (np.full(SHAPE, np.nan, np.float32), 'no value'),
        (-FLOOR, 'not positive'),
    ],
)
def test_values(answer: np.ndarray, word: str | None):
    found = checks.check_values(Recipe(), answer)
    assert (not found) if word is None else (word in found[0])


def test_a_missing_last_factor():
    share = FLOOR / 20
    assert 'last factor is missing' in checks.check_metres(Recipe(), share, share)[0]
    assert not checks.check_metres(Recipe(), FLOOR, FLOOR)
    focal = Recipe(metric=Metric('focal', 300, 'mean'))
    assert not checks.check_metres(focal, FLOOR, share)  # not metres yet: that is its way
    assert not checks.check_metres(Recipe(metric=Metric('affine')), share, share)


def test_metres_that_no_room_has():
    for factor in (1e-3, 1e3):
        assert (
            'metric rule is wrong' in checks.check_metres(Recipe(), FLOOR * factor, FLOOR * 10)[0]
        )


@pytest.mark.parametrize(
    ('quantity', 'answer', 'other'),
    [
        ('depth', FLOOR, None),
        ('inverse_depth', 1 / FLOOR, None),
        ('log_depth', np.log(FLOOR), None),
        ('depth', 1 / FLOOR, 'inverse_depth'),
        ('inverse_depth', FLOOR, '--quantity depth'),
    ],
)
def test_near_and_far(quantity: str, answer: np.ndarray, other: str | None):
    found = checks.check_near_and_far(Recipe(quantity=quantity), answer)
    assert (not found) if other is None else (other in found[0])


def test_sizes_and_shapes():
    assert not checks.check_size((518, 392), (259, 196))
    assert '37x37 does not follow' in checks.check_size((518, 392), (37, 37))[0]
    assert not checks.check_aspect(True, 'stretch', (644, 484), (640, 480))
    assert 'infers the camera' in checks.check_aspect(True, 'stretch', (518, 518), (640, 480))[0]
    assert not checks.check_aspect(False, 'stretch', (518, 518), (640, 480))
    assert 'stretched by 78 %' in checks.check_aspect(False, 'stretch', (518, 518), (1280, 720))[0]
    assert not checks.check_aspect(False, 'pad', (518, 518), (1280, 720))


def test_layer_normalisation_taken_apart(tmp_path: Path):
    steps = (('Sqrt', None), ('Pow', 2.0), ('ReduceMean', None), ('Softmax', None), ('MatMul', 1.0))
    for opset, precision, words in ((11, 'fp16', 1), (11, 'fp32', 0), (17, 'fp16', 0)):
        old = network(tmp_path, *steps, opset=opset)
        assert len(checks.check_precision(old, precision)) == words
    assert not checks.check_precision(network(tmp_path, opset=11), 'fp16')


def test_two_predictions_are_the_same_or_not():
    random = np.random.default_rng(1)
    noisy = (FLOOR * random.normal(1, 1e-3, SHAPE)).astype(np.float32)
    assert not checks.check_same(FLOOR, noisy, 'TensorRT')
    assert 'scale 1.05' in checks.check_same(FLOOR, FLOOR * 1.05, 'TensorRT')[0]
    shuffled = random.permutation(FLOOR.ravel()).reshape(SHAPE)
    assert 'TensorRT: correlation' in checks.check_same(FLOOR, shuffled, 'TensorRT')[0]
    sky = FLOOR.copy()
    sky[:10] = np.nan
    assert not checks.check_same(sky, sky, 'x')
    assert '25 % of the cells' in checks.check_same(FLOOR, sky, 'x')[0]


def test_the_focal_length_is_reported_with_its_effect():
    text = checks.focal_response(Metric('focal', 300, 'mean'), FLOOR, 450.0)
    middle = float(np.median(FLOOR))
    assert f'{middle:.2f} m at a focal length of 450' in text
    assert f'{2 * middle:.2f} m at twice that' in text


def test_rank_correlation_shares_ranks():
    assert checks.rank_correlation(np.array([1, 2, 2, 3]), np.array([1, 5, 5, 90])) == 1.0
    assert checks.rank_correlation(np.arange(5), -np.arange(5)) == pytest.approx(-1)
    assert checks.rank_correlation(np.zeros(5), np.arange(5)) == 0.0
