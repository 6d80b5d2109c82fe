# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which calibration counts, and from which URLs one is read."""

import pytest
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from msdepth_ros.errors import CalibrationError
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.node.calibration import CalibrationSource, camera_from_url
from msdepth_ros.node.messages import camera_info_msg

FILE = Camera.pinhole(640, 480, 500.0, 501.0, 320.0, 240.0)
OWN = Camera.pinhole(640, 480, 600.0, 601.0, 321.0, 241.0)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / 'my camera.yaml'
    path.write_text(FILE.to_yaml())
    return path


def test_urls_and_paths(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    quoted = str(path).replace(' ', '%20')
    for url in (f'file://{quoted}', f'file://localhost{quoted}', path.as_uri(), str(path)):
        assert camera_from_url(url) == FILE
    assert camera_from_url('my camera.yaml') == FILE


def test_a_plain_path_is_taken_as_it_is(tmp_path):
    for name in ('50%20off.yaml', 'a#b.yaml', 'a?b.yaml', 'a;b.yaml'):
        (tmp_path / name).write_text(FILE.to_yaml())
        assert camera_from_url(str(tmp_path / name)) == FILE


@pytest.mark.parametrize(
    'url', ['package://robot/camera.yaml', 'http://host/camera.yaml', 'file://host/camera.yaml']
)
def test_other_urls_are_refused_with_an_example(url):
    with pytest.raises(CalibrationError, match='must be a file:// URL, as file:///'):
        camera_from_url(url)


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


def test_the_file_stands_in_until_the_camera_speaks(path):
    source = CalibrationSource(str(path))
    assert source.camera == FILE
    assert source.announced
    assert source.update(camera_info_msg(OWN, Header())) is None
    assert source.camera == OWN


def test_the_file_stands_in_for_a_useless_camera_info(path):
    source = CalibrationSource(str(path))
    source.update(camera_info_msg(OWN, Header()))
    assert source.update(CameraInfo(width=640, height=480)) is None
    assert source.camera == FILE


def test_a_useless_camera_info_is_told_and_not_used():
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


def test_a_calibration_is_checked_when_it_changes(monkeypatch):
    checked = []
    monkeypatch.setattr(Camera, 'check', lambda camera: checked.append(camera))
    source = CalibrationSource()
    for camera in (OWN, OWN, FILE, FILE, OWN):
        source.update(camera_info_msg(camera, Header()))
    assert checked == [OWN, FILE, OWN]
