# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Docstrings have one form, NumPy's, with the types in the annotations."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SECTIONS = ('Parameters', 'Attributes', 'Returns', 'Raises', 'Notes')
ENTRY = {  # what the lines without indentation of a section look like
    'Parameters': r'\*{0,2}\w+(, \*{0,2}\w+)* : \S.*',
    'Attributes': r'\w+(, \w+)* : \S.*',
    'Raises': r'[A-Z]\w+(, [A-Z]\w+)*',
}
DOCUMENTED = ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef


def faults(docstring):
    """Return what of a docstring is not in that form."""
    lines = docstring.splitlines()
    rules = [number for number, line in enumerate(lines) if re.fullmatch('-{3,}', line)]
    found = [line for line in lines if line.rstrip(':') in SECTIONS and line.endswith(':')]
    for rule, end in zip(rules, [*(later - 1 for later in rules[1:]), len(lines)]):
        section = lines[rule - 1]
        if section not in SECTIONS or len(lines[rule]) != len(section):
            found.append(section)
        pattern = ENTRY.get(section, '.*')
        entries = [line for line in lines[rule + 1 : end] if line and line[0] != ' ']
        found += [line for line in entries if not re.fullmatch(pattern, line)]
    return found


@pytest.mark.parametrize(
    ('docstring', 'fault'),
    [
        ('Do.\n\nRaises\n------\nError : it failed.', 'Error : it failed.'),
        ('Do.\n\nParameters\n----------\nwidth: in pixels.', 'width: in pixels.'),
        ('Do.\n\nReturns:\nNothing.', 'Returns:'),
        ('Do.\n\nGives\n-----\nNothing.', 'Gives'),
    ],
)
def test_another_form_is_found(docstring, fault):
    assert faults(docstring) == [fault]


@pytest.mark.parametrize('folder', ['msdepth_ros', 'launch', 'bench'])
def test_docstrings_have_numpys_form(folder):
    found = []
    for path in sorted((ROOT / folder).rglob('*.py')):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, DOCUMENTED):
                faulty = faults(ast.get_docstring(node) or '')
                found += [f'{path.relative_to(ROOT)}: {fault}' for fault in faulty]
    assert not found
