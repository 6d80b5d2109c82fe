# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Keeps built engines on disk, and uses one only if it is exactly the one asked for.

Beside each plan is a JSON file with its key, its SHA-256 and facts about it. A plan is code: if
another user could have written it, it is rejected. Files are written under a temporary name and
renamed, so that a reader finds a complete file or none. A lock keeps two processes from building
the same engine twice.
"""

import contextlib
import errno
import fcntl
import glob
import hashlib
import json
import logging
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msdepth_ros.errors import BackendError
from msdepth_ros.host.own_files import RefusedError, check_folder, read_own, write_atomically
from msdepth_ros.inference.backends.tensorrt.engine_key import EngineKey
from msdepth_ros.inference.backends.tensorrt.engine_options import Progress, default_cache_dir

# The facts about every engine, from its build; and from the self-check, once it ran.
FACTS: dict[str, Any] = {
    'products': int,
    'fp16_products': int,
    'fp16_by': list,
    'plan_bytes': int,
    'fp32_weight_bytes': int,
    'seconds': (int, float),
    'workspace': int,
}
CHECKED: dict[str, Any] = {'passed': bool, 'mean_error': (int, float), 'max_error': (int, float)}
# What to do if a file cannot be written, by the error.
REMEDIES = {
    errno.ENOSPC: 'make room there',
    errno.EDQUOT: 'make room there',
    errno.EROFS: 'mount it writable',
    errno.EACCES: 'give this user the right to write there',
    errno.EPERM: 'give this user the right to write there',
}

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CachedEngine:
    """A plan from the cache, and the facts that were stored with it."""

    plan: bytes
    facts: dict[str, Any]


class EngineCache:
    """A folder of engines.

    Parameters
    ----------
    folder : None = `default_cache_dir()`.

    Raises
    ------
    BackendError
        If there is no default folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_cache_dir()

    def path(self, key: EngineKey) -> Path:
        """Return the path of the plan of a key; the JSON file beside it has the suffix .json."""
        return self.folder / f'{key.stem()}.engine'

    def load(self, key: EngineKey) -> CachedEngine | None:
        """Return the stored engine of exactly this key, or None.

        If there is one that cannot be used, the log says why.
        """
        path = self.path(key)
        try:
            facts = json.loads(read_own(_sidecar(path)))
            _compare(key.fields(), facts)
            _check_facts(facts)
            plan = read_own(path)
            if hashlib.sha256(plan).hexdigest() != facts['plan_sha256']:
                raise RefusedError('it is damaged: its SHA-256 is not that in its JSON file')
        except FileNotFoundError:
            if path.exists():
                _logger.warning('engine %s is not used: it has no JSON file', path)
            return None
        except (
            RefusedError,
            OSError,
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
        ) as error:
            reason = str(error) if isinstance(error, (RefusedError, OSError)) else 'damaged JSON'
            _logger.warning('engine %s is not used: %s', path, reason)
            return None
        return CachedEngine(plan, facts)

    def store(self, key: EngineKey, plan: bytes, facts: dict[str, Any]) -> None:
        """Keep an engine; call this under its lock.

        Raises
        ------
        BackendError
            If it cannot be written: no permission, no space, or a folder of several users.
        """
        known = {
            **facts,
            'key': key.fields(),
            'plan_sha256': hashlib.sha256(plan).hexdigest(),
            'built': time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime()),
        }
        path = self.path(key)
        with self._refusals_explained(f'the engine of {key.model} cannot be kept'):
            self._make_folder()
            for left in self.folder.glob(f'.{glob.escape(path.name)}.*'):
                left.unlink(missing_ok=True)  # from a process that was killed while it wrote
            write_atomically(path, plan)
            try:
                _write_facts(path, known)
            except BaseException:
                path.unlink(missing_ok=True)  # useless without its facts
                raise

    def note(self, key: EngineKey, facts: dict[str, Any]) -> None:
        """Replace the facts about a stored engine; raises BackendError as `store`."""
        with self._refusals_explained(f'the self-check of {key.model} cannot be noted'):
            check_folder(self.folder)
            _write_facts(self.path(key), facts)

    def check_takes(self, model: str) -> None:
        """Raise BackendError, as `store` would, if nothing can be written; call before a build."""
        with self._refusals_explained(f'the engine of {model} cannot be kept'):
            self._make_folder()
            with tempfile.TemporaryFile(dir=self.folder):
                pass

    @contextmanager
    def _refusals_explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except (OSError, RefusedError) as error:
            if isinstance(error, OSError):
                reason, remedy = error.strerror, REMEDIES.get(error.errno or 0, '')
            else:
                reason, remedy = error.reason, error.remedy
            either = f'{remedy}, or ' if remedy else ''
            raise BackendError(
                f'{what} in {self.folder} ({reason}): {either}name another folder (parameter '
                '`engine_cache_dir`, option --cache-dir)'
            ) from error

    def load_timings(self, key: EngineKey) -> bytes:
        """Return the timing cache for this hardware; b'' if there is none."""
        try:
            return read_own(self._timings_path(key))
        except (OSError, RefusedError):
            return b''

    def store_timings(self, key: EngineKey, timings: bytes) -> None:
        """Keep a timing cache, if possible: without it, the next build only takes longer."""
        if timings:
            with contextlib.suppress(OSError, RefusedError):
                self._make_folder()
                write_atomically(self._timings_path(key), timings)

    @contextmanager
    def lock(self, key: EngineKey, progress: Progress | None = None) -> Iterator[bool]:
        """Let one process at a time build this engine; yield whether another one had the lock.

        `progress` is called every 0.2 s while another process has the lock; an exception from it
        ends the wait. In a read-only folder there is no lock.
        """
        try:
            self._make_folder()
            handle = os.open(
                self.path(key).with_suffix('.lock'), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
        except (OSError, RefusedError):
            yield False
            return
        try:
            yield _take(handle, progress)
        finally:
            os.close(handle)

    def _make_folder(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_folder(self.folder)

    def _timings_path(self, key: EngineKey) -> Path:
        parts = (key.runtime, key.version, key.gpu, key.capability)
        stem = '-'.join(re.sub(r'[^A-Za-z0-9_.]+', '_', part) for part in parts if part)
        return self.folder / f'{stem}.timing'


def _sidecar(path: Path) -> Path:
    return path.with_name(f'{path.name}.json')


def _write_facts(path: Path, facts: dict[str, Any]) -> None:
    """Write the facts about a plan beside it."""
    write_atomically(_sidecar(path), (json.dumps(facts, indent=2) + '\n').encode())


def _compare(wanted: dict[str, Any], facts: Any) -> None:
    """Raise RefusedError, with what differs, unless the facts are those of the wanted key."""
    found = facts['key']
    if not isinstance(found, dict):
        raise ValueError('not a key')
    for name, value in wanted.items():
        if found.get(name) != value:
            raise RefusedError(f'its {name} is {found.get(name)}, not {value}')


def _check_facts(facts: dict[str, Any]) -> None:
    """Raise RefusedError, with its name, if a fact that is used later is missing."""
    checks = [('', facts, FACTS)]
    if 'self_check' in facts:  # not there until the engine has run
        checks.append(('self_check.', facts['self_check'], CHECKED))
    for prefix, noted, kinds in checks:
        for name, kind in kinds.items():
            if not isinstance(noted.get(name), kind):
                raise RefusedError(f'its JSON file is damaged: no {prefix}{name} in it')


def _take(handle: int, progress: Progress | None) -> bool:
    """Wait for the lock of an open file; return whether another process had it."""
    waited = False
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return waited
        except BlockingIOError:
            if not waited:
                _logger.info('another process is building this engine: waiting for it')
                waited = True
            if progress is not None:
                progress('waiting for another process that builds this engine', 0.0)
            time.sleep(0.2)
        except OSError:  # a file system without locks
            return waited
