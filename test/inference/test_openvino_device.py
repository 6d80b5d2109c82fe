# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""OpenVINO's devices. GPU and NPU stand for themselves here, and the CPU computes for them."""

import numpy as np
import pytest
from oracle import write_color_model

from msdepth_ros.errors import BackendError, ModelError
from msdepth_ros.inference.backends import create_backend, self_check
from msdepth_ros.inference.backends.openvino import OpenVinoBackend
from msdepth_ros.inference.model import load_model, model_names

openvino = pytest.importorskip('openvino', reason='OpenVINO is not installed')
CPU_ONLY = 'GPU' not in ' '.join(openvino.Core().available_devices)


@pytest.fixture
def model(tmp_path):
    return load_model(write_color_model(tmp_path))


@pytest.fixture
def board(monkeypatch):
    """Give this machine a GPU and an NPU; what is compiled for them is noted."""
    real = openvino.Core
    compiled = []

    class Board:
        there = ('CPU', 'GPU.0', 'NPU')
        broken = ()

        def __init__(self):
            self._core = real()
            self.read_model = self._core.read_model

        @property
        def available_devices(self):
            return list(self.there)

        def get_property(self, device, name):
            if device == 'CPU':
                return self._core.get_property('CPU', name)
            return {'FULL_DEVICE_NAME': f'Intel(R) {device} of a test'}[name]

        def compile_model(self, network, device, settings):
            compiled.append((device, settings.get('INFERENCE_PRECISION_HINT')))
            if device in self.broken:
                raise RuntimeError(f'Exception from src/plugins\n[{device}] out of memory')
            if device == 'CPU':
                return self._core.compile_model(network, 'CPU', settings)
            assert set(settings) == {'PERFORMANCE_HINT', 'CACHE_DIR', 'INFERENCE_PRECISION_HINT'}
            return self._core.compile_model(network, 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})

    monkeypatch.setattr(openvino, 'Core', Board)
    Board.compiled = compiled
    return Board


@pytest.mark.skipif(not CPU_ONLY, reason='this machine has a GPU that OpenVINO sees')
@pytest.mark.parametrize('device', ['GPU', 'NPU'])
def test_a_device_that_is_not_there_is_refused_with_what_to_do(model, device):
    with pytest.raises(BackendError, match=rf'finds no {device} .*only CPU.*install.*AUTO'):
        create_backend(model, 'openvino', openvino_device=device)
    backend = create_backend(model, 'auto', openvino_device=device)
    assert backend.name == 'onnxruntime'


@pytest.mark.skipif(not CPU_ONLY, reason='this machine has a GPU that OpenVINO sees')
def test_auto_is_the_cpu_without_another_device(model):
    assert create_backend(model, 'openvino', openvino_device='AUTO').device == 'CPU'


def test_an_unknown_device_is_refused(model):
    with pytest.raises(BackendError, match="'TPU' but must be one of CPU, GPU, NPU, AUTO"):
        create_backend(model, 'openvino', openvino_device='TPU')


@pytest.mark.parametrize(
    ('device', 'precision', 'title', 'found', 'hints'),
    [
        ('GPU', 'auto', 'Intel(R) GPU of a test (GPU)', 'fp16', [('GPU', 'f16')]),
        ('GPU', 'fp32', 'Intel(R) GPU of a test (GPU)', 'fp32', [('GPU', 'f32')]),
        ('NPU', 'fp16', 'Intel(R) NPU of a test (NPU)', 'fp16', [('NPU', 'f16')]),
        ('AUTO', 'auto', 'Intel(R) GPU of a test (GPU)', 'fp16', [('GPU', 'f16')]),
        ('CPU', 'fp32', 'CPU', 'fp32', [('CPU', 'f32')]),
    ],
)
def test_a_device_computes_in_the_given_precision(
    model, board, device, precision, title, found, hints
):
    backend = OpenVinoBackend(model, 1, precision, device)
    assert (backend.device, backend.precision, board.compiled) == (title, found, hints)
    backend.inputs['image'][:] = 100
    backend.run()
    assert np.isfinite(backend.outputs['depth']).all()
    backend.close()


@pytest.mark.parametrize(
    ('device', 'precision', 'words'),
    [('NPU', 'fp32', 'does not support fp32'), ('GPU', 'int8', 'no int8 file')],
)
def test_what_a_device_cannot_do_is_refused(model, board, device, precision, words):
    with pytest.raises(BackendError, match=words):
        OpenVinoBackend(model, 1, precision, device)


def test_auto_skips_a_device_that_does_not_work(model, board):
    board.broken = ('GPU',)
    assert OpenVinoBackend(model, 1, 'auto', 'AUTO').device == 'Intel(R) NPU of a test (NPU)'
    assert [device for device, _ in board.compiled] == ['GPU', 'NPU']
    with pytest.raises(ModelError, match=r'on Intel\(R\) GPU of a test \(GPU\): .*out of memory'):
        OpenVinoBackend(model, 1, 'auto', 'GPU')


def test_a_device_that_computes_inexactly_is_not_used(model, board, monkeypatch):
    """The self-check refuses FP16: a GPU then computes in FP32, an NPU is refused."""
    monkeypatch.setattr(
        'msdepth_ros.inference.backends.openvino.check_engine',
        lambda *_: self_check.SelfCheck(
            *((0.5, 0.5) if board.compiled[-1][1] == 'f16' else (0, 0)), 4
        ),
    )
    assert OpenVinoBackend(model, 1, 'auto', 'GPU').precision == 'fp32'
    with pytest.raises(BackendError, match='too inexactly in fp16: 50'):
        OpenVinoBackend(model, 1, 'auto', 'NPU')
    with pytest.raises(BackendError, match='too inexactly'):
        OpenVinoBackend(model, 1, 'fp16', 'GPU')


def test_a_shipped_model_passes_the_self_check(board):
    name = model_names()[0]
    assert OpenVinoBackend(load_model(name), 1, 'auto', 'GPU').precision == 'fp16'
