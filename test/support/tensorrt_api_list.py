# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Lists a TensorRT module's classes, their members, and how many arguments those take.

`python3 tensorrt_api_list.py tensorrt` prints it as JSON; tensorrt_api.json holds the lists of
TensorRT 8.6.1, 10.3.0 and 11.4.0, for the classes that the backend uses.
"""

import importlib
import json
import re
import sys
from types import ModuleType

from api_walk import Api

CLASSES = (
    *('Builder', 'BuilderFlag', 'DataType', 'EngineInspector', 'IBuilderConfig', 'ICudaEngine'),
    *('IExecutionContext', 'IHostMemory', 'ILayer', 'ILogger', 'INetworkDefinition', 'ITensor'),
    *('IParserError', 'IProgressMonitor', 'ITimingCache', 'LayerInformationFormat', 'LayerType'),
    *('MemoryPoolType', 'NetworkDefinitionCreationFlag', 'OnnxParser', 'ParserError', 'Runtime'),
    *('ComputeCapability', 'ProfilingVerbosity', 'TensorIOMode'),
)


def list_api(module: ModuleType) -> Api:
    """Return class -> member -> [fewest, most] arguments without self; None if not a method.

    The constructor is listed as '__init__'.
    """
    api: Api = {}
    for name in CLASSES:
        kind = getattr(module, name, None)
        if isinstance(kind, type):
            members = [m for m in dir(kind) if not m.startswith('_')] + ['__init__']
            api[name] = {member: _arguments(getattr(kind, member)) for member in sorted(members)}
    return api


def _arguments(member: object) -> list[int] | None:
    """Read the signatures that pybind11 writes into a method's docstring."""
    if not callable(member):
        return None
    signatures = re.findall(r'^(?:\d+\. )?\w+\(self[^,)]*(.*)\) -> ', member.__doc__ or '', re.M)
    counts = [_count(signature) for signature in signatures]
    if not counts:
        return None
    return [min(fewest for fewest, _ in counts), max(most for _, most in counts)]


def _count(signature: str) -> tuple[int, int]:
    """Count the arguments of ', a: int, b: dict[str, int] = 1'."""
    depth, parts = 0, []
    for character in signature:
        depth += {'[': 1, '(': 1, '<': 1, ']': -1, ')': -1, '>': -1}.get(character, 0)
        if character == ',' and depth == 0:
            parts.append('')
        elif parts:
            parts[-1] += character
    return sum(' = ' not in part for part in parts), len(parts)


if __name__ == '__main__':
    print(json.dumps(list_api(importlib.import_module(sys.argv[1]))))
