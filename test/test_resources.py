# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Share files are found beside the code, however it is installed."""

from pathlib import Path

import pytest

from msdepth_ros import resources
from msdepth_ros.errors import MsdepthError
from msdepth_ros.resources import share_directory

ROOT = Path(__file__).resolve().parents[1]


def install(folder: Path, monkeypatch) -> Path:
    """Pretend that the package's code lies in a folder."""
    folder.mkdir(parents=True)
    monkeypatch.setattr(resources, '__file__', str(folder / 'resources.py'))
    return folder


def test_in_the_source_tree_it_is_the_tree():
    assert share_directory() == ROOT
    assert (share_directory() / 'config' / 'depth.yaml').is_file()


@pytest.mark.parametrize(
    'site', ['lib/python3.12/site-packages', 'local/lib/python3.10/dist-packages', 'Lib/packages']
)
def test_installed_it_is_the_share_folder_of_the_prefix(site, tmp_path, monkeypatch):
    install(tmp_path / 'prefix' / site / 'msdepth_ros', monkeypatch)
    share = tmp_path / 'prefix' / 'share' / 'msdepth_ros'
    share.mkdir(parents=True)
    (share / 'package.xml').touch()
    assert share_directory() == share


def test_behind_a_symlink_it_is_the_source_tree(tmp_path, monkeypatch):
    source = tmp_path / 'src' / 'msdepth_ros'
    (source / 'msdepth_ros').mkdir(parents=True)
    (source / 'package.xml').touch()
    (source / 'msdepth_ros' / 'resources.py').touch()
    site = tmp_path / 'install' / 'lib' / 'site-packages'
    site.mkdir(parents=True)
    (site / 'msdepth_ros').symlink_to(source / 'msdepth_ros')
    monkeypatch.setattr(resources, '__file__', str(site / 'msdepth_ros' / 'resources.py'))
    assert share_directory() == source


def test_an_incomplete_installation_says_so(tmp_path, monkeypatch):
    install(tmp_path / 'lib' / 'site-packages' / 'msdepth_ros', monkeypatch)
    with pytest.raises(MsdepthError, match='install the package again'):
        share_directory()
