# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An adopted model is run on every installed runtime, and a runtime that differs is named."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip('onnx')

from export_stubs import STUBS, write_stub

from msdepth_ros.adopt import runtimes
from msdepth_ros.cli import main
from msdepth_ros.errors import BackendError, ModelError, RuntimeMissingError
from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.inference.backends.onnxruntime import OnnxRuntimeBackend
from msdepth_ros.inference.model import Model, load_model

CAMERA = Intrinsics(56, 42, 50.0, 50.0, 27.5, 20.5)
PIXELS = np.full((42, 56, 3), 90, np.uint8)


@pytest.fixture
def model(tmp_path: Path) -> Model:
    path = write_stub(tmp_path / 'mine.onnx', STUBS['da-metric-hub'])
    options = ('--preset', 'da-metric-hub', '--size', '56x42', '--out', str(tmp_path / 'mine'))
    assert main(['adopt', str(path), *options]) == 0
    return load_model(tmp_path / 'mine' / 'mine.yaml')


def expected(model: Model) -> np.ndarray:
    backend = OnnxRuntimeBackend(model)
    backend.inputs['image'][:] = PIXELS
    backend.run()
    return backend.outputs['depth'].copy()


def test_openvino_agrees(model: Model):
    pytest.importorskip('openvino')
    answer = expected(model)
    assert runtimes.compare_runtimes(model, PIXELS, CAMERA, answer) == []
    (found,) = runtimes.compare_runtimes(model, PIXELS, CAMERA, answer[::-1].copy())
    assert found.startswith('OpenVINO (')
    assert 'and ONNX Runtime differ: correlation' in found


def test_an_engine_that_computes_otherwise_is_named(model: Model, monkeypatch: pytest.MonkeyPatch):
    class Wrong(OnnxRuntimeBackend):
        def run(self) -> None:
            super().run()
            self.outputs['depth'] *= 1.3

    def create(model: Model, runtime: str, **_: Any) -> OnnxRuntimeBackend:
        if runtime == 'openvino':
            raise RuntimeMissingError('not here')
        return Wrong(model)

    monkeypatch.setattr(runtimes, 'create_backend', create)
    (found,) = runtimes.compare_runtimes(model, PIXELS, CAMERA, expected(model))
    assert found.startswith('TensorRT (fp32) and ONNX Runtime differ')
    assert 'scale 1.3' in found


@pytest.mark.parametrize(
    ('error', 'words'),
    [
        (BackendError('no GPU is visible'), 0),
        (RuntimeMissingError('not installed'), 0),
        (ModelError('unknown operation'), 1),
    ],
)
def test_a_runtime_that_is_missing_here_does_not_reject_the_model(
    model: Model, monkeypatch: pytest.MonkeyPatch, error: Exception, words: int
):
    def create(model: Model, runtime: str, **_: Any) -> OnnxRuntimeBackend:
        raise error if runtime == 'tensorrt' else RuntimeMissingError('not here')

    monkeypatch.setattr(runtimes, 'create_backend', create)
    found = runtimes.compare_runtimes(model, PIXELS, CAMERA, expected(model))
    assert len(found) == words


@pytest.mark.parametrize(
    ('flavour', 'version', 'transformer', 'words'),
    [
        ('tensorrt', '10.3.0.30', True, 1),
        ('tensorrt', '10.13.2', True, 0),
        ('tensorrt', '8.5.2', True, 1),
        ('tensorrt', '10.3.0.30', False, 0),
        ('tensorrt_rtx', '1.2.0', True, 0),
    ],
)
def test_the_tensorrt_that_is_known_to_be_wrong(
    flavour: str, version: str, transformer: bool, words: int, monkeypatch: pytest.MonkeyPatch
):
    api = SimpleNamespace(flavour=flavour, version=version, title=f'TensorRT {version}')
    monkeypatch.setattr(runtimes, 'check_installed', lambda: None)
    monkeypatch.setattr(runtimes, 'import_tensorrt', lambda: api)
    operations = {'Softmax', 'MatMul'} if transformer else {'Conv'}
    network: Any = SimpleNamespace(operations=lambda: operations)
    found = runtimes.check_tensorrt_version(network)
    assert len(found) == words
    assert all('wrong depth' in line for line in found)
