# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime's CUDA provider, with a stand-in for the GPU: the CPU's provider under its name."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

pytest.importorskip('onnx')

from oracle import write_color_model

from msdepth_ros.errors import BackendError, RuntimeMissingError
from msdepth_ros.inference.backends import create, create_backend
from msdepth_ros.inference.backends import onnxruntime as backend_module
from msdepth_ros.inference.backends.onnxruntime import CPU, CUDA, OnnxRuntimeBackend
from msdepth_ros.inference.model import Model, load_model


class StandIn:
    """ONNX Runtime as onnxruntime-gpu has it, on a machine without a GPU.

    Attributes
    ----------
    starts : whether the CUDA provider finds its GPU.
    options : what the CUDA provider was given.
    on_gpu : arrays that were put on the GPU.
    """

    def __init__(self, real: Any) -> None:
        self.real, self.starts = real, True
        self.options: dict[str, str] = {}
        self.on_gpu: list[Any] = []
        self.SessionOptions = real.SessionOptions
        outer = self

        class Session:
            def __init__(self, data: bytes, options: Any, providers: list[Any]) -> None:
                self._real = real.InferenceSession(data, options, providers=[CPU])
                self._providers = [CPU]
                for provider in providers:
                    if isinstance(provider, tuple) and outer.starts:
                        outer.options = provider[1]
                        self._providers = [provider[0], CPU]

            def get_providers(self) -> list[str]:
                return self._providers

            def run_with_iobinding(self, binding: Any) -> None:
                self._real.run_with_iobinding(binding)

            def __getattr__(self, name: str) -> Any:
                return getattr(self._real, name)

        class OrtValue:
            @staticmethod
            def ortvalue_from_numpy(array: np.ndarray, device: str, number: int) -> Any:
                assert (device, number) == ('cuda', 0)
                # Memory of its own, as on a GPU: it only changes by update_inplace.
                value = real.OrtValue.ortvalue_from_shape_and_type(array.shape, array.dtype, 'cpu')
                value.update_inplace(array)
                outer.on_gpu.append(value)
                return value

        self.InferenceSession, self.OrtValue = Session, OrtValue

    def get_available_providers(self) -> list[str]:
        return [CUDA, CPU]


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return load_model(write_color_model(tmp_path))


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    stand_in = StandIn(onnxruntime)
    monkeypatch.setattr(backend_module, '_import', lambda: stand_in)
    monkeypatch.setattr(create, '_logged', set())
    return stand_in


def test_each_frame_goes_up_and_comes_down(gpu: StandIn, model: Model):
    cpu, cuda = OnnxRuntimeBackend(model), OnnxRuntimeBackend(model, cuda=True)
    assert (cuda.name, cuda.device) == ('onnxruntime', 'GPU 0 (CUDA provider)')
    assert len(gpu.on_gpu) == 1
    depth = cuda.outputs['depth']
    for level in (0, 90, 255):
        for backend in (cpu, cuda):
            backend.inputs['image'][:] = level
            backend.run()
        assert cuda.outputs['depth'] is depth
        np.testing.assert_array_equal(depth, cpu.outputs['depth'])
    cuda.close()
    cpu.close()


def test_fp32_means_fp32(gpu: StandIn, model: Model):
    OnnxRuntimeBackend(model, precision='auto', cuda=True).close()
    assert gpu.options['use_tf32'] == '1'
    OnnxRuntimeBackend(model, precision='fp32', cuda=True).close()
    assert gpu.options['use_tf32'] == '0'
    with pytest.raises(BackendError, match='does not support fp16'):
        OnnxRuntimeBackend(model, precision='fp16', cuda=True)


def test_the_backend_onnxruntime_takes_the_gpu_where_it_can(
    gpu: StandIn, model: Model, caplog: pytest.LogCaptureFixture
):
    assert 'GPU' in create_backend(model, 'onnxruntime').device
    assert not caplog.records
    gpu.starts = False
    backend = create_backend(model, 'onnxruntime')
    assert (backend.name, backend.device) == ('onnxruntime', 'CPU')
    (said,) = caplog.records
    assert 'CUDA provider does not start' in said.getMessage()


def test_auto_prefers_tensorrt_then_the_gpu_then_the_cpu(
    gpu: StandIn, model: Model, monkeypatch: pytest.MonkeyPatch
):
    tried = []
    load = create._load

    def recorded(name: str, *rest: Any) -> Any:
        tried.append(name)
        if name == 'tensorrt':
            raise RuntimeMissingError('no TensorRT here')
        return load(name, *rest)

    monkeypatch.setattr(create, '_load', recorded)
    assert 'GPU' in create_backend(model).device
    assert tried == ['tensorrt', 'onnxruntime (CUDA)']
    gpu.starts = False
    tried.clear()
    assert create_backend(model).device == 'CPU'
    assert tried[:3] == ['tensorrt', 'onnxruntime (CUDA)', 'openvino']


def test_a_plain_onnx_runtime_has_no_gpu_to_try(model: Model):
    assert create._candidates('auto') == ['tensorrt', 'openvino', 'onnxruntime']
    with pytest.raises(RuntimeMissingError, match='onnxruntime-gpu'):
        OnnxRuntimeBackend(model, cuda=True)
