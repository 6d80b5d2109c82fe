# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The documents: links lead somewhere, and the tables of topics and parameters are complete."""

import argparse
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import msdepth_ros.cli

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *sorted((ROOT / 'docs').rglob('*.md'))]
LINK = re.compile(r'\]\(([^)\s]+)\)')


def without_code(text):
    return re.sub(r'```.*?```', '', text, flags=re.DOTALL)


def anchors(page):
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r'^#+ (.+)$', without_code(page.read_text()), re.MULTILINE)
    plain = (re.sub(r'\[([^]]*)\]\([^)]*\)', r'\1', heading).lower() for heading in headings)
    return {re.sub(r'[^\w\- ]', '', text).strip().replace(' ', '-') for text in plain}


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page):
    wrong = []
    for link in LINK.findall(without_code(page.read_text())):
        if '://' in link or link.startswith('mailto:'):
            continue
        path, _, anchor = link.partition('#')
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            wrong.append(link)
    assert not wrong


def test_the_table_of_topics_is_complete():
    outputs = pytest.importorskip('msdepth_ros.node.outputs', reason='needs rclpy').OUTPUTS
    text = (ROOT / 'docs' / 'topics.md').read_text()
    for output in outputs:
        assert f'`{output.topic}`' in text


def test_the_viewers_parameters_are_reported():
    source = (ROOT / 'msdepth_ros' / 'viewer' / 'viewer_node.py').read_text()
    text = (ROOT / 'docs' / 'viewer.md').read_text()
    names = re.findall(r"self\._declare\(\s*'(\w+)'", source)
    assert len(names) >= 5
    for name in names:
        assert f'| `{name}` |' in text


def test_the_readme_is_short_and_its_pictures_light():
    assert len((ROOT / 'README.md').read_text().splitlines()) < 120
    for picture in (ROOT / 'docs' / 'images').iterdir():
        assert picture.stat().st_size <= 3 << 20, picture


NOW = [page for page in PAGES if not page.stem.endswith('_log')]  # logs name what was removed
FILE = re.compile(
    r'(?<![\w/.-])(?:bench|config|docs|engines|launch|msdepth_ros|test)/[\w/.-]+\.(?:py|yaml|xml|md|onnx)'
)


def commands(text):
    """Return a page's lines, those that end in a backslash joined with the next."""
    return text.replace('\\\n', ' ').splitlines()


def options_of(name):
    parser = argparse.ArgumentParser()
    importlib.import_module(f'msdepth_ros.cli.{name.replace("-", "_")}').add_arguments(parser)
    return {option for action in parser._actions for option in action.option_strings}


def launch_arguments(name):
    source = (ROOT / 'launch' / name).read_text()
    found = re.findall(r"(?:^    |DeclareLaunchArgument\(\s*)'(\w+)'", source, re.MULTILINE)
    return {*found, *(launch_arguments('depth.launch.py') if 'navigation' in name else ())}


@pytest.mark.parametrize('page', NOW, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_and_files_exist(page):
    text = page.read_text()
    targets = re.findall(r'^([a-z-]+):', (ROOT / 'Makefile').read_text(), re.MULTILINE)
    assert set(re.findall(r'(?:`|^)make ([a-z-]+)', text, re.MULTILINE)) <= set(targets)
    assert not [path for path in FILE.findall(text) if not (ROOT / path).exists()]


def test_the_files_that_a_newcomer_is_sent_to_exist():
    text = (ROOT / 'CONTRIBUTING.md').read_text()
    table = text[text.index('| to add |') :].partition('\n\n')[0]
    rows = [line for line in table.splitlines() if '`' in line]
    assert len(rows) >= 15
    for row in rows:
        folder = ROOT / 'msdepth_ros'
        for name in re.findall(r'`([\w/.]+(?:\.\w+|/))`', row):
            known = [place / name for place in (folder, ROOT / 'msdepth_ros', ROOT)]
            found = [path for path in known if path.exists()]
            assert found, f'{name} in: {row}'
            folder = found[0] if found[0].is_dir() else found[0].parent


@pytest.mark.parametrize('page', NOW, ids=lambda page: str(page.relative_to(ROOT)))
def test_options_and_launch_arguments_exist(page):
    modules = pkgutil.iter_modules(msdepth_ros.cli.__path__)
    names = {info.name.replace('_', '-') for info in modules if info.name[0] != '_'}
    for line in commands(page.read_text()):
        for name, rest in re.findall(r'msdepth ([a-z-]+)([^|`]*)', line):
            if name in names:
                assert set(re.findall(r'(?<!\S)--[a-z][a-z0-9-]*', rest)) <= options_of(name), line
        for name, rest in re.findall(r'ros2 launch msdepth_ros (\S+)([^`]*)', line):
            assert set(re.findall(r'(?<!\S)(\w+):=', rest)) <= launch_arguments(name), line
