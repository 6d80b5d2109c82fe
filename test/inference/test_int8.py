# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A model's int8 file: used where speed is asked for, and as good as the FP32 one."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from msdepth_ros.errors import ModelError
from msdepth_ros.images.sources import DEFAULT_CLIP, ImageSource
from msdepth_ros.inference.backends import create_backend
from msdepth_ros.inference.model import Model, load_model


@pytest.fixture
def shipped() -> Model:
    return load_model('msdepth')


def answers(model: Model, precision: str) -> np.ndarray:
    backend = create_backend(model, 'onnxruntime', 1, precision)
    found = []
    for index, picture in enumerate(ImageSource(DEFAULT_CLIP)):
        if index % 60 == 0:
            backend.inputs['image'][:] = cv2.resize(picture.image, model.input_size)[..., ::-1]
            backend.run()
            found.append(backend.outputs['depth'].copy())
    assert backend.precision == ('fp32' if precision == 'fp32' else 'int8')
    backend.close()
    return np.array(found)


def test_int8_predicts_as_fp32_within_two_percent_on_frames_it_was_not_calibrated_on(shipped):
    exact, quick = answers(shipped, 'fp32'), answers(shipped, 'auto')
    assert not np.array_equal(exact, quick)
    assert np.mean(np.abs(quick / exact - 1)) < 0.02


def test_int8_weights_have_seven_bits_so_that_no_cpu_overflows(shipped):
    """Without VNNI, x86 adds two products of eight bits each in sixteen bits."""
    onnx = pytest.importorskip('onnx')
    graph = onnx.load(shipped.onnx.with_suffix('.int8.onnx')).graph
    weights = [
        onnx.numpy_helper.to_array(tensor)
        for tensor in graph.initializer
        if tensor.data_type == onnx.TensorProto.INT8 and tensor.dims
    ]
    assert len(weights) > 40
    assert max(np.abs(weight.astype(int)).max() for weight in weights) == 64


def test_int8_is_no_worse_by_the_shipped_table(shipped):
    quantised = shipped.document['int8']['measured']
    table = {name: shipped.document['measured'][name] for name in quantised}

    def mean(figure: str, tables: dict) -> float:
        return float(np.mean([each['pooled'][figure] for each in tables.values()]))

    assert mean('abs_rel', quantised) <= mean('abs_rel', table) + 0.005
    assert mean('delta1', quantised) >= mean('delta1', table) - 0.005


def test_a_model_without_int8_runs_in_fp32(shipped, tmp_path: Path):
    shutil.copy(shipped.onnx, tmp_path)
    document = {key: value for key, value in shipped.document.items() if key != 'int8'}
    path = tmp_path / 'msdepth.yaml'
    path.write_text(yaml.safe_dump(document))
    model = load_model(path)
    assert model.int8 is None
    backend = create_backend(model, 'onnxruntime', 1, 'auto')
    assert backend.precision == 'fp32'
    backend.close()


@pytest.mark.parametrize(
    ('int8', 'message'),
    [
        ({'onnx': 'gone.onnx', 'sha256': '0' * 64}, 'cannot read .*gone.onnx'),
        ({'onnx': 'msdepth.onnx', 'sha256': '0' * 64}, 'has SHA-256'),
        ({'sha256': '0' * 64}, r'`int8\.onnx` is missing'),
        ({'onnx': 'msdepth.onnx'}, r'`int8\.sha256` is missing'),
    ],
)
def test_a_wrong_int8_entry_is_named(shipped, tmp_path: Path, int8, message):
    shutil.copy(shipped.onnx, tmp_path)
    path = tmp_path / 'msdepth.yaml'
    path.write_text(yaml.safe_dump({**shipped.document, 'int8': int8}))
    with pytest.raises(ModelError, match=message):
        create_backend(load_model(path), 'onnxruntime', 1, 'auto')
