# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The GPU's wrapper around a stand-in driver: contexts are balanced, errors are clear."""

import sys
import types
from pathlib import Path

import numpy as np
import pytest

from msdepth_ros.errors import BackendError
from msdepth_ros.inference.backends.tensorrt import cuda
from msdepth_ros.inference.backends.tensorrt.cuda import CudaDevice
from msdepth_ros.inference.backends.tensorrt.cuda_errors import TensorRtMissingError


class Driver:
    """As much of pycuda.driver as CudaDevice uses; `fails` maps a call to its error's text."""

    class Error(Exception):
        pass

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.fails: dict[str, str] = {}
        self.devices = 1
        driver = self

        class Context:
            def push(self) -> None:
                driver.call('push')

            @staticmethod
            def pop() -> None:
                driver.call('pop')

            def detach(self) -> None:
                driver.call('detach')

        class Device:
            def __init__(self, ordinal: int) -> None:
                assert ordinal == 0

            @staticmethod
            def count() -> int:
                return driver.devices

            def name(self) -> str:
                return 'Orin'

            def compute_capability(self) -> tuple[int, int]:
                return 8, 7

            def retain_primary_context(self) -> Context:
                driver.call('retain')
                return Context()

        class Event:
            def __init__(self, flags: int) -> None:
                driver.calls.append(f'event {flags}')

            def record(self, stream: object) -> None:
                driver.call('record')

            def synchronize(self) -> None:
                driver.call('synchronize')

        self.Context, self.Device, self.Event = Context, Device, Event
        self.event_flags = types.SimpleNamespace(BLOCKING_SYNC=1, DISABLE_TIMING=2)

    def call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.fails:
            raise self.Error(f'{name} failed: {self.fails[name]}')

    def init(self) -> None:
        self.call('init')

    def get_driver_version(self) -> int:
        return 12060

    def Stream(self) -> object:  # noqa: N802
        self.call('stream')
        return types.SimpleNamespace(handle=7000 + self.calls.count('stream'))

    def mem_alloc(self, nbytes: int) -> int:
        self.call('mem_alloc')
        return 1

    @property
    def balance(self) -> int:
        return self.calls.count('push') - self.calls.count('pop')


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    driver = Driver()
    monkeypatch.setattr(cuda, '_import_pycuda', lambda: driver)
    return driver


def test_knows_the_gpu_and_leaves_its_context_as_it_was(driver: Driver):
    device = CudaDevice()
    assert (device.name, device.capability, device.driver) == ('Orin', 'sm87', '12.6')
    assert device.stream == 7001
    assert 'event 3' in driver.calls  # a wait sleeps
    assert driver.balance == 0
    device.close()
    device.close()
    assert driver.calls.count('detach') == 1
    assert driver.balance == 0


@pytest.mark.parametrize(
    ('call', 'text', 'words'),
    [
        ('init', 'no CUDA-capable device is detected', 'No NVIDIA GPU is visible'),
        ('init', 'system has unsupported display driver / cuda driver combination', 'install the'),
        ('retain', 'out of memory', 'Free GPU memory'),
        ('stream', 'unknown error', 'the GPU failed: stream failed: unknown error'),
    ],
)
def test_a_gpu_that_cannot_be_used_is_one_clear_error(
    driver: Driver, call: str, text: str, words: str
):
    driver.fails[call] = text
    with pytest.raises(BackendError, match=words):
        CudaDevice()
    assert driver.balance == 0
    assert driver.calls.count('retain') - ('retain' in driver.fails) == driver.calls.count('detach')


def test_no_gpu_is_one_clear_error(driver: Driver):
    driver.devices = 0
    with pytest.raises(BackendError, match='--gpus all'):
        CudaDevice()


def test_errors_in_use_name_what_was_done_and_pop_the_context(driver: Driver):
    device = CudaDevice()
    driver.fails['mem_alloc'] = 'out of memory'
    words = r'loading x: mem_alloc failed: out of memory\. Free GPU'
    with pytest.raises(BackendError, match=words), device.current('loading x'):
        device.device_memory(1 << 40)
    assert driver.balance == 0


def test_a_lost_gpu_can_be_closed(driver: Driver):
    device = CudaDevice()
    driver.fails.update(synchronize='unspecified launch failure', push='invalid context')
    driver.fails['detach'] = 'unspecified launch failure'
    device.close()


def graph_driver(monkeypatch: pytest.MonkeyPatch, fails: str = '') -> list[str]:
    """Put a stand-in for cuda.bindings.driver in place; return the list of its calls."""
    calls: list[str] = []

    class Result:
        CUDA_SUCCESS = types.SimpleNamespace(name='CUDA_SUCCESS')
        ERROR = types.SimpleNamespace(name='CUDA_ERROR_STREAM_CAPTURE_INVALIDATED')

    def function(name: str, *values: object):
        def call(*arguments: object) -> tuple:
            calls.append(name)
            if name == fails:
                return Result.ERROR, *(None for _ in values)
            return Result.CUDA_SUCCESS, *values

        return call

    module = types.ModuleType('cuda.bindings.driver')
    module.CUresult = Result  # type: ignore[attr-defined]
    module.CUstream = lambda handle: handle  # type: ignore[attr-defined]
    module.CUstreamCaptureMode = types.SimpleNamespace(  # type: ignore[attr-defined]
        CU_STREAM_CAPTURE_MODE_THREAD_LOCAL=1
    )
    for name, values in {
        'cuStreamBeginCapture': (),
        'cuStreamEndCapture': ('graph',),
        'cuGraphInstantiate': ('executable',),
        'cuGraphDestroy': (),
        'cuGraphLaunch': (),
        'cuGraphExecDestroy': (),
    }.items():
        setattr(module, name, function(name, *values))
    bindings = types.ModuleType('cuda.bindings')
    bindings.driver = module  # type: ignore[attr-defined]
    for name, value in {'cuda': types.ModuleType('cuda'), 'cuda.bindings': bindings}.items():
        monkeypatch.setitem(sys.modules, name, value)
    monkeypatch.setitem(sys.modules, 'cuda.bindings.driver', module)
    return calls


def test_a_graph_is_captured_once_and_launched_often(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
):
    calls = graph_driver(monkeypatch)
    graph = CudaDevice().capture(lambda: calls.append('enqueue'))
    assert graph is not None
    assert calls == [
        'cuStreamBeginCapture',
        'enqueue',
        'cuStreamEndCapture',
        'cuGraphInstantiate',
        'cuGraphDestroy',
    ]
    calls.clear()
    graph.launch()
    graph.launch()
    graph.close()
    graph.close()
    assert calls == ['cuGraphLaunch', 'cuGraphLaunch', 'cuGraphExecDestroy']


@pytest.mark.parametrize(
    'fails', ['cuStreamBeginCapture', 'cuStreamEndCapture', 'cuGraphInstantiate']
)
def test_without_a_graph_there_is_a_fresh_stream(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, fails: str
):
    graph_driver(monkeypatch, fails)
    device = CudaDevice()
    assert device.capture(lambda: None) is None
    assert device.stream == 7002


def test_a_capture_ends_also_when_enqueueing_fails(driver: Driver, monkeypatch: pytest.MonkeyPatch):
    calls = graph_driver(monkeypatch)

    def enqueue() -> None:
        raise BackendError('no kernel')

    assert CudaDevice().capture(enqueue) is None
    assert calls[-1] == 'cuStreamEndCapture'


def test_without_cuda_bindings_there_is_no_graph(driver: Driver, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, 'cuda.bindings', None)
    assert CudaDevice().capture(lambda: None) is None


def test_a_missing_pycuda_and_a_missing_driver_have_their_own_messages(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setitem(sys.modules, 'pycuda', None)
    monkeypatch.setitem(sys.modules, 'pycuda.driver', None)
    with pytest.raises(TensorRtMissingError, match='pip install pycuda'):
        CudaDevice()

    class Finder:
        @staticmethod
        def find_spec(name: str, *_: object) -> None:
            if name.startswith('pycuda'):
                raise ImportError('libcuda.so.1: cannot open shared object file')

    monkeypatch.delitem(sys.modules, 'pycuda')
    monkeypatch.delitem(sys.modules, 'pycuda.driver')
    monkeypatch.setattr(sys, 'meta_path', [Finder, *sys.meta_path])
    with pytest.raises(BackendError, match='driver is missing') as caught:
        CudaDevice()
    assert not isinstance(caught.value, TensorRtMissingError)


def test_a_missing_dependency_of_pycuda_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / 'pycuda').mkdir()
    (tmp_path / 'pycuda' / '__init__.py').write_text('')
    (tmp_path / 'pycuda' / 'driver.py').write_text('import no_such_package.tools')
    monkeypatch.syspath_prepend(tmp_path)
    for name in ('pycuda', 'pycuda.driver'):
        monkeypatch.setitem(sys.modules, name, None)  # so that what is imported is undone
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(BackendError, match='pip install no_such_package') as caught:
        CudaDevice()
    assert not isinstance(caught.value, TensorRtMissingError)


def test_host_arrays_start_at_zero(driver: Driver):
    driver.pagelocked_empty = lambda shape, kind: np.full(shape, 9, kind)  # type: ignore[attr-defined]
    assert CudaDevice().host_array((2, 3), np.uint8).sum() == 0
