# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The last seconds as a dataset folder."""

import numpy as np
import pytest

from msdepth_ros.datasets.folder import DatasetFolder
from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.images.sources import ImageSource
from msdepth_ros.viewer import recording
from msdepth_ros.viewer.recording import (
    LastSeconds,
    RecordedFrame,
    recordings_folder,
    write_recording,
)

CAMERA = Intrinsics(64, 48, 50.0, 60.0, 31.5, 23.5)
SECOND = 10**9


def frame(stamp, intrinsics=CAMERA, metres=2.0):
    image = np.full((intrinsics.height, intrinsics.width, 3), (30, 90, 200), np.uint8)
    depth = np.full((intrinsics.height, intrinsics.width), metres, np.float32)
    depth[0] = np.nan
    return RecordedFrame.encode(stamp, image, depth, intrinsics)


def test_what_is_written_is_read_as_a_dataset_and_as_images(tmp_path):
    frames = [frame(n * SECOND, metres=1.0 + n / 4) for n in range(1, 4)]
    folder = write_recording(tmp_path / 'new', '/front/msdepth', frames)
    assert folder.name.startswith('front_msdepth_')
    dataset = DatasetFolder(folder)
    assert dataset.names == [f'{n}000000000' for n in range(1, 4)]
    assert dataset.intrinsics == CAMERA
    read = dataset[1]
    assert read.depth[1:] == pytest.approx(1.5)
    assert not read.depth[0].any()
    assert np.abs(read.image.astype(int) - (30, 90, 200)).max() <= 4
    source = ImageSource(folder)
    assert len(list(source)) == 3
    assert source.camera.rectified_intrinsics() == CAMERA


def test_frames_go_when_they_are_older_than_the_last_seconds():
    kept = LastSeconds(seconds=10)
    for n in range(30):
        kept.add(frame(n * SECOND))
    assert [f.stamp // SECOND for f in kept.frames()] == list(range(19, 30))


def test_frames_go_when_they_take_too_much_memory():
    size = frame(1).size
    kept = LastSeconds(most_bytes=3 * size)
    for n in range(10):
        kept.add(frame(n * SECOND // 2))
    assert len(kept.frames()) == 3


def test_one_in_five_hertz_is_kept_and_a_clock_that_went_back_begins_anew():
    kept = LastSeconds()
    assert kept.due(5 * SECOND)
    kept.add(frame(5 * SECOND))
    assert not kept.due(5 * SECOND + SECOND // 10)
    assert kept.due(5 * SECOND + SECOND // 5)
    assert kept.due(SECOND)
    kept.add(frame(SECOND))
    assert [f.stamp for f in kept.frames()] == [SECOND]


def test_another_camera_begins_anew():
    kept = LastSeconds()
    kept.add(frame(1 * SECOND))
    other = Intrinsics(32, 24, 25.0, 30.0, 15.5, 11.5)
    kept.add(frame(2 * SECOND, other))
    assert [f.intrinsics for f in kept.frames()] == [other]


def test_depth_that_16_bits_do_not_hold_is_invalid(tmp_path):
    far = frame(SECOND, metres=70.0)
    folder = write_recording(tmp_path, 'a', [far, frame(2 * SECOND)])
    with pytest.raises(MsdepthError, match='no valid pixel'):
        DatasetFolder(folder)[0]


def test_a_recording_of_nothing_is_refused(tmp_path):
    with pytest.raises(MsdepthError, match='nothing to record'):
        write_recording(tmp_path, 'a', [])


def test_nothing_is_written_to_a_nearly_full_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(recording, '_FREE', 1 << 60)
    with pytest.raises(MsdepthError, match='free some space'):
        write_recording(tmp_path, 'a', [frame(1)])
    assert not list(tmp_path.iterdir())


def test_an_unwritable_folder_is_reported(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(MsdepthError, match='cannot write'):
        write_recording(tmp_path / 'file', 'a', [frame(1)])


def test_recordings_go_into_the_xdg_data_folder():
    assert str(recordings_folder({'XDG_DATA_HOME': '/x'})) == '/x/msdepth_ros/recordings'
    expected = '/home/me/.local/share/msdepth_ros/recordings'
    assert str(recordings_folder({'HOME': '/home/me'})) == expected
