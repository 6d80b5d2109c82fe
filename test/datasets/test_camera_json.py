# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Dataset folders whose frames have intrinsics and sizes of their own."""

import json

import cv2
import numpy as np
import pytest
from folders import HEIGHT, WIDTH, write_folder

from msdepth_ros.datasets import DatasetError, DatasetFolder, open_dataset
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.geometry.pinhole import Intrinsics

DEFAULT = {'fx': 120.0, 'fy': 121.0, 'cx': 79.0, 'cy': 58.0, 'width': WIDTH, 'height': HEIGHT}
OWN = {'fx': 60.0, 'fy': 61.0, 'cx': 39.0, 'cy': 24.0, 'width': 80, 'height': 50}


@pytest.fixture
def folder(tmp_path):
    """Three frames without camera.yaml, the last of another size."""
    path = write_folder(tmp_path / 'set', 3)
    (path / 'camera.yaml').unlink()
    for part in ('rgb', 'depth'):
        file = str(path / part / '0002.png')
        image = cv2.imread(file, cv2.IMREAD_UNCHANGED)
        cv2.imwrite(file, np.ascontiguousarray(image[:50, :80]))
    write(path)
    return path


def write(folder, **changes):
    document = {
        **DEFAULT,
        'registered': True,
        'depth_unit': 'mm (uint16, 0 = invalid)',
        'frames': {'0001': {**DEFAULT, 'source': 'a'}, '0002': {**OWN, 'source': 'b'}},
    }
    document.update(changes)
    kept = {key: value for key, value in document.items() if value is not None}
    (folder / 'camera.json').write_text(json.dumps(kept))


def test_each_frame_has_its_own_intrinsics_and_size(folder):
    dataset = DatasetFolder(folder)
    assert dataset.intrinsics == Intrinsics(WIDTH, HEIGHT, 120.0, 121.0, 79.0, 58.0)
    assert dataset[0].intrinsics == dataset[1].intrinsics == dataset.intrinsics
    assert dataset[2].intrinsics == Intrinsics(80, 50, 60.0, 61.0, 39.0, 24.0)
    assert dataset[2].image.shape == (50, 80, 3)
    assert dataset[2].depth.shape == (50, 80)
    assert dataset[2].depth.max() == 3.0


def test_camera_yaml_comes_first(folder):
    camera = Camera.pinhole(WIDTH, HEIGHT, 99.0, 99.0, 79.5, 59.5)
    (folder / 'camera.yaml').write_text(camera.to_yaml())
    assert DatasetFolder(folder)[1].intrinsics.fx == 99.0


def test_given_intrinsics_come_before_both(folder):
    dataset = open_dataset(folder, (99.0, 98.0, 80.0, 60.0))
    assert dataset[1].intrinsics == Intrinsics(WIDTH, HEIGHT, 99.0, 98.0, 80.0, 60.0)


def test_no_default(folder):
    write(folder, fx=None)
    with pytest.raises(DatasetError, match="no intrinsics for frame '0000'"):
        DatasetFolder(folder)
    write(folder, fx=None, frames=dict.fromkeys(('0000', '0001'), DEFAULT) | {'0002': OWN})
    assert DatasetFolder(folder)[2].intrinsics.fx == 60.0


def test_depth_scale(folder):
    write(folder, depth_scale=500, depth_unit='half millimetres')
    assert DatasetFolder(folder)[2].depth.max() == 6.0


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'fx': None, 'frames': None}, 'must give fx, fy'),
        ({'fx': 0}, 'must be positive'),
        ({'width': -1}, 'must be positive'),
        ({'cx': 'middle'}, 'must give fx'),
        ({'frames': {'0002': {'fx': 1}}}, "frame '0002' must give"),
        ({'frames': {'0002': 3}}, "frame '0002' must give"),
        ({'frames': [DEFAULT]}, 'frames must map'),
        ({'depth_unit': 'cm'}, 'or give depth_scale'),
        ({'depth_scale': 0}, 'must be a positive number'),
        ({'registered': False}, 'not registered'),
    ],
)
def test_wrong_values_are_named(folder, changes, message):
    write(folder, **changes)
    with pytest.raises(DatasetError, match=rf'camera\.json.*{message}'):
        DatasetFolder(folder)


@pytest.mark.parametrize('text', ['', '[1]', '{"fx": 1', '\x00'])
def test_what_is_no_calibration(folder, text):
    (folder / 'camera.json').write_text(text)
    with pytest.raises(DatasetError, match=r'camera\.json'):
        DatasetFolder(folder)


def test_a_frame_of_another_size_than_its_own_intrinsics(folder):
    write(folder, frames={'0002': {**OWN, 'width': 81}})
    with pytest.raises(DatasetError, match=r'0002\.png is 80x50 but the calibration is for 81x50'):
        DatasetFolder(folder)[2]


def test_real_frames_of_many_cameras(shared_data):
    for path in sorted((shared_data / 'rgbd_variety').glob('*/camera.json')):
        document = json.loads(path.read_text())
        dataset = open_dataset(path.parent)
        for index in (0, len(dataset) - 1):
            frame = dataset[index]
            own = document['frames'][frame.name]
            assert frame.intrinsics.fx == own['fx'], path
            assert frame.depth.shape == (own['height'], own['width']), path
            assert 0.2 < np.median(frame.depth[frame.depth > 0]) < 10, path


def test_real_sequences_whose_depth_is_half_as_wide(shared_data):
    for path in sorted((shared_data / 'posed_scene0000').parent.glob('posed_*/camera.json')):
        frame = open_dataset(path.parent)[0]
        assert frame.depth.shape == frame.image.shape[:2], path
        assert 0.2 < np.median(frame.depth[frame.depth > 0]) < 10, path
