# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""URLs of calibrations, as camera_info_manager resolves them."""

import pytest

from msdepth_ros.calibration import camera_from_url
from msdepth_ros.calibration.location import locate
from msdepth_ros.errors import CalibrationError
from msdepth_ros.geometry.camera import Camera

FILE = Camera.pinhole(640, 480, 500.0, 501.0, 320.0, 240.0)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / 'my camera.yaml'
    path.write_text(FILE.to_yaml())
    return path


def test_urls_and_paths(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    quoted = str(path).replace(' ', '%20')
    for url in (
        f'file://{quoted}', f'file://localhost{quoted}', path.as_uri(), str(path),
        f'file://{path}', f'FILE://{path}',
    ):  # fmt: skip
        assert camera_from_url(url) == FILE
    assert camera_from_url('my camera.yaml') == FILE


def test_a_path_is_taken_as_it_is(tmp_path):
    for name in ('50%20off.yaml', 'a#b.yaml', 'a?b.yaml', 'a;b.yaml'):
        (tmp_path / name).write_text(FILE.to_yaml())
        assert camera_from_url(str(tmp_path / name)) == FILE
        assert camera_from_url(f'file://{tmp_path / name}') == FILE


def test_home(path, tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    assert camera_from_url('~/my camera.yaml') == FILE


def test_packages_are_found_as_ament_finds_them(tmp_path, monkeypatch):
    for number in (1, 2):
        index = tmp_path / f'{number}' / 'share/ament_index/resource_index/packages'
        index.mkdir(parents=True)
        (tmp_path / f'{number}' / 'share/robot/config').mkdir(parents=True)
    (index / 'robot').touch()
    (tmp_path / '2/share/robot/config/front camera.yaml').write_text(FILE.to_yaml())
    monkeypatch.setenv('AMENT_PREFIX_PATH', f'{tmp_path}/1:{tmp_path}/2')
    for name in ('front camera', 'front%20camera'):
        assert camera_from_url(f'package://robot/config/{name}.yaml') == FILE
    assert camera_from_url('package://msdepth_ros/config/camera.yaml').width > 0


@pytest.mark.parametrize('prefix', ['file://', ''])
def test_ros_home_and_name(prefix, tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    url = prefix + '${ROS_HOME}/camera_info/${NAME}.yaml'
    monkeypatch.delenv('ROS_HOME', raising=False)
    assert locate(url) == tmp_path / '.ros/camera_info/camera.yaml'
    monkeypatch.setenv('ROS_HOME', str(tmp_path / 'ros'))
    folder = tmp_path / 'ros/camera_info'
    folder.mkdir(parents=True)
    assert locate(url, 'front') == folder / 'camera.yaml'
    (folder / 'front.yaml').write_text(FILE.to_yaml())
    assert locate(url, 'front') == folder / 'front.yaml'
    assert camera_from_url(url, 'front') == FILE


@pytest.mark.parametrize(
    ('url', 'words'),
    [
        ('http://host/camera.yaml', 'download the file first; it must be a file:// URL, as file:/'),
        ('file://host/camera.yaml', 'must be a file:// URL, as file:///home'),
        ('flash:///camera.yaml', 'must be a file:// URL'),
        ('package://nobody_has_it/camera.yaml', "package 'nobody_has_it' is not found: source"),
        ('package:///camera.yaml', "package '' is not found"),
        ('file:///${HOME}/camera.yaml', r'\$\{HOME\} is not known, only'),
        ('file:///${NAME', r'cannot read .* /\$\{NAME'),
    ],
)
def test_other_urls_are_refused_with_what_to_do(url, words):
    with pytest.raises(CalibrationError, match=words) as caught:
        camera_from_url(url)
    assert '\n' not in str(caught.value)
