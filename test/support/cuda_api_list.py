# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Lists what pycuda and cuda-bindings have, and how many arguments that takes.

`python3 cuda_api_list.py pycuda.driver` (or `cuda.bindings.driver`) prints it as JSON;
cuda_api.json holds the lists of pycuda 2026.1 and of cuda-bindings 12.9 and 13.5, for the names
that the backend uses.
"""

import importlib
import inspect
import json
import re
import sys
from types import ModuleType

from api_walk import Api

PYCUDA = ('Context', 'Device', 'Error', 'Event', 'Stream', 'event_flags')
BINDINGS = ('CUresult', 'CUstream', 'CUstreamCaptureMode')
FUNCTIONS = (
    *('get_driver_version', 'init', 'mem_alloc', 'memcpy_dtoh_async', 'memcpy_htod_async'),
    *('pagelocked_empty', 'cuCtxGetCurrent', 'cuCtxPopCurrent', 'cuGraphDestroy'),
    *('cuGraphExecDestroy', 'cuGraphInstantiate', 'cuGraphLaunch', 'cuStreamBeginCapture'),
    'cuStreamEndCapture',
)


def list_api(module: ModuleType) -> Api:
    """Return what a module has, its functions under ''; the constructor is '__init__'."""
    api: Api = {'': {n: _arguments(getattr(module, n)) for n in FUNCTIONS if hasattr(module, n)}}
    for name in (*PYCUDA, *BINDINGS):
        kind = getattr(module, name, None)
        if isinstance(kind, type):
            members = [m for m in dir(kind) if not m.startswith('_')] + ['__init__']
            api[name] = {member: _member_arguments(kind, member) for member in members}
    return api


def _member_arguments(kind: type, name: str) -> list[int] | None:
    limits = _arguments(getattr(kind, name))
    if limits is None or isinstance(inspect.getattr_static(kind, name), staticmethod):
        return limits
    return [count - 1 for count in limits]


def _arguments(function: object) -> list[int] | None:
    """Return the fewest and the most arguments, self included; None if that is not known."""
    text = getattr(function, '__doc__', None) or ''
    # As Boost.Python writes them: f( (int)a, (str)b [, (object)c=None [, (int)d=0]]) -> None :
    written = re.findall(r'^\w+\((.*)\) -> \w+ :$', text, re.M)
    counts = [[_count(w.partition('[')[0]), _count(w)] for w in written]
    if counts:
        return [min(fewest for fewest, _ in counts), max(most for _, most in counts)]
    # As Cython writes them: f(a, int b)
    cython = re.match(r'cu\w+\((.*)\)\n', text)
    if cython is None:
        return None
    count = len([a for a in re.sub(r'\[.*?\]', '', cython[1]).split(',') if a.strip()])
    return [count, count]


def _count(arguments: str) -> int:
    return len(re.findall(r'\(\w+\)\w', arguments))


if __name__ == '__main__':
    print(json.dumps(list_api(importlib.import_module(sys.argv[1]))))
