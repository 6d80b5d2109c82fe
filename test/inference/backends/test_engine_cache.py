# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The engine cache: what it gives back, what it refuses and why, and several processes at once."""

import errno
import json
import logging
import multiprocessing
import os
import pwd
import time
from dataclasses import fields, replace
from pathlib import Path

import pytest
from patience import PATIENCE

from msdepth_ros.errors import BackendError
from msdepth_ros.host import own_files
from msdepth_ros.inference.backends.tensorrt import engine_cache
from msdepth_ros.inference.backends.tensorrt.engine_cache import EngineCache
from msdepth_ros.inference.backends.tensorrt.engine_key import EngineKey
from msdepth_ros.inference.backends.tensorrt.engine_options import EngineOptions, default_cache_dir

KEY = EngineKey(
    model='small',
    model_sha256='0' * 64,
    precision='fp16',
    runtime='tensorrt',
    version='10.3.0',
    gpu='Orin (nvgpu)',
    capability='sm87',
    inputs={'image': (1, 24, 32, 3)},
    outputs={'depth': (1, 1, 6, 8)},
)
PLAN = bytes(range(256)) * 40
FACTS = {
    'products': 3,
    'fp16_products': 3,
    'fp16_by': ['types'],
    'plan_bytes': len(PLAN),
    'fp32_weight_bytes': 2 * len(PLAN),
    'seconds': 3.5,
    'workspace': 1 << 30,
}
CHECK = {'passed': True, 'mean_error': 0.001, 'max_error': 0.01, 'images': 4}


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path / 'engines')


def sidecar(cache: EngineCache) -> Path:
    return cache.path(KEY).with_name(f'{cache.path(KEY).name}.json')


def why_not(cache: EngineCache, key: EngineKey, caplog: pytest.LogCaptureFixture) -> str:
    """Return the one log line on why no engine is loaded."""
    caplog.clear()
    with caplog.at_level(logging.INFO):
        assert cache.load(key) is None
    assert len(caplog.records) == 1, caplog.text
    return caplog.records[0].getMessage()


def test_gives_back_what_was_stored(cache: EngineCache):
    cache.store(KEY, PLAN, FACTS)
    found = EngineCache(cache.folder).load(KEY)
    assert found is not None
    assert found.plan == PLAN
    assert found.facts['seconds'] == 3.5


def test_an_empty_cache_logs_nothing(cache: EngineCache, caplog: pytest.LogCaptureFixture):
    assert cache.load(KEY) is None
    assert not caplog.records


OTHERS = {
    'model_sha256': '1' * 64,
    'version': '10.7.0',
    'inputs': {'image': (1, 24, 48, 3)},
    'outputs': {'depth': (1, 1, 6, 8), 'floor': (1, 1, 6, 8)},
    'format': 0,
}
OTHER_FILES = {
    'model': 'large',
    'precision': 'fp32',
    'runtime': 'tensorrt_rtx',
    'gpu': 'Thor',
    'capability': 'sm89',
}


def test_each_field_of_the_key_is_tried_below():
    assert {*OTHERS, *OTHER_FILES} == {field.name for field in fields(EngineKey)}


@pytest.mark.parametrize('name', OTHERS)
def test_a_stale_engine_is_refused_by_the_field_that_differs(
    cache: EngineCache, caplog: pytest.LogCaptureFixture, name: str
):
    cache.store(KEY, PLAN, FACTS)
    other = replace(KEY, **{name: OTHERS[name]})
    assert cache.path(other) == cache.path(KEY)  # the new one will replace the stale one
    assert f'its {name} is' in why_not(cache, other, caplog)


@pytest.mark.parametrize('name', OTHER_FILES)
def test_engines_of_other_hardware_models_and_precisions_are_kept_too(
    cache: EngineCache, name: str
):
    other = replace(KEY, **{name: OTHER_FILES[name]})
    cache.store(KEY, PLAN, FACTS)
    cache.store(other, PLAN[::-1], FACTS)
    assert cache.load(KEY).plan == PLAN
    assert cache.load(other).plan == PLAN[::-1]


def test_file_names_hold_no_path(cache: EngineCache):
    path = cache.path(replace(KEY, model='../../etc/x', gpu='NVIDIA A/B'))
    assert path.parent == cache.folder


@pytest.mark.parametrize('damaged', [PLAN[:-1], PLAN + b'x', b'', b'\1' + PLAN[1:]])
def test_a_damaged_plan_is_refused(
    cache: EngineCache, caplog: pytest.LogCaptureFixture, damaged: bytes
):
    cache.store(KEY, PLAN, FACTS)
    cache.path(KEY).write_bytes(damaged)
    assert 'damaged' in why_not(cache, KEY, caplog)


@pytest.mark.parametrize('text', ['', '{', '[]', '{"key": 3}', '{"plan_sha256": 1}', 'null'])
def test_a_damaged_sidecar_is_refused(
    cache: EngineCache, caplog: pytest.LogCaptureFixture, text: str
):
    cache.store(KEY, PLAN, FACTS)
    sidecar(cache).write_text(text)
    assert 'damaged' in why_not(cache, KEY, caplog)


@pytest.mark.parametrize('name', engine_cache.FACTS)
def test_a_sidecar_without_a_fact_is_refused_by_its_name(
    cache: EngineCache, caplog: pytest.LogCaptureFixture, name: str
):
    cache.store(KEY, PLAN, {fact: value for fact, value in FACTS.items() if fact != name})
    assert f'is damaged: no {name} in it' in why_not(cache, KEY, caplog)
    cache.store(KEY, PLAN, {**FACTS, name: None})
    assert f'is damaged: no {name} in it' in why_not(cache, KEY, caplog)


@pytest.mark.parametrize('name', engine_cache.CHECKED)
def test_a_self_check_without_a_fact_is_refused_by_its_name(
    cache: EngineCache, caplog: pytest.LogCaptureFixture, name: str
):
    cache.store(KEY, PLAN, {**FACTS, 'self_check': CHECK})
    assert cache.load(KEY) is not None
    cache.store(KEY, PLAN, {**FACTS, 'self_check': {**CHECK, name: 'x'}})
    assert f'is damaged: no self_check.{name} in it' in why_not(cache, KEY, caplog)
    cache.store(KEY, PLAN, {**FACTS, 'self_check': 5})
    assert 'damaged JSON' in why_not(cache, KEY, caplog)


@pytest.mark.parametrize('suffix', ['', '.json'])
def test_a_pipe_is_refused_and_not_waited_for(
    cache: EngineCache, caplog: pytest.LogCaptureFixture, suffix: str
):
    cache.store(KEY, PLAN, FACTS)
    path = cache.path(KEY).with_name(cache.path(KEY).name + suffix)
    path.unlink()
    os.mkfifo(path)
    assert 'it is not a file' in why_not(cache, KEY, caplog)


def test_a_plan_of_unknown_origin_is_refused(cache: EngineCache, caplog: pytest.LogCaptureFixture):
    cache.folder.mkdir(mode=0o700)
    cache.path(KEY).write_bytes(PLAN)
    assert 'origin' in why_not(cache, KEY, caplog)


@pytest.mark.parametrize('mode', [0o664, 0o646, 0o777])
@pytest.mark.parametrize('suffix', ['', '.json'])
def test_a_plan_that_others_can_write_is_refused(
    cache: EngineCache, caplog: pytest.LogCaptureFixture, mode: int, suffix: str
):
    cache.store(KEY, PLAN, FACTS)
    cache.path(KEY).with_name(cache.path(KEY).name + suffix).chmod(mode)
    assert 'others can write' in why_not(cache, KEY, caplog)


def test_a_folder_that_others_can_write_is_refused(
    cache: EngineCache, caplog: pytest.LogCaptureFixture
):
    cache.store(KEY, PLAN, FACTS)
    cache.folder.chmod(0o777)
    assert 'others can write' in why_not(cache, KEY, caplog)
    with pytest.raises(
        BackendError, match=r'\(others can write to .*\): run `chmod go-w .*`, or nam'
    ):
        cache.store(KEY, PLAN, FACTS)


@pytest.mark.skipif(os.geteuid() != 0, reason='only root can give a file to another user')
def test_a_plan_of_another_user_is_refused(cache: EngineCache, caplog: pytest.LogCaptureFixture):
    cache.store(KEY, PLAN, FACTS)
    os.chown(cache.path(KEY), 12345, -1)
    assert 'belongs to user 12345' in why_not(cache, KEY, caplog)


def test_a_link_is_refused(cache: EngineCache, caplog: pytest.LogCaptureFixture, tmp_path: Path):
    cache.store(KEY, PLAN, FACTS)
    elsewhere = cache.path(KEY).rename(tmp_path / 'plan')
    cache.path(KEY).symlink_to(elsewhere)
    assert 'is not used' in why_not(cache, KEY, caplog)


@pytest.mark.parametrize('umask', [0o000, 0o002, 0o022, 0o077])
def test_what_is_stored_can_be_loaded_whatever_the_umask(cache: EngineCache, umask: int):
    before = os.umask(umask)
    try:
        cache.store(KEY, PLAN, FACTS)
    finally:
        os.umask(before)
    assert cache.load(KEY) is not None
    assert cache.folder.stat().st_mode & 0o022 == 0


@pytest.mark.parametrize('files', [0, 1])
def test_a_full_disk_is_an_error_and_leaves_nothing_behind(
    cache: EngineCache, monkeypatch: pytest.MonkeyPatch, files: int
):
    left = [None] * files  # that the disk has room for

    def fsync(_: int) -> None:
        if not left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left.pop()

    monkeypatch.setattr(own_files.os, 'fsync', fsync)
    words = r'\(No space left on device\): make room there, or .*`engine_cache_dir`.* --cache-dir'
    with pytest.raises(BackendError, match=words):
        cache.store(KEY, PLAN, FACTS)
    assert list(cache.folder.iterdir()) == []


@pytest.mark.parametrize(
    ('code', 'words'),
    [
        (errno.EROFS, r'\(Read-only file system\): mount it writable, or name another'),
        (errno.EACCES, r'\(Permission denied\): give this user the right to write there, or name'),
        (errno.EIO, r'\(Input/output error\): name another folder'),
    ],
)
def test_what_the_folder_needs_is_reported(
    cache: EngineCache, monkeypatch: pytest.MonkeyPatch, code: int, words: str
):
    def make(**_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(own_files.tempfile, 'mkstemp', make)
    with pytest.raises(BackendError, match=words):
        cache.store(KEY, PLAN, FACTS)


def test_files_of_a_killed_process_are_removed(cache: EngineCache):
    other = replace(KEY, capability='sm89')
    cache.store(KEY, PLAN, FACTS)
    for path in (cache.path(KEY), sidecar(cache), cache.path(other)):
        path.with_name(f'.{path.name}.abcd1234').write_bytes(PLAN)
    cache.store(KEY, PLAN, FACTS)
    names = {path.name for path in cache.folder.iterdir()}
    kept = f'.{cache.path(other).name}.abcd1234'  # it may be being written now
    assert names == {cache.path(KEY).name, sidecar(cache).name, kept}


def test_a_self_check_is_noted_beside_the_plan(cache: EngineCache):
    cache.store(KEY, PLAN, FACTS)
    before = cache.path(KEY).stat()
    cache.note(KEY, {**cache.load(KEY).facts, 'self_check': CHECK})
    assert cache.load(KEY).facts['self_check'] == CHECK
    after = cache.path(KEY).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_folder_that_cannot_be_made_is_an_error_and_needs_no_lock(tmp_path: Path):
    (tmp_path / 'file').write_text('')
    cache = EngineCache(tmp_path / 'file' / 'engines')
    assert cache.load(KEY) is None
    with cache.lock(KEY) as waited:
        assert not waited
    for write in (lambda: cache.store(KEY, PLAN, FACTS), lambda: cache.check_takes('small')):
        with pytest.raises(BackendError, match='cannot be kept in'):
            write()


def test_a_folder_that_takes_engines_is_left_as_it_was(cache: EngineCache):
    cache.check_takes('small')
    assert list(cache.folder.iterdir()) == []


def test_a_write_that_fails_keeps_the_engine_before(
    cache: EngineCache, monkeypatch: pytest.MonkeyPatch
):
    cache.store(KEY, PLAN, FACTS)

    def fsync(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(own_files.os, 'fsync', fsync)
    with pytest.raises(KeyboardInterrupt):
        cache.store(KEY, PLAN[::-1], FACTS)
    assert cache.load(KEY).plan == PLAN


def test_timings_are_kept_per_runtime_and_hardware(cache: EngineCache):
    assert cache.load_timings(KEY) == b''
    cache.store_timings(KEY, b'timings')
    assert cache.load_timings(replace(KEY, model='large', precision='fp32')) == b'timings'
    assert cache.load_timings(replace(KEY, version='10.7.0')) == b''
    assert cache.load_timings(replace(KEY, capability='sm89')) == b''


def _build(folder: Path, log: Path) -> None:
    """Do what a backend does: load, else build under the lock."""
    cache = EngineCache(folder)
    if cache.load(KEY) is None:
        with cache.lock(KEY) as waited:
            if not (waited and cache.load(KEY)):
                with log.open('a') as file:
                    file.write('built\n')
                time.sleep(0.5)
                cache.store(KEY, PLAN, FACTS)
    assert EngineCache(folder).load(KEY).plan == PLAN


def test_of_several_processes_one_builds(tmp_path: Path):
    log = tmp_path / 'log'
    context = multiprocessing.get_context('fork')
    processes = [context.Process(target=_build, args=(tmp_path / 'engines', log)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(PATIENCE)
        assert process.exitcode == 0
    assert log.read_text() == 'built\n'


def test_waiting_for_the_lock_can_be_stopped(cache: EngineCache):
    def stop(stage: str, fraction: float) -> None:
        assert 'waiting for another process' in stage
        raise KeyboardInterrupt

    with (
        cache.lock(KEY),
        pytest.raises(KeyboardInterrupt),
        EngineCache(cache.folder).lock(KEY, stop),
    ):
        pass


def test_a_reader_never_sees_half_an_engine(cache: EngineCache, caplog: pytest.LogCaptureFixture):
    """Plan and sidecar are two files: a reader between the two finds no engine, not a wrong one."""
    for index in range(20):
        plan = bytes([index]) * 1000
        cache.store(KEY, plan, {**FACTS, 'index': index})
        facts = json.loads(sidecar(cache).read_text())
        own_files.write_atomically(cache.path(KEY), b'next plan')
        assert cache.load(KEY) is None
        assert facts['index'] == index


def test_the_folder_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    assert default_cache_dir() == tmp_path / 'msdepth_ros' / 'engines'
    for useless in ('', 'relative'):
        monkeypatch.setenv('XDG_CACHE_HOME', useless)
        monkeypatch.setenv('HOME', '/home/robot')
        assert default_cache_dir() == Path('/home/robot/.cache/msdepth_ros/engines')


def test_without_a_home_only_engines_are_refused(monkeypatch: pytest.MonkeyPatch):
    def nobody(_: int) -> None:
        raise KeyError('no such user')

    monkeypatch.delenv('XDG_CACHE_HOME', raising=False)
    monkeypatch.delenv('HOME')
    monkeypatch.setattr(pwd, 'getpwuid', nobody)
    options = EngineOptions()
    with pytest.raises(BackendError, match='this user has no home folder: set HOME, or give'):
        EngineCache(options.cache_dir)
