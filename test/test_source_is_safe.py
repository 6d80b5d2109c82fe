# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""No data is taken for code: the whole source is read for the calls that would do it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ('msdepth_ros', 'launch', 'bench')
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob('*.py'))

UNSAFE_MODULES = {'pickle', 'cPickle', 'dill', 'cloudpickle', 'joblib', 'marshal', 'shelve'}
UNSAFE_CALLS = {
    'eval', 'exec', 'compile', '__import__',
    'os.system', 'os.popen', 'os.execl', 'os.execv', 'os.spawnl', 'os.spawnv',
    'subprocess.getoutput', 'subprocess.getstatusoutput', 'commands.getoutput',
    'yaml.unsafe_load', 'yaml.full_load', 'yaml.load_all', 'yaml.unsafe_load_all',
    'tempfile.mktemp', 'torch.jit.load', 'torch.hub.load',
}  # fmt: skip
SAFE_LOADERS = {'yaml.SafeLoader', 'yaml.CSafeLoader', 'SafeLoader', 'CSafeLoader'}


def unsafe(source: str) -> Iterator[str]:
    """Say what in a source would run data as code, or hand it to a shell."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [alias.name for alias in node.names]
            modules += [node.module or ''] if isinstance(node, ast.ImportFrom) else []
            for module in modules:
                if module.split('.')[0] in UNSAFE_MODULES:
                    yield f'line {node.lineno}: imports {module}'
        if isinstance(node, ast.Call):
            keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            yield from _unsafe_call(node.lineno, ast.unparse(node.func), keywords)


def _unsafe_call(line: int, name: str, keywords: dict[str | None, str]) -> Iterator[str]:
    if name in UNSAFE_CALLS:
        yield f'line {line}: calls {name}'
    if keywords.get('shell', 'False') != 'False':
        yield f'line {line}: {name} through a shell'
    if keywords.get('allow_pickle', 'False') != 'False':
        yield f'line {line}: {name} unpickles'
    if name == 'torch.load' and keywords.get('weights_only') != 'True':
        yield f'line {line}: torch.load without weights_only=True'
    if name == 'yaml.load' and keywords.get('Loader') not in SAFE_LOADERS:
        yield f'line {line}: yaml.load without a safe loader'


@pytest.mark.parametrize('path', SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_unsafe_is_called(path: Path) -> None:
    assert list(unsafe(path.read_text(encoding='utf-8'))) == []


def test_there_is_source_to_read() -> None:
    assert {'yaml.safe_load', 'torch.load'} <= {
        word for path in SOURCES for word in ('yaml.safe_load', 'torch.load')
        if word in path.read_text(encoding='utf-8')
    }  # fmt: skip


@pytest.mark.parametrize(
    'source',
    [
        'import pickle',
        'from pickle import loads',
        'import joblib.externals',
        'eval(text)',
        'os.system(f"ls {folder}")',
        'subprocess.run(command, shell=True)',
        'subprocess.Popen(command, shell=wanted)',
        'torch.load(path)',
        'torch.load(path, weights_only=False)',
        'torch.load(path, map_location="cpu", weights_only=safe)',
        'yaml.load(text)',
        'yaml.load(text, Loader=yaml.Loader)',
        'yaml.unsafe_load(text)',
        'np.load(path, allow_pickle=True)',
    ],
)
def test_what_is_unsafe_is_found(source: str) -> None:
    assert list(unsafe(source))


@pytest.mark.parametrize(
    'source',
    [
        'import json',
        'model.eval()',
        're.compile("a")',
        'subprocess.run(["ls", folder])',
        'torch.load(path, weights_only=True)',
        'yaml.load(text, Loader=yaml.CSafeLoader)',
        'yaml.safe_load(text)',
        'np.load(path)',
    ],
)
def test_what_is_safe_is_not(source: str) -> None:
    assert not list(unsafe(source))
