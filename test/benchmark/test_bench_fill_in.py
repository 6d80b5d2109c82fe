# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measured tables get into docs/performance.md, and only between their marks."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / 'bench' / 'fill_in.py'
TEXT = 'Before.\n\n<!-- one -->\nold\n<!-- end -->\n\n<!-- two -->\n<!-- end -->\n\nAfter.\n'


@pytest.fixture
def fill_in(tmp_path):
    document, figures = tmp_path / 'doc.md', tmp_path / 'figures'
    document.write_text(TEXT)
    figures.mkdir()

    def run(code=0, **contents):
        for name, content in contents.items():
            (figures / name.replace('_', '.')).write_text(content)
        command = [sys.executable, str(SCRIPT), str(document), str(figures)]
        result = subprocess.run(command, capture_output=True, text=True)
        assert (result.returncode == 0) == (code == 0), result.stderr
        return document.read_text() if code == 0 else result.stderr

    return run


def test_tables_and_texts_go_between_their_marks_and_others_stay(fill_in):
    text = TEXT.replace('<!-- two -->\n', '<!-- two -->\n```\nlines\n```\n')
    assert fill_in(two_txt='lines\n') == text
    for row in ('| new |\n', '| newer \\1 |\n'):
        assert fill_in(one_md=row) == text.replace('old\n', row)


def test_a_table_without_a_place_is_an_error(fill_in):
    assert 'no place for three' in fill_in(code=1, three_md='| lost |\n')


def test_no_figures_is_an_error(fill_in):
    assert 'run `make bench` first' in fill_in(code=1)


def test_the_document_has_a_place_for_every_benchmark():
    text = (ROOT / 'docs' / 'performance.md').read_text()
    names = ('benchmark', 'peak', 'runtimes', 'overhead', 'compression', 'soak')
    for name in names:
        assert text.count(f'<!-- {name} -->\n') == 1
    assert text.count('<!-- end -->\n') == len(names)
