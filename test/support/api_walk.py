# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Finds what source code uses of a library, and compares that with what the library has."""

import ast
from collections.abc import Callable
from pathlib import Path

Api = dict[str, dict[str, list[int] | None]]
"""Class ('': the module) -> member -> [fewest, most] arguments without self; None: unknown."""

Uses = dict[str, set[int]]
"""'Class.member', or 'member' of the module -> the numbers of arguments that it is called with."""


def uses(path: Path, owner: Callable[[ast.expr], str | None]) -> Uses:
    """Return what a file uses; `owner` returns the class of an expression, None if it has none."""
    found: Uses = {}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and (kind := owner(node.value)) is not None:
            found.setdefault(f'{kind}.{node.attr}'.lstrip('.'), set())
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            kind = owner(node.func.value)
            if kind is not None:
                text = ast.unparse(node)
                assert not node.keywords, f'keywords differ between versions: {path.name}: {text}'
                name = f'{kind}.{node.func.attr}'.lstrip('.')
                # A base class's constructor is given self.
                count = len(node.args) - (node.func.attr == '__init__')
                found.setdefault(name, set()).add(count)
    return found


def missing(api: Api, used: Uses) -> set[str]:
    """Return the parts of `used` that an API lacks, or does not take with these arguments."""
    wrong = set()
    for name, counts in used.items():
        kind, _, member = name.rpartition('.')
        if member in api and not kind:  # a class, called to make an object
            kind, member = member, '__init__'
        if member not in api.get(kind, {}):
            wrong.add(name)
            continue
        limits = api[kind][member]
        if counts and limits and not all(limits[0] <= n <= limits[1] for n in counts):
            wrong.add(f'{name}{sorted(counts)}')
    return wrong
