# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Dataset folders whose calibration another tool wrote."""

import calibration_files as files
import cv2
import numpy as np
import pytest
from formats import INFO_TOPIC, BagWriter, write_bag

from msdepth_ros.datasets import DatasetError, DatasetFolder, open_dataset


@pytest.fixture
def folder(tmp_path):
    for part, picture in (
        ('rgb', np.full((files.HEIGHT, files.WIDTH, 3), 100, np.uint8)),
        ('depth', np.full((files.HEIGHT, files.WIDTH), 2000, np.uint16)),
    ):
        (tmp_path / 'set' / part).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / 'set' / part / '0.png'), picture)
    return tmp_path / 'set'


def _without_distortion(data: bytes) -> bytes:
    for number in files.D:
        data = data.replace(str(number).encode(), b'0.0').replace(b'%f' % number, b'0.0')
    return data.replace(b'1.0000000000000000e-03', b'0.').replace(b'-3.0000000000000000e-01', b'0.')


@pytest.mark.parametrize(
    ('tool', 'name'),
    [
        ('camchain.yaml', 'camera.yaml'),
        ('ost.txt', 'camera.yaml'),
        ('ros2_topic_echo.yaml', 'camera.yaml'),
        ('nested_block.yaml', 'camera.yaml'),
        ('rosbridge.json', 'camera.json'),
        ('matlab.json', 'camera.json'),
    ],
)
def test_a_folder_with_another_tools_calibration(folder, tool, name):
    (folder / name).write_bytes(_without_distortion(files.write(folder.parent, tool).read_bytes()))
    frame = DatasetFolder(folder)[0]
    focal = files.P[0] if tool in files.WITH_P else files.FX
    assert frame.intrinsics.fx == pytest.approx(focal)
    assert (frame.intrinsics.width, frame.intrinsics.height) == (files.WIDTH, files.HEIGHT)
    assert frame.depth.max() == 2.0


def test_a_calibration_without_a_size_is_of_the_images(folder):
    (folder / 'camera.yaml').write_text(f'K: {files.ROWS}\ndepth_scale: 500\n')
    frame = DatasetFolder(folder)[0]
    assert frame.intrinsics.width == files.WIDTH
    assert frame.intrinsics.fx == pytest.approx(files.FX)
    assert frame.depth.max() == 4.0


def test_distortion_is_refused_whatever_tool_wrote_it(folder):
    files.write(folder, 'opencv.yml').rename(folder / 'camera.yaml')
    with pytest.raises(DatasetError, match='has lens distortion'):
        DatasetFolder(folder)


def test_a_recorded_calibration_that_is_hard_to_believe_is_reported_once(tmp_path, caplog):
    pytest.importorskip('rosbags')
    path = write_bag(tmp_path / 'bag')
    open_dataset(path)
    assert 'hard' not in caplog.text
    assert 'another image size' not in caplog.text
    from formats import COLOR_TOPIC, DEPTH_TOPIC, picture

    with BagWriter(tmp_path / 'other') as bag:
        for i in range(3):
            ns = 1_700_000_000_000_000_000 + i * 100_000_000
            k = [27.0, 0, 15.5, 0, 27.0, 11.5, 0, 0, 1]
            bag.camera_info(INFO_TOPIC, 64, 48, 55.0, ns, k=k, p=[0.0] * 12)
            bag.image(COLOR_TOPIC, 'rgb8', picture(i, 64, 48), ns)
            bag.image(DEPTH_TOPIC, '16UC1', np.full((48, 64), 1000, np.uint16), ns)
    open_dataset(tmp_path / 'other')
    assert caplog.text.count('another image size, 32x24') == 1
