# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Images without depth become frames: of a folder, a video's worth of files, a recording."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from formats import COLOR_TOPIC, INFO_TOPIC, BagWriter

from msdepth_ros.datasets.base import DatasetError
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.recordings.frames import frames_without_depth

CAMERA = Camera.pinhole(160, 120, 150.0, 151.0, 80.0, 60.0)


def image(index: int) -> np.ndarray:
    return np.full((120, 160, 3), (10 * index, 20, 200), np.uint8)


def folder(path: Path, count: int = 5, camera: Camera | None = CAMERA) -> Path:
    path.mkdir()
    for index in range(count):
        cv2.imwrite(str(path / f'{index:04d}.png'), image(index))
    if camera is not None:
        (path / 'camera.yaml').write_text(camera.to_yaml())
    return path


def test_a_folder(tmp_path: Path):
    frames = frames_without_depth(folder(tmp_path / 'drive'))
    assert [frame.name for frame in frames] == ['0000', '0001', '0002', '0003', '0004']
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.image, image(index))
        assert frame.depth.shape == (120, 160)
        assert not frame.depth.any()
        assert frame.intrinsics == CAMERA.raw_intrinsics()


def test_every_third_shrunk(tmp_path: Path):
    frames = frames_without_depth(folder(tmp_path / 'drive'), width=80, every=3)
    assert [frame.name for frame in frames] == ['0000', '0003']
    assert frames[0].image.shape == (60, 80, 3)
    assert frames[0].intrinsics.fx == 75


def test_an_unknown_camera_is_asked_for_or_given(tmp_path: Path):
    path = folder(tmp_path / 'drive', camera=None)
    with pytest.raises(DatasetError, match=r'camera\.yaml beside the images'):
        frames_without_depth(path)
    (frame, *_) = frames_without_depth(path, focal_and_centre=(150.0, 151.0, 80.0, 60.0))
    assert frame.intrinsics == CAMERA.raw_intrinsics()
    assert frames_without_depth(path, CAMERA)[0].intrinsics == CAMERA.raw_intrinsics()


def test_a_lens_is_rectified(tmp_path: Path):
    k = (150.0, 0.0, 80.0, 0.0, 151.0, 60.0, 0.0, 0.0, 1.0)
    lens = Camera(160, 120, k, (-0.3, 0.1, 0.0, 0.0, 0.0))
    path = folder(tmp_path / 'drive', 2, lens)
    drawn = np.zeros((120, 160, 3), np.uint8)
    drawn[:, 20:24] = 255  # an upright line near the border, which the lens bends
    cv2.imwrite(str(path / '0000.png'), drawn)
    (frame, _) = frames_without_depth(path)
    columns = frame.image[..., 0].argmax(1)
    assert abs(int(columns[60]) - int(columns[5])) >= 2
    assert frame.intrinsics == lens.rectified_intrinsics()


def test_a_recording_without_depth(tmp_path: Path):
    pytest.importorskip('rosbags')
    with BagWriter(tmp_path / 'bag', 'mcap', 'none') as bag:
        for index in range(4):
            bag.camera_info(INFO_TOPIC, 160, 120, 150.0, 1000 + index)
            bag.image(COLOR_TOPIC, 'rgb8', image(index)[..., ::-1].copy(), 1000 + index)
    frames = frames_without_depth(tmp_path / 'bag', every=2)
    assert [frame.name for frame in frames] == ['1000', '1002']
    np.testing.assert_array_equal(frames[1].image, image(2))
    assert frames[1].intrinsics.fx == 150
