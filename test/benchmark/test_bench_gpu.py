# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The GPU's benchmark where there is none: what it says, and the arithmetic of its comparison."""

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'bench'))

import gpu

from msdepth_ros.errors import BackendError
from msdepth_ros.inference.backends.onnxruntime import OnnxRuntimeBackend
from msdepth_ros.inference.model import load_model

RESULTS: dict[str, Any] = {
    'TensorRT fp16, CUDA graph': {'p50': 0.2},
    'TensorRT fp16, plain enqueue': {'p50': 0.3},
    'TensorRT fp32, CUDA graph': 'not measured: no room',
    'PyTorch eager FP16': {'p50': 2.0},
    'torch.compile FP16': {'p50': 0.5},
    'ONNX Runtime CPU': {'p50': 20.0},
}


def test_medians_are_compared_and_missing_ones_are_named():
    assert gpu.compare(RESULTS) == [
        '1.50 times as fast as TensorRT fp16, plain enqueue',
        'not compared with TensorRT fp32, CUDA graph, which was not measured',
        '10.00 times as fast as PyTorch eager FP16',
        '2.50 times as fast as torch.compile FP16',
        '100.00 times as fast as ONNX Runtime CPU',
    ]
    without_graph = gpu.compare({**RESULTS, 'TensorRT fp16, CUDA graph': 'not measured: x'})
    assert without_graph[0] == 'no CUDA graph was measured: its gain is not known'
    assert without_graph[-1] == '66.67 times as fast as ONNX Runtime CPU'
    refused = dict.fromkeys(RESULTS, 'not measured: x')
    assert gpu.compare(refused) == [
        'TensorRT was not measured, so there is nothing to compare with'
    ]


def test_a_reason_is_printed_once_and_noted_each_time(capsys: pytest.CaptureFixture[str]):
    results: dict[str, Any] = {}

    def fail() -> dict[str, float]:
        raise BackendError('Target GPU SM 90 is not supported')

    gpu.attempt(results, 'a', fail)
    gpu.attempt(results, 'b', fail)
    gpu.attempt(results, 'c', lambda: {'p50': 1.23456, 'layers': 3})
    assert capsys.readouterr().out.splitlines() == [
        '  a: not measured: BackendError: Target GPU SM 90 is not supported',
        '  b: not measured, as above',
        '  c: p50 1.235, layers 3',
    ]
    assert results['b'] == results['a']


def test_an_image_becomes_metric_depth_with_rectification_on_any_backend(
    monkeypatch: pytest.MonkeyPatch,
):
    import gpu_timing

    monkeypatch.setattr(gpu_timing, 'WARM_UP', 1)
    model = load_model('eigen2014')
    times = gpu.end_to_end(model, 2, OnnxRuntimeBackend(model, 1))
    assert 0 < times['p50'] <= times['p95'] <= times['p99']
