# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Engines are built for real, with TensorRT for RTX, which needs no GPU to build."""

import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from patience import PATIENCE

pytest.importorskip('onnx')
pytest.importorskip('tensorrt_rtx_bindings', exc_type=ImportError)

from small_onnx import small_onnx, write_small_model

from msdepth_ros.cli import main
from msdepth_ros.errors import BackendError, ModelError
from msdepth_ros.inference.backends.tensorrt import api as tensorrt_api
from msdepth_ros.inference.backends.tensorrt import (
    build_progress,
    engine_ahead,
    engine_builder,
    fp16,
)
from msdepth_ros.inference.backends.tensorrt.api import TensorRt, import_tensorrt
from msdepth_ros.inference.backends.tensorrt.backend import engine_key
from msdepth_ros.inference.backends.tensorrt.build_progress import (
    BuildProgress,
    BuildStoppedError,
    heartbeat,
    run_interruptibly,
)
from msdepth_ros.inference.backends.tensorrt.engine_ahead import build_into_cache, build_into_file
from msdepth_ros.inference.backends.tensorrt.engine_builder import build_engine
from msdepth_ros.inference.backends.tensorrt.engine_cache import EngineCache
from msdepth_ros.inference.backends.tensorrt.engine_options import EngineOptions
from msdepth_ros.inference.model import Model, load_model, model_names

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return load_model(write_small_model(tmp_path))


def test_fp16_is_proven_by_types_and_by_size(model: Model):
    half = build_engine(import_tensorrt(), model, 'fp16', target='sm89')
    full = build_engine(import_tensorrt(), model, 'fp32', target='sm89')
    assert (half.precision, full.precision) == ('fp16', 'fp32')
    assert (half.facts['products'], half.facts['fp16_products']) == (3, 3)
    assert (full.facts['products'], full.facts['fp16_products']) == (3, 0)
    weights = half.facts['fp32_weight_bytes']
    assert weights == full.facts['fp32_weight_bytes'] > 800_000
    saved = len(full.plan) - len(half.plan)
    assert 0.45 * weights < saved < 0.55 * weights  # two bytes less of every weight


@pytest.mark.parametrize('name', model_names())
def test_each_shipped_model_becomes_an_fp16_engine(name: str):
    built = build_engine(import_tensorrt(), load_model(name), 'fp16', target='sm89')
    assert built.facts['fp16_products'] == built.facts['products'] >= 10
    assert built.facts['fp16_by'] == ['types', 'size']
    assert 0.5 <= len(built.plan) / built.facts['fp32_weight_bytes'] < 0.7
    # For this one TensorRT for RTX puts kernels into the plan: it may be larger than its weights.
    assert (
        'types' in build_engine(import_tensorrt(), load_model(name), target='sm75').facts['fp16_by']
    )


def test_a_network_that_is_not_fp16_is_not_built_as_fp16(
    model: Model, monkeypatch: pytest.MonkeyPatch
):
    prepare = engine_builder.prepare_graph

    def prepare_fp32(data: bytes, precision: str, folder: None):
        return replace(prepare(data, 'fp32'), counts=prepare(data, precision).counts)

    monkeypatch.setattr(engine_builder, 'prepare_graph', prepare_fp32)
    with pytest.raises(BackendError, match='0 FP16 products of 3'):
        build_engine(import_tensorrt(), model, 'fp16', target='sm89')


def test_a_plan_as_large_as_fp32_is_not_shown_to_be_fp16_by_its_size(
    model: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    prepare = engine_builder.prepare_graph

    def prepare_as_if_small(data: bytes, precision: str, folder: None):
        return replace(prepare(data, precision), fp32_weight_bytes=1)

    monkeypatch.setattr(engine_builder, 'prepare_graph', prepare_as_if_small)
    built = build_engine(import_tensorrt(), model, 'fp16', target='sm89')
    assert built.facts['fp16_by'] == ['types']
    monkeypatch.setattr(TensorRt, 'strongly_typed', False)  # as before TensorRT 10
    monkeypatch.setattr(TensorRt, 'create_network', lambda api, builder: builder.create_network())
    monkeypatch.setattr(TensorRt, 'set_precision', lambda *_: None)
    with pytest.raises(BackendError, match='too large to be FP16'):
        build_into_file(tmp_path / 'plan', model, 'fp16', 'sm89', EngineOptions())
    assert not (tmp_path / 'plan').exists()


def test_types_do_not_show_fp16_where_every_product_stays_fp32(
    model: Model, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(fp16._Converter, '_fits', lambda *_: False)  # as weights over 65504 do not
    facts = build_engine(import_tensorrt(), model, 'fp16', target='sm89').facts
    assert (facts['products'], facts['fp16_products']) == (3, 0)
    assert facts['fp16_by'] == []


@pytest.mark.parametrize('target', ['sm75', 'sm86', 'sm120', None])
def test_builds_for_named_gpus_and_for_none(model: Model, target: str | None):
    assert len(build_engine(import_tensorrt(), model, 'fp16', target).plan) > 400_000


@pytest.mark.parametrize('target', ['sm87', 'sm90', '8.9', 'current', 'none', ''])
def test_an_unknown_target_names_the_known_ones(model: Model, target: str):
    with pytest.raises(BackendError, match='only for sm75, sm80'):
        build_engine(import_tensorrt(), model, 'fp16', target)


def test_plain_tensorrt_says_that_it_has_no_targets_before_it_looks_for_a_gpu(model: Model):
    rtx = import_tensorrt()
    no_gpu = SimpleNamespace()  # no Builder, which cannot be made without a GPU
    plain = TensorRt(no_gpu, 'tensorrt', '10.3.0', rtx.log)
    with pytest.raises(BackendError, match='for the GPU of this machine only'):
        build_engine(plain, model, 'fp16', 'sm89')


def test_progress_grows_from_0_to_1(model: Model):
    seen: list[tuple[str, float]] = []
    build_engine(import_tensorrt(), model, 'fp16', 'sm89', progress=lambda *step: seen.append(step))
    fractions = [fraction for _, fraction in seen]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert len({round(fraction, 2) for fraction in fractions}) > 10
    assert seen[-1][0] == 'done'


@pytest.mark.parametrize('at', [0.0, 0.3])
def test_progress_can_stop_the_build(model: Model, at: float):
    def stop(_: str, fraction: float) -> None:
        if fraction >= at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_engine(import_tensorrt(), model, 'fp16', 'sm89', progress=stop)


def test_other_threads_run_while_an_engine_is_built(model: Model):
    running, ticks = threading.Event(), []

    def tick() -> None:
        while not running.wait(0.001):
            ticks.append(time.thread_time())

    thread = threading.Thread(target=tick)
    thread.start()
    build_engine(import_tensorrt(), model, 'fp16', 'sm89')
    running.set()
    thread.join()
    assert len(ticks) > 2  # a build that kept the interpreter would leave none but the ends


def test_nested_phases_are_one_progress():
    progress = BuildProgress()
    progress.start('build', None, 4)
    progress.step('build', 0)
    assert progress.fraction == pytest.approx(1 / 4)
    progress.start('optimise', 'build', 2)
    progress.start('time', 'optimise', 10)
    progress.step('time', 4)
    assert progress.fraction == pytest.approx(1 / 4 + 1 / 4 / 2 * 5 / 10)
    progress.finish('time')
    progress.finish('optimise')
    progress.step('build', 1)
    assert progress.fraction == pytest.approx(2 / 4)
    progress.start('build', None, 100)  # TensorRT uses names again
    assert progress.fraction == pytest.approx(2 / 4)


def _wait_until(true) -> None:
    end = time.monotonic() + PATIENCE
    while not true() and time.monotonic() < end:
        time.sleep(0.005)
    assert true()


def test_a_long_build_logs_its_progress(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(build_progress, 'BEAT', 0.005)
    progress = BuildProgress()
    with caplog.at_level(logging.INFO), heartbeat(progress, 'building x'):
        _wait_until(lambda: caplog.messages)
        progress.update('timing', 0.4)
        _wait_until(lambda: '40 %' in caplog.messages[-1])
    assert re.fullmatch(r'building x: \d+ s so far, please wait', caplog.messages[0])
    assert re.fullmatch(r'building x: \d+ s so far, 40 % \(timing\)', caplog.messages[-1])


def test_a_build_without_progress_is_logged_and_can_be_stopped(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(build_progress, 'BEAT', 0.005)
    told: list[tuple[str, float]] = []

    def report(*step: str | float) -> None:
        told.append(step)
        if len(told) == 3:
            raise KeyboardInterrupt

    progress = BuildProgress(report)
    progress.update('timing', 0.4)
    with heartbeat(progress, 'building x'):
        _wait_until(lambda: progress.error is not None)
    assert told == [('timing', 0.4)] * 3
    assert isinstance(progress.error, KeyboardInterrupt)


def test_an_interruptible_build_gives_its_result_or_its_error():
    assert run_interruptibly(lambda progress: 5) == 5
    with pytest.raises(ZeroDivisionError):
        run_interruptibly(lambda progress: 1 // 0)


def test_ctrl_c_stops_an_interruptible_build():
    ended: list[BaseException] = []

    def work(progress: object) -> None:
        assert callable(progress)
        os.kill(os.getpid(), signal.SIGINT)
        try:
            while True:
                progress('step', 0.5)
                time.sleep(0.01)
        except BuildStoppedError as error:
            ended.append(error)
            raise

    with pytest.raises(KeyboardInterrupt):
        run_interruptibly(work)
    assert len(ended) == 1


def _msdepth(*arguments: str | Path) -> list[str]:
    code = 'import sys; from msdepth_ros.cli import main; sys.exit(main())'
    return [sys.executable, '-c', code, *map(str, arguments)]


def test_the_command_builds_into_the_cache_and_finds_it_there(tmp_path: Path, model: Model):
    command = _msdepth(
        *('build-engine', '--model', model.onnx.with_suffix('.yaml')),
        *('--target', 'sm86', 'sm89', '--cache-dir', tmp_path / 'engines'),
    )
    first = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert first.returncode == 0, first.stderr
    assert first.stdout.count('3 of 3 products in FP16 (shown by types)') == 2
    names = {path.name for path in (tmp_path / 'engines').glob('*.engine')}
    assert names == {f'small-fp16-tensorrt_rtx-sm{number}.engine' for number in (86, 89)}
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert second.stdout.count('; cache: ') == 2


def test_ctrl_c_ends_the_command_cleanly(tmp_path: Path, model: Model):
    # As if the build took long: its first step waits until Ctrl-C has come.
    code = (
        'import signal, sys, threading, time\n'
        'from msdepth_ros.inference.backends.tensorrt import engine_builder\n'
        'interrupted, interrupt = threading.Event(), signal.getsignal(signal.SIGINT)\n'
        'def hear(*arguments):\n'
        '    interrupted.set()\n'
        '    interrupt(*arguments)\n'
        'signal.signal(signal.SIGINT, hear)\n'
        'prepare = engine_builder.prepare_graph\n'
        'def slow(*arguments):\n'
        '    print("started", flush=True)\n'
        '    interrupted.wait()\n'
        '    time.sleep(1.0)\n'
        '    return prepare(*arguments)\n'
        'engine_builder.prepare_graph = slow\n'
        'from msdepth_ros.cli import main\n'
        'sys.exit(main())\n'
    )
    process = subprocess.Popen(
        [
            *(sys.executable, '-c', code, 'build-engine', '--target', 'sm89'),
            *('--model', str(model.onnx.with_suffix('.yaml'))),
            *('--cache-dir', str(tmp_path / 'engines')),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == 'started\n'
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert 'Traceback' not in errors
    assert list((tmp_path / 'engines').glob('*.engine')) == []


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (('--target', 'sm87'), 'does not compile for sm87'),
        (('--target', 'sm86', 'sm89', '--out', 'x'), '--out is one file'),
        (('--workspace', '0', '--target', 'sm89'), '--workspace is 0 MB'),
        (('--workspace', '999999999999999', '--target', 'sm89'), 'give at least 1 and at most'),
        (('--model', 'nothing', '--target', 'sm89'), "no model named 'nothing'"),
    ],
)
def test_a_wrong_command_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], model: Model, arguments: tuple[str, ...], words: str
):
    yaml = str(model.onnx.with_suffix('.yaml'))
    assert main(['build-engine', '--model', yaml, *arguments]) == 2
    last = capsys.readouterr().err.replace('\r', '\n').rstrip().splitlines()[-1]
    assert words in last


def test_a_plan_can_be_written_to_a_file(tmp_path: Path, model: Model):
    path = tmp_path / 'small.plan'
    facts = build_into_file(path, model, 'fp16', 'sm89', EngineOptions())
    assert path.stat().st_size == facts['plan_bytes']
    assert (tmp_path / 'small.plan.json').is_file()


def test_the_command_says_that_a_file_is_not_for_the_node(
    tmp_path: Path, model: Model, capsys: pytest.CaptureFixture[str]
):
    yaml, path = str(model.onnx.with_suffix('.yaml')), str(tmp_path / 'plan')
    assert main(['build-engine', '--model', yaml, '--target', 'sm89', '--out', path]) == 0
    said = capsys.readouterr().out.rstrip()
    assert said.endswith(f'; {path}, for other programs than the node; not checked on a GPU')


def test_a_target_that_fails_is_named_and_the_others_are_built(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = tmp_path / 'engines'
    targets = ('sm86', 'sm75', 'sm87', 'sm120')
    command = ['build-engine', '--precision', 'fp32', '--cache-dir', str(folder), '--target']
    assert main([*command, *targets]) == 2
    said = capsys.readouterr()
    assert [line.split(':')[0] for line in said.out.splitlines()] == [
        f'msdepth fp32 {target}' for target in ('sm86', 'sm120')
    ]
    lines = said.err.replace('\r', '\n').splitlines()
    assert lines[-1] == 'msdepth build-engine: not built: sm75, sm87'
    assert [
        line
        for line in lines
        if 'cannot build the engine of msdepth for sm75: ' in line and 'build it in fp16' in line
    ]
    assert not list(folder.glob('*sm87*')), 'what is refused leaves nothing'


def test_an_engine_of_another_workspace_is_distinguished_from_the_one_asked_for(
    tmp_path: Path, model: Model, capsys: pytest.CaptureFixture[str]
):
    command = [
        *('build-engine', '--model', str(model.onnx.with_suffix('.yaml'))),
        *('--target', 'sm89', '--cache-dir', str(tmp_path)),
    ]
    hint = '(built with --workspace 1024: --force builds it anew)'
    for given, told in ((), False), (('512',), True), (('1024',), False), ((), False):
        assert main([*command, *(('--workspace', *given) if given else ())]) == 0
        assert (hint in capsys.readouterr().out) == told


def test_what_a_build_that_lacks_memory_needs_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    command = ['build-engine', '--target', 'sm89', '--workspace', '1']
    assert main([*command, '--out', str(tmp_path / 'plan')]) == 2
    assert 'let a build use more of it (`msdepth build-engine' in capsys.readouterr().err


def test_the_command_names_no_parameter_of_the_node_where_tensorrt_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(tensorrt_api, 'MODULES', ('no_such_module',))
    assert main(['build-engine']) == 2
    said = capsys.readouterr().err
    assert said.rstrip().endswith('not installed for this Python: see docs/jetson.md')


@pytest.mark.parametrize(
    ('place', 'words'), [('no/x', 'there is no folder'), ('.', 'is a folder: name a file in it')]
)
def test_a_file_that_cannot_be_written_is_reported_before_the_build(
    tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch, place: str, words: str
):
    monkeypatch.setattr(engine_ahead, 'build_engine', None)
    with pytest.raises(BackendError, match=words):
        build_into_file(tmp_path / place, model, 'fp16', 'sm89', EngineOptions())


def test_a_cache_that_takes_nothing_is_reported_before_the_build(
    tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(engine_ahead, 'build_engine', None)
    (tmp_path / 'file').write_text('')
    options = EngineOptions(cache_dir=tmp_path / 'file' / 'engines')
    with pytest.raises(BackendError, match='cannot be kept in'):
        build_into_cache(model, 'fp16', 'sm89', options)


def test_who_waited_for_another_process_takes_its_engine(
    tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch
):
    options = EngineOptions(cache_dir=tmp_path / 'engines')
    key = engine_key(import_tensorrt(), model, 'fp16', 'sm89', '')
    cache = EngineCache(options.cache_dir)
    built = build_engine(import_tensorrt(), model, 'fp16', 'sm89')
    monkeypatch.setattr(engine_ahead, 'build_engine', None)
    waiting = threading.Event()
    results: list[tuple[dict, str]] = []

    def build() -> None:
        results.append(
            build_into_cache(model, 'fp16', 'sm89', options, lambda stage, _: waiting.set())
        )

    thread = threading.Thread(target=build)
    with cache.lock(key):
        thread.start()
        assert waiting.wait(PATIENCE)
        cache.store(key, built.plan, {**built.facts, 'by': 'another'})
    thread.join(PATIENCE)
    assert [(facts['by'], place) for facts, place in results] == [
        ('another', f'cache: {cache.path(key)}')
    ]


def test_the_wait_for_another_process_can_be_stopped(tmp_path: Path, model: Model):
    options = EngineOptions(cache_dir=tmp_path / 'engines')

    def stop(stage: str, fraction: float) -> None:
        assert 'waiting for another process' in stage
        raise KeyboardInterrupt

    key = engine_key(import_tensorrt(), model, 'fp16', 'sm89', '')
    with EngineCache(options.cache_dir).lock(key), pytest.raises(KeyboardInterrupt):
        build_into_cache(model, 'fp16', 'sm89', options, stop)


def test_another_model_of_the_same_name_replaces_the_engine(
    tmp_path: Path, model: Model, caplog: pytest.LogCaptureFixture
):
    options = EngineOptions(cache_dir=tmp_path / 'engines')
    build_into_cache(model, 'fp16', 'sm89', options)
    model.onnx.write_bytes(small_onnx(seed=1))
    caplog.clear()
    build_into_cache(model, 'fp16', 'sm89', options)
    assert [r for r in caplog.messages if 'its model_sha256 is' in r]
    caplog.clear()
    _, place = build_into_cache(model, 'fp16', 'sm89', options)
    assert place.startswith('cache: ')
    assert not caplog.messages


@pytest.mark.parametrize(
    ('old', 'new', 'words'),
    [
        ('name: image', 'name: picture', 'picture UINT8'),
        ('width: 32', 'width: 64', r'image UINT8 \[1, 24, 64, 3\]'),
        ('width: 8', 'width: 16', r'depth FLOAT \[1, 1, 6, 16\]'),
    ],
)
def test_a_yaml_that_is_not_the_onnx_file_s_is_refused(
    model: Model, old: str, new: str, words: str
):
    yaml = model.onnx.with_suffix('.yaml')
    yaml.write_text(yaml.read_text().replace(old, new))
    with pytest.raises(ModelError, match=words):
        build_engine(import_tensorrt(), load_model(yaml), 'fp16', 'sm89')


def test_an_operation_that_tensorrt_does_not_have_is_named(model: Model):
    import onnx

    proto = onnx.load_model_from_string(small_onnx())
    node = next(node for node in proto.graph.node if node.op_type == 'Relu')
    node.op_type, node.domain = 'FlyToTheMoon', 'com.example'
    proto.opset_import.append(onnx.helper.make_opsetid('com.example', 1))
    model.onnx.write_bytes(proto.SerializeToString())
    for precision in ('fp16', 'fp32'):
        with pytest.raises(ModelError, match='FlyToTheMoon'):
            build_engine(import_tensorrt(), model, precision, 'sm89')
