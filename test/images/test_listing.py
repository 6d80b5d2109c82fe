# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which files of a folder are its user's images, and in which order."""

import pytest

from msdepth_ros.images.listing import list_images, natural_key


@pytest.mark.parametrize(
    'names',
    [
        ['frame2', 'frame10', 'frame100'],
        ['1', '2', '10', '0011', 'a', 'B', 'c'],
        ['a1b2', 'a1b10', 'a2b1'],
        ['IMG_9', 'img_10', 'IMG_11'],
        ['frame', 'frame1', 'frame1b'],
        ['x-1.5', 'x-1.10'],
        ['a', 'a\u00b2', 'a\u0663', '\u00e9'],  # digits of other scripts are letters here
    ],
)
def test_names_are_in_the_order_of_their_numbers(names):
    backwards = names[::-1]
    assert sorted(backwards, key=natural_key) == names


def test_files_of_file_managers_and_archives_are_skipped(tmp_path):
    for name in (
        'a.png', '._a.png', '.hidden.jpg', 'Thumbs.db', 'desktop.ini', '.DS_Store', 'notes.txt',
        '__MACOSX/._a.png', '__MACOSX/b.png', '.Trash-1000/files/c.png', '.thumbnails/d.png',
        '@eaDir/e.jpg/SYNOPHOTO_THUMB_M.jpg', '$RECYCLE.BIN/f.png', 'a.png.part',
        'folder.png/g.JPG', 'sub/h.jpeg', 'sub/deeper/i.tiff',
    ):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = [path.relative_to(tmp_path).as_posix() for path in list_images(tmp_path)]
    assert found == ['a.png', 'folder.png/g.JPG', 'sub/h.jpeg', 'sub/deeper/i.tiff']


def test_results_and_loops_of_links_are_skipped(tmp_path):
    for name in ('a.png', 'depth/a_color.png'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / 'loop').symlink_to(tmp_path)
    (tmp_path / 'b.png').symlink_to(tmp_path / 'a.png')
    found = list_images(tmp_path, without=tmp_path / 'depth')
    assert [path.name for path in found] == ['a.png', 'b.png']
