# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Datasets close what they hold open, also where opening them fails halfway."""

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from formats import COLOR_TOPIC, write_bag, write_nyu

from msdepth_ros.cli import main
from msdepth_ros.datasets import DatasetError, JoinedDatasets, Topics, open_dataset

FILES = Path('/proc/self/fd')

pytestmark = pytest.mark.skipif(not FILES.is_dir(), reason='open files are counted in /proc')


@pytest.fixture
def no_file_stays_open(tmp_path, monkeypatch):
    """Look for open files and folders of a test's own after it."""
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path / 'temporary'))
    (tmp_path / 'temporary').mkdir()
    kept = []  # nothing is closed only because nobody holds it any more
    yield kept
    links = [os.path.realpath(link) for link in FILES.iterdir()]
    assert not [link for link in links if link.startswith(str(tmp_path))]
    assert not list((tmp_path / 'temporary').iterdir())


BAGS = [('mcap', 'none'), ('mcap', 'file'), ('sqlite3', 'none'), ('sqlite3', 'file')]


@pytest.mark.parametrize(('storage', 'compression'), BAGS)
def test_recordings_are_closed(tmp_path, no_file_stays_open, storage, compression):
    pytest.importorskip('rosbags', reason='recordings are read with it')
    bag = write_bag(tmp_path / 'bag', storage, compression)
    for _ in range(50):
        with open_dataset(bag) as dataset:
            no_file_stays_open.append(dataset)
            assert dataset[1].depth.max() == 2
    dataset.close()


@pytest.mark.parametrize(('storage', 'compression'), BAGS)
def test_refused_recordings_are_closed(tmp_path, no_file_stays_open, storage, compression):
    pytest.importorskip('rosbags', reason='recordings are read with it')
    bag = write_bag(tmp_path / 'bag', storage, compression)
    for _ in range(5):
        with pytest.raises(DatasetError) as error:
            open_dataset(bag, topics=Topics(depth=COLOR_TOPIC))
        no_file_stays_open.append(error)


def test_nyu_is_closed(tmp_path, no_file_stays_open):
    pytest.importorskip('h5py', reason='the labelled set is read with it')
    path = write_nyu(tmp_path / 'nyu')
    for _ in range(50):
        with open_dataset(path) as dataset, JoinedDatasets({'a': dataset}) as joined:
            no_file_stays_open.append((dataset, joined))
            assert len(joined[0].image)
    broken = write_nyu(tmp_path / 'broken', depths=np.zeros((1, 2, 3), np.float32))
    with pytest.raises(DatasetError) as error:
        open_dataset(broken)
    no_file_stays_open.append(error)


def test_the_command_closes_what_it_opens(tmp_path, no_file_stays_open, capsys):
    pytest.importorskip('rosbags', reason='recordings are read with it')
    bag = write_bag(tmp_path / 'bag', 'sqlite3', 'file')
    assert main(['evaluate', str(bag), '--median-scaling', '--threads', '1']) == 0
    capsys.readouterr()
    no_file_stays_open.append(main)
