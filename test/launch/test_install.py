# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What colcon makes of the package."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_colcon_knows_the_package_type(colcon, tmp_path):
    command = [*colcon, '--log-base', str(tmp_path), 'list', '--paths', str(ROOT)]
    listed = subprocess.run(command, text=True, capture_output=True, check=True).stdout
    name, path, kind = listed.split()
    assert (name, Path(path).resolve(), kind) == ('msdepth_ros', ROOT, '(ros.ament_python)')


@pytest.mark.parametrize('name', ['depth_node', 'camera_player', 'msdepth'])
def test_executables_are_where_ros2_run_looks(workspace, name):
    assert os.access(workspace.prefix / 'lib' / 'msdepth_ros' / name, os.X_OK)


def test_index_marker_and_manifest(workspace):
    index = workspace.prefix / 'share' / 'ament_index' / 'resource_index' / 'packages'
    assert (index / 'msdepth_ros').is_file()
    assert (workspace.share / 'package.xml').read_text() == (ROOT / 'package.xml').read_text()


@pytest.mark.parametrize('folder', ['launch', 'config', 'engines'])
def test_share_folders_are_complete(workspace, folder):
    def files(root):
        return {
            path.relative_to(root).as_posix(): path.stat().st_size
            for path in (root / folder).rglob('*')
            if path.is_file() and '__pycache__' not in path.parts
        }

    assert files(ROOT)
    assert files(workspace.share) == files(ROOT)


def test_installed_code_finds_its_own_share_folder(workspace, tmp_path):
    program = (
        'import msdepth_ros; from msdepth_ros.resources import share_directory; '
        'print(msdepth_ros.__file__, share_directory())'
    )
    found = workspace.run(sys.executable, '-c', program, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    code, share = found.stdout.split()
    assert workspace.prefix in Path(code).parents
    assert Path(share) == workspace.share


def test_installed_command_line_runs_outside_the_source_tree(workspace, tmp_path):
    msdepth = str(workspace.prefix / 'lib' / 'msdepth_ros' / 'msdepth')
    done = workspace.run(msdepth, '--help', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert 'infer' in done.stdout
    assert 'demo' in done.stdout


def test_pip_installs_code_scripts_and_share_files(tmp_path):
    """`pip install .` of a copy, for pip builds inside the source tree."""
    source, prefix = tmp_path / 'source', tmp_path / 'prefix'
    ignored = shutil.ignore_patterns('.*', 'build', 'install', 'log', 'out', 'runs', '*.egg-info')
    shutil.copytree(ROOT, source, ignore=ignored)
    command = [sys.executable, '-m', 'pip', 'install', '--no-deps', '--no-build-isolation']
    # else pip would uninstall the package that the tests themselves run from
    command += ['--ignore-installed', '--disable-pip-version-check', '--prefix', str(prefix)]
    command.append(str(source))
    installed = subprocess.run(command, text=True, capture_output=True)
    assert installed.returncode == 0, installed.stderr
    (site,) = prefix.glob('**/site-packages')
    for name in ('depth_node', 'camera_player', 'msdepth'):
        assert os.access(site.parents[2] / 'bin' / name, os.X_OK)
    program = (
        'from msdepth_ros.resources import share_directory; from msdepth_ros.images.sources import '
        'DEFAULT_CLIP; print(share_directory(), DEFAULT_CLIP)'
    )
    found = subprocess.run(
        [sys.executable, '-c', program],
        text=True,
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, 'PYTHONPATH': str(site)},
    )
    assert found.returncode == 0, found.stderr
    share, clip = map(Path, found.stdout.split())
    assert share == site.parents[2] / 'share' / 'msdepth_ros'
    assert (share / 'launch' / 'depth.launch.py').is_file()
    assert (share / 'config' / 'depth.yaml').is_file()
    assert site in clip.parents
    assert clip.is_file()
