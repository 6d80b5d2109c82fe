# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which calibration counts."""

import pytest
from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from msdepth_ros.errors import CalibrationError
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.node.calibration import CalibrationSource
from msdepth_ros.node.messages import camera_info_msg

FILE = Camera.pinhole(640, 480, 500.0, 501.0, 320.0, 240.0)
OWN = Camera.pinhole(640, 480, 600.0, 601.0, 321.0, 241.0)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / 'my camera.yaml'
    path.write_text(FILE.to_yaml())
    return path


def test_a_missing_file_is_named():
    with pytest.raises(CalibrationError, match=r'cannot read .*/nowhere/camera\.yaml'):
        CalibrationSource('file:///nowhere/camera.yaml')


def test_nothing_is_known_at_first():
    source = CalibrationSource()
    assert source.camera is None
    assert not source.announced


def test_the_camera_announces_itself():
    source = CalibrationSource()
    assert source.update(camera_info_msg(OWN, Header())) is None
    assert source.camera == OWN
    assert source.announced


def test_the_file_is_used_until_the_camera_sends_camera_info(path):
    source = CalibrationSource(str(path))
    assert source.camera == FILE
    assert source.announced
    assert source.update(camera_info_msg(OWN, Header())) is None
    assert source.camera == OWN


def test_the_file_replaces_an_invalid_camera_info(path):
    source = CalibrationSource(str(path))
    source.update(camera_info_msg(OWN, Header()))
    assert source.update(CameraInfo(width=640, height=480)) is None
    assert source.camera == FILE


def test_an_invalid_camera_info_is_reported_and_not_used():
    source = CalibrationSource()
    source.update(camera_info_msg(OWN, Header()))
    problem = source.update(CameraInfo(width=640, height=480))
    assert 'not calibrated' in problem
    assert source.camera is None
    assert source.announced
    assert source.update(camera_info_msg(OWN, Header())) is None
    assert source.camera == OWN


def test_a_change_of_the_calibration_is_taken():
    source = CalibrationSource()
    for camera in (OWN, FILE, OWN):
        source.update(camera_info_msg(camera, Header()))
        assert source.camera == camera


@pytest.mark.parametrize('find', [CalibrationSource.of, CalibrationSource.settled])
def test_an_image_has_its_own_camera_info_even_if_newer_ones_came(find):
    source = CalibrationSource()
    for second, camera in ((1, FILE), (2, OWN)):
        source.update(camera_info_msg(camera, Header(stamp=Time(sec=second))))
    assert find(source, Time(sec=1)) == FILE
    assert find(source, Time(sec=2)) == OWN
    assert find(source, Time(sec=3)) == OWN  # the newest, as it has none


def test_a_calibration_is_checked_when_it_changes(monkeypatch):
    checked = []
    monkeypatch.setattr(Camera, 'check', lambda camera: checked.append(camera))
    source = CalibrationSource()
    for camera in (OWN, OWN, FILE, FILE, OWN):
        source.update(camera_info_msg(camera, Header()))
    assert checked == [OWN, FILE, OWN]


def test_implausible_numbers_are_kept_until_the_next_calibration():
    source = CalibrationSource()
    gazebo = Camera.pinhole(640, 480, 277.1, 277.1, 160.5, 120.5)
    for _ in range(2):
        assert source.update(camera_info_msg(gazebo, Header())) is None
        assert 'another image size' in source.doubt
        assert source.camera == gazebo
    source.update(camera_info_msg(OWN, Header()))
    assert source.doubt == ''


@pytest.mark.parametrize(
    ('model', 'd'),
    [
        ('plumb_bob', [-0.3, 0.1, 0.0, 0.0, 0.01, 0.0, 0.0, 0.0]),  # Orbbec
        ('equidistant', [0.1, 0.0, 0.0, 0.0, 0.0]),  # RealSense
        ('plumb_bob', [-0.3] + [0.0] * 100),
        ('radtan', [0.1] * 4),
        ('plumb_bob', [0.01] * 8),
    ],
)
def test_coefficients_of_a_message_count_by_what_they_say(model, d):
    source = CalibrationSource()
    message = camera_info_msg(OWN, Header())
    message.distortion_model, message.d = model, d
    assert source.update(message) is None
    assert source.camera.distorted


def test_coefficients_at_the_end_of_a_long_list_are_not_lost():
    source = CalibrationSource()
    message = camera_info_msg(OWN, Header())
    message.d = [0.0] * 20 + [0.1]
    assert 'plumb_bob has 4 or 5 coefficients' in source.update(message)
