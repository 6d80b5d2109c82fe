# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What only a GPU can show: memory, streams, graphs, and engines that run. `make test-gpu`."""

import gc
import importlib.util
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from msdepth_ros.errors import BackendError
from msdepth_ros.inference.backends import create_backend
from msdepth_ros.inference.backends.onnxruntime import OnnxRuntimeBackend
from msdepth_ros.inference.backends.self_check import check_images
from msdepth_ros.inference.backends.tensorrt.api import import_tensorrt
from msdepth_ros.inference.backends.tensorrt.backend import TensorRtBackend
from msdepth_ros.inference.backends.tensorrt.cuda import CudaDevice
from msdepth_ros.inference.backends.tensorrt.engine_options import EngineOptions
from msdepth_ros.inference.model import Model, load_model, model_names
from msdepth_ros.node.threads import NewestWorker

pytestmark = pytest.mark.gpu


@pytest.fixture
def gpu() -> Iterator[CudaDevice]:
    try:
        device = CudaDevice()
    except BackendError as error:
        pytest.skip(f'no GPU to test with: {error}')
    yield device
    device.close()


@pytest.fixture(params=model_names())
def model(gpu: CudaDevice, request: pytest.FixtureRequest) -> Model:
    """Return each shipped model, where this TensorRT runs it on this GPU."""
    try:
        import_tensorrt().check_runs_on(gpu.capability, gpu.name)
    except BackendError as error:
        pytest.skip(f'no TensorRT to test with: {error}')
    return load_model(request.param)


@pytest.fixture
def options(tmp_path: Path) -> EngineOptions:
    return EngineOptions(cache_dir=tmp_path / 'engines')


def answers(backend: TensorRtBackend | OnnxRuntimeBackend) -> np.ndarray:
    """Return the depths of the test images, [images, height, width]."""
    depths = []
    for image in check_images(*backend.model.input_size):
        backend.inputs['image'][:] = image
        backend.run()
        depths.append(backend.outputs['depth'].copy())
    return np.stack(depths)


def test_memory_goes_to_the_gpu_and_back(gpu: CudaDevice):
    with gpu.current():
        source = gpu.host_array((480, 640, 3), np.uint8)
        target = gpu.host_array((921600,), np.uint8)
        source[:] = np.random.default_rng(0).integers(0, 256, source.shape)
        memory = gpu.device_memory(source.nbytes)
        gpu.upload(memory, source)
        gpu.download(target, memory)
        gpu.wait()
        np.testing.assert_array_equal(source.ravel(), target)


def test_a_graph_copies_what_is_in_the_buffer_when_it_is_launched(gpu: CudaDevice):
    if importlib.util.find_spec('cuda') is None:
        pytest.skip('no graphs without the Python package cuda-bindings')
    with gpu.current():
        source, target = gpu.host_array((1000,), np.float32), gpu.host_array((1000,), np.float32)
        memory = gpu.device_memory(source.nbytes)

        def enqueue() -> None:
            gpu.upload(memory, source)
            gpu.download(target, memory)

        enqueue()
        gpu.wait()
        graph = gpu.capture(enqueue)
        assert graph is not None
        for value in (1.5, 2.5):
            source[:] = value
            graph.launch()
            gpu.wait()
            assert (target == value).all()
        graph.close()


def test_a_gpu_can_be_opened_by_one_thread_after_another(gpu: CudaDevice):
    failures: list[BaseException] = []

    def use() -> None:
        try:
            device = CudaDevice()
            with device.current():
                array = device.host_array((16,), np.uint8)
                memory = device.device_memory(array.nbytes)
                device.upload(memory, array)
                device.wait()
            device.close()
        except BaseException as error:
            failures.append(error)

    for _ in range(3):
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
    assert failures == []


@pytest.mark.parametrize('precision', ['fp16', 'fp32'])
def test_an_engine_computes_what_onnx_runtime_does(
    model: Model, options: EngineOptions, precision: str
):
    reference = OnnxRuntimeBackend(model)
    backend = TensorRtBackend(model, precision, options)
    error = np.abs(answers(backend) / answers(reference) - 1)
    assert backend.precision == precision
    assert error.mean() < (0.01 if precision == 'fp16' else 0.001)
    backend.close()
    reference.close()


def test_fp16_shows_in_the_engine_s_layers_and_in_its_size(model: Model, options: EngineOptions):
    half, full = (TensorRtBackend(model, p, options) for p in ('fp16', 'fp32'))
    if half.details['product_layers']:  # an inspector may tell of none, all being fused
        assert 'layers' in half.details['fp16_by']
    assert full.details['fp16_product_layers'] == 0
    if full.details['fp32_weight_bytes'] > 40e6:  # else a plan may be kernels more than weights
        assert half.details['plan_bytes'] < 0.65 * full.details['plan_bytes']
    full.close()
    half.close()


def test_graph_and_plain_enqueue_give_the_same(model: Model, options: EngineOptions):
    plain = TensorRtBackend(
        model, 'fp16', EngineOptions(cache_dir=options.cache_dir, cuda_graph=False)
    )
    graph = TensorRtBackend(model, 'fp16', options)
    assert not plain.details['cuda_graph']
    np.testing.assert_array_equal(answers(plain), answers(graph))
    graph.close()
    plain.close()


def test_the_second_start_loads_from_the_cache_and_is_fast(model: Model, options: EngineOptions):
    TensorRtBackend(model, 'fp16', options).close()
    began = time.perf_counter()
    backend = TensorRtBackend(model, 'fp16', options)
    seconds = time.perf_counter() - began
    assert backend.details['origin'].startswith('cache: ')
    assert seconds < 5.0
    backend.close()


def test_it_works_on_the_node_s_worker_thread(model: Model, options: EngineOptions):
    worker: NewestWorker[int] = NewestWorker(lambda item: None)
    backend = worker.call(lambda: create_backend(model, 'tensorrt', engine_options=options))
    backend.inputs['image'][:] = check_images(*model.input_size)[0]
    worker.call(backend.run)
    assert np.isfinite(backend.outputs['depth']).all()
    worker.call(backend.close)
    worker.stop()


def test_close_gives_the_memory_back(model: Model, options: EngineOptions, gpu: CudaDevice):
    import pycuda.driver

    def free() -> int:
        gc.collect()
        with gpu.current():
            return int(pycuda.driver.mem_get_info()[0])

    TensorRtBackend(model, 'fp16', options).close()  # what CUDA loads once stays loaded
    before = free()
    for _ in range(3):
        TensorRtBackend(model, 'fp16', options).close()
    assert before - free() < 8 << 20


def test_waiting_for_the_gpu_does_not_keep_a_core_busy(model: Model, options: EngineOptions):
    backend = TensorRtBackend(model, 'fp16', options)
    backend.run()
    began, cpu = time.perf_counter(), time.thread_time()
    for _ in range(300):
        backend.run()
    share = (time.thread_time() - cpu) / (time.perf_counter() - began)
    backend.close()
    print(f'share of a core: {share:.0%}')
    assert share < 0.9
