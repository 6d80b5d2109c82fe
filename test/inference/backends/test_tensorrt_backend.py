# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The TensorRT backend without a GPU: engines are built for real, and a stand-in runs them.

The stand-in for the GPU computes with ONNX Runtime, so that all around it is the real thing: the
choice between cache and build, the self-check, the fall-back to FP32 and to the CPU, the errors.
"""

import errno
import functools
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip('onnx')
pytest.importorskip('tensorrt_rtx_bindings', exc_type=ImportError)

from small_onnx import write_small_model

from msdepth_ros.cli import main
from msdepth_ros.errors import BackendError
from msdepth_ros.host import own_files
from msdepth_ros.inference.backends import create, create_backend, self_check
from msdepth_ros.inference.backends.onnxruntime import OnnxRuntimeBackend
from msdepth_ros.inference.backends.self_check import SelfCheck, check_engine, check_images
from msdepth_ros.inference.backends.tensorrt import api as tensorrt_api
from msdepth_ros.inference.backends.tensorrt import backend as tensorrt
from msdepth_ros.inference.backends.tensorrt import cuda, engine_builder
from msdepth_ros.inference.backends.tensorrt.backend import TensorRtBackend
from msdepth_ros.inference.backends.tensorrt.cuda_errors import TensorRtMissingError
from msdepth_ros.inference.backends.tensorrt.engine_options import EngineOptions
from msdepth_ros.inference.backends.tensorrt.session import (
    BadPlanError,
    TensorRtSession,
    count_half_products,
)
from msdepth_ros.inference.estimator import Settings
from msdepth_ros.inference.model import Model, load_model
from msdepth_ros.inference.model_host import ModelChoice, ModelHost


def layer(kind: str, inputs: str, weights: str = '', name: str = '') -> dict[str, object]:
    """Return a layer as TensorRT's inspector describes it."""
    known = {'Name': name, 'LayerType': kind, 'Inputs': [{'Format/Datatype': inputs}]}
    return {**known, 'Weights': {'Type': weights, 'Count': 9}} if weights else known


class Gpu:
    """What the stand-in GPU did, and what is to go wrong with it."""

    def __init__(self) -> None:
        self.open_devices = self.open_sessions = self.builds = 0
        self.error = {'fp16': 1e-3, 'fp32': 1e-6}  # relative, of the answers
        self.refuses: Callable[[bytes], bool] = lambda plan: False
        self.lost = self.full = False
        self.layers = [layer('CaskConvolution', 'Half'), layer('PointWise', 'Float')]


images_once = functools.cache(check_images)  # decoding the clip takes longer than a build


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Gpu]:
    gpu = Gpu()

    class Device:
        name, capability, driver, stream = 'Stand-in', 'sm89', '13.0', 0

        def __init__(self) -> None:
            gpu.open_devices += 1
            self.is_open = True

        def close(self) -> None:
            gpu.open_devices -= self.is_open
            self.is_open = False

    class Session:
        uses_graph = True

        def __init__(
            self, api: object, cuda: object, model: Model, plan: bytes, cuda_graph: bool
        ) -> None:
            if gpu.refuses(plan):
                raise BadPlanError('the engine cannot be loaded: TensorRT says: no')
            if gpu.full:
                raise BackendError('the engine cannot be loaded: out of memory')
            gpu.open_sessions += 1
            half = len(plan) < 2.8 * model.onnx.stat().st_size  # its size tells its precision
            self.factor = 1 + gpu.error['fp16' if half else 'fp32']
            self.reference = OnnxRuntimeBackend(model, 1)
            self.inputs, self.outputs = self.reference.inputs, self.reference.outputs

        def run(self) -> None:
            if gpu.lost:
                raise BackendError('the GPU failed while running small: launch failed')
            self.reference.run()
            self.outputs['depth'] *= self.factor

        def layers(self) -> list[dict[str, object]]:
            return gpu.layers

        def close(self) -> None:
            gpu.open_sessions -= 1
            self.reference.close()

    build = engine_builder.build_engine

    def counted(*arguments: object, **named: object) -> object:
        gpu.builds += 1
        return build(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(tensorrt, 'CudaDevice', Device)
    monkeypatch.setattr(cuda, 'CudaDevice', Device)
    monkeypatch.setattr(tensorrt, 'TensorRtSession', Session)
    monkeypatch.setattr(tensorrt, 'build_engine', counted)
    monkeypatch.setattr(create, '_logged', set())
    monkeypatch.setattr(self_check, 'check_images', images_once)
    yield gpu
    assert gpu.open_devices == gpu.open_sessions == 0, 'something was left open'


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return load_model(write_small_model(tmp_path))


@pytest.fixture
def options(tmp_path: Path) -> EngineOptions:
    return EngineOptions(cache_dir=tmp_path / 'engines')


def details(model: Model, options: EngineOptions, precision: str = 'auto') -> dict:
    backend = TensorRtBackend(model, precision, options)
    try:
        return {**backend.details, 'precision': backend.precision, 'device': backend.device}
    finally:
        backend.close()


def test_builds_once_checks_it_and_then_loads_it(gpu: Gpu, model: Model, options: EngineOptions):
    first = details(model, options)
    assert first['origin'] == 'built now'
    assert first['precision'] == 'fp16'
    assert first['device'] == 'Stand-in (sm89), TensorRT for RTX 1.7.1.116'
    assert first['self_check']['passed']
    assert first['self_check']['mean_error'] == pytest.approx(1e-3, rel=0.01)
    counts = [first[name] for name in ('layers', 'product_layers', 'fp16_product_layers')]
    assert counts == [2, 1, 1]
    assert first['fp16_by'] == ['types', 'layers']
    assert Path(first['kept']).is_file()
    second = details(model, options)
    assert second['origin'].startswith('cache: ')
    assert second['kept'] == first['kept']
    assert second['self_check'] == first['self_check']
    assert gpu.builds == 1


def test_runs_frames_and_refuses_to_after_close(gpu: Gpu, model: Model, options: EngineOptions):
    backend = TensorRtBackend(model, 'fp32', options)
    backend.inputs['image'][:] = np.random.default_rng(0).integers(
        0, 256, backend.inputs['image'].shape
    )
    backend.run()
    assert backend.outputs['depth'].shape == (6, 8)
    assert np.isfinite(backend.outputs['depth']).all()
    backend.close()
    with pytest.raises(BackendError, match='closed'):
        backend.run()
    backend.close()


def test_an_fp16_engine_that_is_wrong_is_refused_for_fp32(
    gpu: Gpu, model: Model, options: EngineOptions, caplog: pytest.LogCaptureFixture
):
    gpu.error['fp16'] = 0.02
    for builds in (2, 2):  # the second time both come from the cache, and the verdict with them
        caplog.clear()
        facts = details(model, options)
        assert facts['precision'] == 'fp32'
        assert '2.00% mean, 2.00% largest' in facts['fp16_refused']
        warnings = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
        assert len(warnings) == 1
        assert 'FP16 engine of small is refused' in warnings[0]
        assert gpu.builds == builds


HALF_CONV = layer('CaskConvolution', 'Channel major FP16 format where channel % 8 == 0', 'Half')
FLOAT_CONV = layer('CaskConvolution', 'Row major linear FP32', 'Float', 'conv_fp16')
CAST = layer('Reformat', 'Row major linear FP16 format', name='conv_to_fp16')


@pytest.mark.parametrize(
    ('layers', 'precision'),
    [
        ([CAST, HALF_CONV, HALF_CONV, FLOAT_CONV], 'fp16'),
        ([CAST, HALF_CONV, FLOAT_CONV], 'fp32'),
        ([CAST, FLOAT_CONV], 'fp32'),
        (['conv_fp16', 'conv_to_fp16'], 'fp32'),
        ([], 'fp32'),
    ],
)
def test_an_fp16_engine_that_nothing_shows_to_be_fp16_is_refused_for_fp32(
    gpu: Gpu,
    model: Model,
    options: EngineOptions,
    monkeypatch: pytest.MonkeyPatch,
    layers: list,
    precision: str,
):
    monkeypatch.setattr(engine_builder._Build, '_shown_by', lambda *_: [])
    gpu.layers = layers
    facts = details(model, options)
    assert facts['precision'] == precision
    assert ('neither its layers nor its size' in facts.get('fp16_refused', '')) == (
        precision == 'fp32'
    )


@pytest.mark.parametrize('error', [0.02, float('nan'), float('inf')])
def test_an_engine_that_is_wrong_in_fp32_too_is_an_error(
    gpu: Gpu, model: Model, options: EngineOptions, error: float
):
    gpu.error = {'fp16': error, 'fp32': error}
    with pytest.raises(BackendError, match='FP32 engine of small is refused'):
        TensorRtBackend(model, 'auto', options)


def test_nothing_is_built_for_a_gpu_that_tensorrt_for_rtx_does_not_know(
    gpu: Gpu, model: Model, options: EngineOptions, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tensorrt.CudaDevice, 'capability', 'sm90')
    with pytest.raises(BackendError, match='does not run on Stand-in, which is sm90'):
        TensorRtBackend(model, 'auto', options)
    assert gpu.builds == 0


def test_an_update_can_be_forced(gpu: Gpu, model: Model, options: EngineOptions):
    details(model, options)
    details(model, EngineOptions(options.cache_dir, force_update=True))
    assert gpu.builds == 2


def test_a_plan_that_tensorrt_refuses_is_built_again(
    gpu: Gpu, model: Model, options: EngineOptions, caplog: pytest.LogCaptureFixture
):
    details(model, options)
    refused = [True]  # once
    gpu.refuses = lambda plan: bool(refused and refused.pop())
    assert details(model, options)['origin'] == 'built now'
    assert [m for m in caplog.messages if 'is not used: the engine cannot be loaded' in m]


def test_an_engine_that_found_no_memory_is_not_built_again(
    gpu: Gpu, model: Model, options: EngineOptions
):
    details(model, options)
    gpu.full = True
    with pytest.raises(BackendError, match='out of memory'):
        TensorRtBackend(model, 'auto', options)
    assert gpu.builds == 1


def test_an_engine_built_ahead_of_time_is_checked_at_the_first_start(
    gpu: Gpu, model: Model, options: EngineOptions
):
    from msdepth_ros.inference.backends.tensorrt.engine_ahead import build_into_cache

    _, place = build_into_cache(model, 'fp16', 'sm89', options)
    sidecar = Path(f'{place}.json')
    assert 'self_check' not in json.loads(sidecar.read_text())
    facts = details(model, options)
    assert facts['origin'] == f'cache: {place}'
    assert json.loads(sidecar.read_text())['self_check'] == facts['self_check']
    assert gpu.builds == 0


def test_an_engine_in_a_folder_that_takes_nothing_is_used_and_checked_at_each_start(
    gpu: Gpu,
    model: Model,
    options: EngineOptions,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    from msdepth_ros.inference.backends.tensorrt.engine_ahead import build_into_cache

    def make(**_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    _, place = build_into_cache(model, 'fp16', 'sm89', options)
    monkeypatch.setattr(own_files.tempfile, 'mkstemp', make)
    caplog.set_level(logging.INFO)
    for _ in range(2):
        caplog.clear()
        assert details(model, options)['origin'] == f'cache: {place}'
        assert [r.levelno for r in caplog.records] == [logging.INFO] * 2
        assert 'the self-check of small cannot be noted in' in caplog.messages[1]
        assert 'repeated at each start' in caplog.messages[1]
    assert gpu.builds == 0


def test_a_sidecar_that_lacks_a_fact_is_built_again(
    gpu: Gpu, model: Model, options: EngineOptions, caplog: pytest.LogCaptureFixture
):
    sidecar = Path(f'{details(model, options)["kept"]}.json')
    facts = json.loads(sidecar.read_text())
    del facts['fp16_by']
    sidecar.write_text(json.dumps(facts))
    assert details(model, options)['origin'] == 'built now'
    assert [m for m in caplog.messages if 'its JSON file is damaged: no fp16_by in it' in m]


def test_a_folder_that_takes_nothing_is_an_error_in_the_log_and_no_more(
    gpu: Gpu, model: Model, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / 'file').write_text('')
    facts = details(model, EngineOptions(tmp_path / 'file' / 'engines'))
    assert (facts['origin'], facts['kept']) == ('built now', '')
    errors = [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]
    assert len(errors) == 1
    assert 'cannot be kept in' in errors[0]
    assert 'runs from memory' in errors[0]


def build_engine_command(model: Model, *arguments: str) -> int:
    return main(['build-engine', '--model', str(model.onnx.with_suffix('.yaml')), *arguments])


def test_the_command_builds_for_this_gpu_and_says_what_the_self_check_found(
    gpu: Gpu, model: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    arguments = ('--cache-dir', str(tmp_path / 'engines'))
    assert build_engine_command(model, *arguments) == 0
    said = capsys.readouterr().out
    assert '0.100% mean error against FP32' in said
    assert said.rstrip().endswith('.engine')
    assert build_engine_command(model, *arguments) == 0
    assert '; cache: ' in capsys.readouterr().out
    gpu.error['fp16'] = 0.02
    assert build_engine_command(model, *arguments, '--force') == 0
    assert 'FP16 is refused: its relative error' in capsys.readouterr().out


def test_the_command_fails_before_the_build_where_the_engine_cannot_be_kept(
    gpu: Gpu, model: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / 'file').write_text('')
    assert build_engine_command(model, '--cache-dir', str(tmp_path / 'file' / 'engines')) == 2
    said = capsys.readouterr().err
    assert 'name another folder' in said
    assert '--cache-dir' in said
    assert gpu.builds == 0


def test_the_command_without_a_gpu_names_the_way_that_needs_none(
    gpu: Gpu,
    model: Model,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    def fail() -> None:
        raise BackendError('no driver')

    monkeypatch.setattr(cuda, 'CudaDevice', fail)
    assert build_engine_command(model) == 2
    assert (
        'no driver. Without a GPU, name one to build for with --target' in capsys.readouterr().err
    )


def test_what_progress_raises_comes_out_and_nothing_stays_open(
    gpu: Gpu, model: Model, options: EngineOptions
):
    def stop(stage: str, fraction: float) -> None:
        raise KeyboardInterrupt

    for backend in ('tensorrt', 'auto'):
        with pytest.raises(KeyboardInterrupt):
            create_backend(model, backend, engine_options=options, progress=stop)


def test_a_lost_gpu_is_an_error_and_can_be_closed(gpu: Gpu, model: Model, options: EngineOptions):
    backend = TensorRtBackend(model, 'auto', options)
    gpu.lost = True
    with pytest.raises(BackendError, match='the GPU failed while running small'):
        backend.run()
    backend.close()


def test_auto_passes_over_an_engine_that_loads_but_does_not_run(
    gpu: Gpu,
    model: Model,
    options: EngineOptions,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    monkeypatch.setitem(sys.modules, 'openvino', None)
    details(model, options)
    gpu.lost = True
    assert create_backend(model, 'auto', engine_options=options).name == 'onnxruntime'
    assert 'running on onnxruntime, not on tensorrt: the GPU failed while running' in caplog.text
    with pytest.raises(BackendError, match='the GPU failed while running'):
        create_backend(model, 'tensorrt', engine_options=options)


@pytest.mark.parametrize('cause', ['no run succeeds', 'no device opens'])
def test_auto_goes_on_on_the_cpu_when_the_gpu_is_lost_in_mid_run(
    gpu: Gpu, model: Model, options: EngineOptions, monkeypatch: pytest.MonkeyPatch, cause: str
):
    def fail() -> None:
        raise BackendError('no device')

    monkeypatch.setitem(sys.modules, 'openvino', None)
    now = [0.0]
    host = ModelHost(clock=lambda: now[0])
    yaml = str(model.onnx.with_suffix('.yaml'))
    assert host.load(ModelChoice(yaml, 'auto', engine_options=options)).name == 'tensorrt'
    image = np.full((48, 64, 3), 100, np.uint8)
    gpu.lost = True
    if cause == 'no device opens':
        monkeypatch.setattr(tensorrt, 'CudaDevice', fail)
    with pytest.raises(BackendError, match='the GPU failed'):
        host.estimate(image, 'rgb8', None, Settings())
    with pytest.raises(BackendError, match='next try in 1 s'):
        host.estimate(image, 'rgb8', None, Settings())
    now[0] += 1.1
    host.estimate(image, 'rgb8', None, Settings())
    assert host.estimator is not None
    assert host.estimator.backend.name == 'onnxruntime'
    host.unload()


def test_auto_takes_tensorrt_where_it_works(gpu: Gpu, model: Model, options: EngineOptions):
    backend = create_backend(model, 'auto', engine_options=options)
    assert (backend.name, backend.precision) == ('tensorrt', 'fp16')
    backend.close()


@pytest.mark.parametrize(
    ('error', 'level'),
    [(BackendError('no driver'), 'WARNING'), (TensorRtMissingError('not installed'), 'INFO')],
)
def test_auto_falls_back_to_the_cpu_and_says_so_once(
    gpu: Gpu,
    model: Model,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: BackendError,
    level: str,
):
    def fail() -> None:
        raise error

    monkeypatch.setattr(tensorrt, 'CudaDevice', fail)
    caplog.set_level(logging.INFO)
    monkeypatch.setitem(sys.modules, 'openvino', None)
    for _ in range(3):
        assert create_backend(model, 'auto').name == 'onnxruntime'
    said = [r for r in caplog.records if 'not on tensorrt' in r.getMessage()]
    assert [(r.levelname, str(error) in r.getMessage()) for r in said] == [(level, True)]
    with pytest.raises(type(error), match=str(error)):
        create_backend(model, 'tensorrt')


def test_without_tensorrt_the_gpu_is_not_even_looked_for(
    gpu: Gpu, model: Model, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tensorrt_api, 'MODULES', ('no_such_module',))
    with pytest.raises(TensorRtMissingError, match=r'docs/jetson\.md'):
        create_backend(model, 'tensorrt')


def test_the_self_check_measures_relative_errors(model: Model):
    backend = OnnxRuntimeBackend(model, 1)

    def run() -> None:
        backend.run()
        backend.outputs['depth'][0, 0] *= 1.05

    check = check_engine(model, backend.inputs, backend.outputs, run)
    assert check.max_error == pytest.approx(0.05, abs=1e-6)
    assert check.mean_error == pytest.approx(0.05 / 48, abs=1e-6)
    assert check.passed

    def run_wrong() -> None:
        backend.run()
        backend.outputs['depth'][2, 3] = np.nan

    assert not check_engine(model, backend.inputs, backend.outputs, run_wrong).passed


def test_the_self_check_takes_a_masked_sky_as_it_is(model: Model, monkeypatch: pytest.MonkeyPatch):
    run_onnx = OnnxRuntimeBackend.run

    def run_masked(backend: OnnxRuntimeBackend) -> None:
        run_onnx(backend)
        backend.outputs['depth'][:2] = np.nan

    monkeypatch.setattr(OnnxRuntimeBackend, 'run', run_masked)
    backend = OnnxRuntimeBackend(model, 1)
    check = check_engine(model, backend.inputs, backend.outputs, backend.run)
    assert check.passed
    assert check.max_error == 0

    def run_without_sky() -> None:
        run_onnx(backend)

    assert not check_engine(model, backend.inputs, backend.outputs, run_without_sky).passed


@pytest.mark.parametrize(
    ('mean', 'largest', 'passed'),
    [(0.0, 0.0, True), (0.01, 0.1, True), (0.011, 0.02, False), (0.001, 0.11, False)],
)
def test_the_self_check_has_two_limits(mean: float, largest: float, passed: bool):
    assert SelfCheck(mean, largest, 4).passed == passed


def test_check_images_differ_and_are_always_the_same():
    first, second = check_images(40, 30), check_images(40, 30)
    assert len(first) == 4
    for image, again in zip(first, second):
        assert image.shape == (30, 40, 3)
        assert image.dtype == np.uint8
        assert image.std() > 10
        np.testing.assert_array_equal(image, again)
    assert not np.array_equal(first[0], first[-1])


@pytest.mark.parametrize(
    ('layer', 'counts'),
    [
        (HALF_CONV, (1, 1)),
        (FLOAT_CONV, (1, 0)),
        (layer('CaskConvolution', 'Row major linear FP32', 'Half'), (1, 0)),
        (layer('CaskConvolution', 'Row major linear FP16 format', 'Float'), (1, 0)),
        (layer('CaskDeconvolution', 'Half'), (1, 1)),
        (layer('gemm', 'Half'), (1, 1)),
        (layer('MatrixMultiply', 'Float'), (1, 0)),
        (layer('correlation', 'BFloat16'), (1, 0)),
        ({'LayerType': 'Convolution', 'Name': 'conv_fp16', 'Inputs': []}, (1, 0)),
        ({'LayerType': 'Convolution', 'Name': 'conv_fp16'}, (1, 0)),
        (CAST, (0, 0)),
        (layer('PointWiseV2', 'Half'), (0, 0)),
        ('conv_fp16', (0, 0)),
    ],
)
def test_products_in_fp16_are_recognised_by_their_types_and_by_no_name(
    layer: object, counts: tuple
):
    assert count_half_products([layer]) == counts


class Memory:
    """GPU memory of the stand-in driver: an array, and a number for it."""

    def __init__(self, nbytes: int) -> None:
        self.bytes = np.zeros(nbytes, np.uint8)

    def __int__(self) -> int:
        return int(self.bytes.ctypes.data)


def stand_in_tensorrt(model: Model, **changes: object) -> tensorrt_api.TensorRt:
    """Return a TensorRT whose one engine predicts 7 m; `changes` make it fail."""
    (in_width, in_height), (out_width, out_height) = model.input_size, model.output_size
    shapes = {'image': (1, in_height, in_width, 3), 'depth': (1, 1, out_height, out_width)}
    addresses: dict[str, int] = {}

    def set_tensor_address(name: str, address: int) -> bool:
        addresses[name] = address
        return name in shapes

    def execute(stream: int) -> bool:
        assert stream == 42
        count = out_width * out_height
        pointer = np.ctypeslib.ctypes.cast(addresses['depth'], FLOATS)
        np.ctypeslib.as_array(pointer, (count,))[:] = 7.0
        return bool(changes.get('execute', True))

    context = SimpleNamespace(
        set_tensor_address=set_tensor_address,
        execute_async_v3=execute,
        is_stream_capturable=lambda stream: False,
    )
    engine = SimpleNamespace(
        num_io_tensors=2,
        get_tensor_name=['image', changes.get('output', 'depth')].__getitem__,
        get_tensor_mode=lambda name: 'in' if name == 'image' else 'out',
        get_tensor_dtype=lambda name: 'uint8' if name == 'image' else 'float',
        get_tensor_shape=lambda name: shapes.get(name, ()),
        create_execution_context=lambda: None if changes.get('context') else context,
        create_engine_inspector=lambda: SimpleNamespace(
            get_engine_information=lambda kind: changes.get('layers', '{"Layers": ["a"]}')
        ),
    )
    module = SimpleNamespace(
        Runtime=lambda log: SimpleNamespace(
            deserialize_cuda_engine=lambda plan: engine if plan == b'plan' else None
        ),
        TensorIOMode=SimpleNamespace(INPUT='in'),
        DataType=SimpleNamespace(UINT8='uint8', FLOAT='float'),
        LayerInformationFormat=SimpleNamespace(JSON='json'),
    )
    words = changes.get('words', 'no such kernel')
    log = SimpleNamespace(bridge=None, clear=lambda: None, first=lambda: words, errors=[words])
    return tensorrt_api.TensorRt(module, 'tensorrt_rtx', '1.7', log)  # type: ignore[arg-type]


FLOATS = np.ctypeslib.ctypes.POINTER(np.ctypeslib.ctypes.c_float)


class HostCuda:
    """A CudaDevice whose GPU memory is the host's."""

    stream = 42

    def __init__(self) -> None:
        self.depth = self.waits = 0

    @contextmanager
    def current(self, what: str = '') -> Iterator[None]:
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1

    def host_array(self, shape: tuple[int, ...], kind: type) -> np.ndarray:
        return np.zeros(shape, kind)

    def device_memory(self, nbytes: int) -> Memory:
        return Memory(nbytes)

    def upload(self, memory: Memory, array: np.ndarray) -> None:
        memory.bytes[:] = array.view(np.uint8).ravel()

    def download(self, array: np.ndarray, memory: Memory) -> None:
        assert self.depth
        array.view(np.uint8).ravel()[:] = memory.bytes

    def wait(self) -> None:
        self.waits += 1


def test_a_session_uploads_runs_and_downloads(model: Model):
    cuda = HostCuda()
    session = TensorRtSession(stand_in_tensorrt(model), cuda, model, b'plan')  # type: ignore[arg-type]
    assert not session.uses_graph  # the context says that it cannot be captured
    session.outputs['depth'][:] = 0
    session.run()
    np.testing.assert_array_equal(session.outputs['depth'], np.full((6, 8), 7.0, np.float32))
    assert (cuda.depth, cuda.waits) == (0, 2)
    assert session.layers() == ['a']
    session.close()


@pytest.mark.parametrize(
    ('plan', 'changes', 'words'),
    [
        (b'other', {}, 'cannot be loaded: TensorRT for RTX 1.7 says: no such kernel'),
        (b'plan', {'context': True}, 'cannot be started: .*no such kernel'),
        (b'plan', {'output': 'disparity'}, 'not of the model small'),
        (b'plan', {'execute': False}, 'failed while running small: .*no such kernel'),
    ],
)
def test_a_session_that_cannot_be_is_one_clear_error(
    model: Model, plan: bytes, changes: dict[str, object], words: str
):
    cuda = HostCuda()
    with pytest.raises(BackendError, match=words):
        TensorRtSession(stand_in_tensorrt(model, **changes), cuda, model, plan)  # type: ignore[arg-type]
    assert cuda.depth == 0


@pytest.mark.parametrize(
    ('plan', 'changes', 'is_bad'),
    [
        (b'other', {'words': 'Error Code 1: Serialization (Version tag does not match)'}, True),
        (b'other', {'words': 'deserializeCudaEngine: Error Code 4: magicTag is not right'}, True),
        (b'plan', {'output': 'disparity'}, True),
        (b'other', {'words': 'Error Code 2: OutOfMemory (no further information)'}, False),
        (b'other', {'words': 'Error Code 1: Cuda Runtime (unknown error)'}, False),
        (b'plan', {'context': True}, False),
        (b'plan', {'execute': False}, False),
    ],
)
def test_a_bad_plan_is_distinguished_from_a_gpu_that_failed(
    model: Model, plan: bytes, changes: dict[str, object], is_bad: bool
):
    with pytest.raises(BackendError) as caught:
        TensorRtSession(stand_in_tensorrt(model, **changes), HostCuda(), model, plan)  # type: ignore[arg-type]
    assert isinstance(caught.value, BadPlanError) == is_bad


def test_no_memory_is_allocated_per_frame(model: Model, monkeypatch: pytest.MonkeyPatch):
    cuda = HostCuda()
    session = TensorRtSession(stand_in_tensorrt(model), cuda, model, b'plan')  # type: ignore[arg-type]
    allocations: list[object] = []
    for name in ('host_array', 'device_memory'):
        monkeypatch.setattr(cuda, name, lambda *arguments: allocations.append(arguments))
    kept = session.inputs['image'], session.outputs['depth']
    for _ in range(5):
        session.run()
    assert allocations == []
    assert (session.inputs['image'] is kept[0], session.outputs['depth'] is kept[1]) == (True, True)


@pytest.mark.parametrize('text', ['', 'no JSON', '[]', '{}'])
def test_an_inspector_without_information_is_no_error(model: Model, text: str):
    api = stand_in_tensorrt(model, layers=text)
    assert TensorRtSession(api, HostCuda(), model, b'plan').layers() == []  # type: ignore[arg-type]
