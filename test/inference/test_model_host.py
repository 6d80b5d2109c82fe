# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A model stays available through failures of its runtime."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import oracle
import pytest

from msdepth_ros.errors import BackendError, ModelError
from msdepth_ros.inference import model_host
from msdepth_ros.inference.backends import EngineOptions, create_backend
from msdepth_ros.inference.estimator import Settings
from msdepth_ros.inference.model_host import ModelChoice, ModelHost

IMAGE = np.full((480, 640, 3), 100, np.uint8)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def choice(tmp_path: Path) -> ModelChoice:
    return ModelChoice(str(oracle.write_color_model(tmp_path)), 'onnxruntime')


def estimate(host: ModelHost) -> float:
    frame = host.estimate(IMAGE, 'rgb8', None, Settings())
    return float(np.nanmedian(frame.depth))


def break_runtime(host: ModelHost, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise BackendError('the device is lost')

    assert host.estimator is not None
    monkeypatch.setattr(host.estimator.backend, 'run', fail)


def test_threads_that_are_not_chosen_are_opencvs_own(choice: ModelChoice) -> None:
    before = model_host._ALL_THREADS  # another test may have changed OpenCV's number
    host = ModelHost()
    host.load(replace(choice, threads=before + 1))
    assert cv2.getNumThreads() == before + 1
    host.load(choice)
    assert cv2.getNumThreads() == before
    host.unload()


def test_a_lost_runtime_is_loaded_again_after_a_pause(
    choice: ModelChoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    host = ModelHost(clock=clock)
    host.load(choice)
    expected = oracle.COLOR_OFFSET + 100 * float(oracle.COLOR_WEIGHTS.sum())
    assert estimate(host) == pytest.approx(expected)
    break_runtime(host, monkeypatch)
    with pytest.raises(BackendError, match='the device is lost'):
        estimate(host)
    assert host.estimator is None
    with pytest.raises(BackendError, match=r'the device is lost; next try in 1 s'):
        estimate(host)
    clock.now += 1.1
    assert estimate(host) == pytest.approx(expected)


def test_an_engine_is_built_anew_once_and_not_after_each_failure(
    choice: ModelChoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    forced = []

    def create(*arguments: Any) -> Any:
        forced.append(arguments[4].force_update)
        return create_backend(*arguments)

    monkeypatch.setattr(model_host, 'create_backend', create)
    clock = Clock()
    host = ModelHost(clock=clock)
    host.load(replace(choice, engine_options=EngineOptions(force_update=True)))
    break_runtime(host, monkeypatch)
    with pytest.raises(BackendError):
        estimate(host)
    clock.now += 1.1
    estimate(host)
    assert forced == [True, False]


def test_the_pause_doubles_from_failure_to_failure_and_ends_at_a_good_frame(
    choice: ModelChoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    host = ModelHost(clock=clock)
    host.load(choice)
    break_runtime(host, monkeypatch)
    with pytest.raises(BackendError):
        estimate(host)
    model = Path(choice.model)
    text = model.read_text()
    model.unlink()
    for pause in (1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0):
        clock.now += pause - 0.01
        with pytest.raises(BackendError, match='next try'):
            estimate(host)
        clock.now += 0.02
        with pytest.raises(ModelError):
            estimate(host)
    model.write_text(text)
    clock.now += 31
    estimate(host)
    break_runtime(host, monkeypatch)
    with pytest.raises(BackendError):
        estimate(host)
    clock.now += 1.1
    estimate(host)


def test_the_cpu_backend_imports_nothing_of_the_gpu(choice: ModelChoice) -> None:
    code = (
        'import sys; sys.modules["pycuda"] = None; '  # as where it is not installed
        'from msdepth_ros.inference.model_host import ModelChoice, ModelHost; '
        f'print(ModelHost().load(ModelChoice({choice.model!r}, "auto")).device, '
        '*{name.partition(".")[0] for name, module in sys.modules.items() if module})'
    )
    ran = subprocess.run([sys.executable, '-c', code], check=True, capture_output=True, text=True)
    device, *loaded = ran.stdout.split()
    assert device == 'CPU'
    gpu_only = ('tensorrt', 'cuda', 'pycuda', 'torch')
    assert [name for name in loaded if name.startswith(gpu_only)] == []


def test_without_a_model_estimate_is_refused(choice: ModelChoice) -> None:
    host = ModelHost()
    with pytest.raises(BackendError, match='no model is loaded'):
        estimate(host)
    host.load(choice)
    host.unload()
    assert host.estimator is None
    with pytest.raises(BackendError, match='no model is loaded'):
        estimate(host)
