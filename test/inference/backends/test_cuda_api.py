# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""All that the backend uses of pycuda and cuda-bindings exists there.

As test_tensorrt_api.py, with lists of released versions, so that nothing needs to be installed.
"""

import ast
import importlib
import json
from pathlib import Path

import api_walk
import pytest
from api_walk import Api, Uses, missing
from cuda_api_list import list_api

from msdepth_ros.inference.backends.tensorrt import cuda

SOURCE = Path(cuda.__file__)
LISTS: dict[str, Api] = json.loads(Path(__file__).with_name('cuda_api.json').read_text())

# How the source names what it gets from each library.
PYCUDA = {
    'self._cuda': '',
    'self._cuda.Context': 'Context',
    'self._cuda.Device': 'Device',
    'device': 'Device',
    'flags': 'event_flags',
    'self._context': 'Context',
    'self._done': 'Event',
    'self._stream': 'Stream',
}
BINDINGS = {
    'driver': '',
    'self._driver': '',
    'driver.CUstreamCaptureMode': 'CUstreamCaptureMode',
    'self._driver.CUresult': 'CUresult',
}


def uses(names: dict[str, str], source: Path = SOURCE) -> Uses:
    return api_walk.uses(source, lambda node: names.get(ast.unparse(node)))


def names_for(library: str) -> dict[str, str]:
    return PYCUDA if library.startswith('pycuda') else BINDINGS


def test_the_walk_finds_what_the_backend_does():
    used = uses(PYCUDA)
    assert used['memcpy_htod_async'] == {3}
    assert used['Event'] == used['Device'] == {1}
    assert used['Context.detach'] == {0}
    assert {name.partition('.')[0] for name in used} >= set(filter(None, PYCUDA.values()))
    used = uses(BINDINGS)
    assert used['cuGraphLaunch'] == {2}
    assert 'CUresult.CUDA_SUCCESS' in used


@pytest.mark.parametrize('library', LISTS)
def test_all_exists_in_released_versions(library: str):
    assert missing(LISTS[library], uses(names_for(library))) == set()


@pytest.mark.parametrize('module', ['pycuda.driver', 'cuda.bindings.driver'])
def test_all_exists_in_what_is_installed(module: str):
    pytest.importorskip(module, exc_type=ImportError)
    assert missing(list_api(importlib.import_module(module)), uses(names_for(module))) == set()


def test_names_of_the_c_api_exist():
    """Only the names of ctypes calls; their _v2 is the C function behind the one without."""
    tree = ast.parse(SOURCE.read_text())
    called = {
        node.attr.removesuffix('_v2')
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == 'ctypes.CDLL(LIBRARY)'
    }
    assert called == {'cuCtxGetCurrent', 'cuCtxPopCurrent'}
    assert called <= LISTS['cuda-bindings 13.5.0'][''].keys()


@pytest.mark.parametrize(
    ('library', 'old', 'new', 'found'),
    [
        ('pycuda 2026.1', 'pagelocked_empty(', 'page_locked_empty(', 'page_locked_empty'),
        ('pycuda 2026.1', 'self._context.push()', 'self._context.enter()', 'Context.enter'),
        ('pycuda 2026.1', 'self._done.record(self', 'self._done.record(1, self', 'Event.record[2]'),
        ('pycuda 2026.1', 'flags.BLOCKING_SYNC', 'flags.BLOCKING', 'event_flags.BLOCKING'),
        ('cuda-bindings 12.9.10', 'driver.cuGraphDestroy', 'driver.cuGraphFree', 'cuGraphFree'),
        ('cuda-bindings 13.5.0', 'Instantiate(graph, 0)', 'Instantiate(graph)',
         'cuGraphInstantiate[1]'),
        ('cuda-bindings 13.5.0', 'CUresult.CUDA_SUCCESS', 'CUresult.SUCCESS', 'CUresult.SUCCESS'),
    ],
)  # fmt: skip
def test_a_typo_is_found(tmp_path: Path, library: str, old: str, new: str, found: str):
    text = SOURCE.read_text()
    assert text.count(old) == 1
    source = tmp_path / 'cuda.py'
    source.write_text(text.replace(old, new))
    assert missing(LISTS[library], uses(names_for(library), source)) == {found}
