# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Calibration files of every tool, and those that are none."""

import logging

import calibration_files as files
import cv2
import numpy as np
import pytest
import yaml

from msdepth_ros.calibration import camera_from_url, read_camera
from msdepth_ros.errors import CalibrationError
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.geometry.pinhole import Intrinsics

K = (520.0, 0.0, 325.5, 0.0, 525.0, 253.7, 0.0, 0.0, 1.0)
P = (500.0, 0.0, 320.0, 0.0, 0.0, 505.0, 240.0, 0.0, 0.0, 0.0, 1.0, 0.0)
D = (-0.3, 0.1, 0.001, -0.002, 0.0)


@pytest.mark.parametrize('name', files.NAMES)
def test_one_calibration_in_the_files_of_all_tools(name, tmp_path):
    camera = read_camera(files.write(tmp_path, name))
    size = (0, 0) if name in files.WITHOUT_SIZE else (files.WIDTH, files.HEIGHT)
    assert (camera.width, camera.height) == size
    np.testing.assert_allclose(camera.k, files.K.ravel(), atol=1e-3)
    assert camera.distortion_model == 'plumb_bob'
    np.testing.assert_allclose(camera.d[:4], files.D, atol=1e-6)
    assert not any(camera.d[4:])
    assert (camera.p or files.P) == files.P
    assert bool(camera.p) == (name in files.WITH_P)
    assert camera.r == files.IDENTITY


@pytest.mark.parametrize('suffix', ['yml', 'xml', 'json'])
def test_a_fisheye_of_opencv(suffix, tmp_path):
    files.opencv(tmp_path / f'fisheye.{suffix}', fisheye=True)
    camera = read_camera(tmp_path / f'fisheye.{suffix}')
    assert (camera.distortion_model, camera.d) == ('equidistant', files.D)


def test_a_fisheye_of_camodocal(tmp_path):
    text = files.CAMODOCAL.replace('PINHOLE', 'KANNALA_BRANDT')
    for old, new in zip(('k2', 'k1', 'p1', 'p2'), ('k3', 'k2', 'k4', 'k5')):
        text = text.replace(f'   {old}:', f'   {new}:')
    for old, new in zip(('fx', 'fy', 'cx', 'cy'), ('mu', 'mv', 'u0', 'v0')):
        text = text.replace(f'   {old}:', f'   {new}:')
    (tmp_path / 'camera.yaml').write_text(text)
    camera = read_camera(tmp_path / 'camera.yaml')
    assert (camera.distortion_model, camera.d) == ('equidistant', files.D)
    np.testing.assert_allclose(camera.k, files.K.ravel())


def test_a_camera_matrix_column_by_column(tmp_path):
    (tmp_path / 'open3d.json').write_text(
        '{"width": 64, "height": 48, "intrinsic_matrix": [50, 0, 0, 0, 51, 0, 32, 24, 1]}'
    )
    assert read_camera(tmp_path / 'open3d.json').k == (50, 0, 32, 0, 51, 24, 0, 0, 1)


def test_a_file_of_several_cameras(tmp_path, caplog):
    path = files.write(tmp_path, 'camchain.yaml')
    first = camera_from_url(str(path))
    assert first.k[0] == files.FX
    assert "'cam0', 'cam1': cam0 is used" in caplog.text
    assert 'camchain.yaml#cam1' in caplog.text
    for url in (f'{path}#cam1', f'file://{path}#cam1'):
        second = camera_from_url(url)
        assert (second.k[0], second.width, second.distortion_model) == (460, 752, 'equidistant')
    assert camera_from_url(f'{path}#cam0') == first
    with pytest.raises(CalibrationError, match="no camera 'cam2', it has 'cam0', 'cam1'"):
        camera_from_url(f'{path}#cam2')


@pytest.mark.parametrize(
    'names',
    [('M1', 'D1', 'M2', 'D2'), ('cameraMatrix1', 'distCoeffs1', 'cameraMatrix2', 'distCoeffs2')],
)
def test_two_cameras_of_opencvs_stereo_calibration(names, tmp_path):
    path = tmp_path / 'intrinsics.yml'
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    for name, value in zip(names, (files.K, np.array([files.D]), 2 * files.K, np.zeros((1, 5)))):
        storage.write(name, value)
    storage.release()
    first, second = camera_from_url(str(path)), camera_from_url(f'{path}#2')
    assert (first.k[0], second.k[0]) == (files.FX, 2 * files.FX)
    assert first.d == files.D
    assert not second.distorted


def test_a_file_of_very_many_cameras_is_reported_in_one_line(tmp_path, caplog):
    camera = '{"fx": 600, "fy": 600, "cx": 320, "cy": 240}'
    frames = ', '.join([camera] * 300)
    (tmp_path / 'frames.json').write_text(f'{{"frames": [{frames}]}}')
    assert camera_from_url(str(tmp_path / 'frames.json')).k[0] == 600
    assert 'and 295 more' in caplog.text
    assert len(caplog.text) < 600


def test_texts_of_windows(tmp_path):
    for encoding in ('utf-16', 'utf-8-sig'):
        (tmp_path / 'camera.yaml').write_text(files.ROS2, encoding=encoding)
        assert read_camera(tmp_path / 'camera.yaml').k[0] == files.FX


def test_numbers_are_read_as_numbers(tmp_path):
    """YAML 1.1 would take 6e2 for a text, 0640 for an octal number and 1:20 for 80."""
    (tmp_path / 'camera.yaml').write_text(
        'K: [6e2,0,3.2e2,0,6e2,24e1,0,0,1]\nwidth: 0640\nheight: 480'
    )
    assert read_camera(tmp_path / 'camera.yaml') == Camera(
        640, 480, (600, 0, 320, 0, 600, 240, 0, 0, 1)
    )


def test_what_is_hard_to_believe_is_logged_once_with_its_numbers(tmp_path, caplog):
    path = tmp_path / 'camera.yaml'
    path.write_text(Camera.pinhole(640, 480, 277.0, 277.0, 160.5, 120.5).to_yaml())
    with caplog.at_level(logging.WARNING):
        read_camera(path)
    assert len(caplog.records) == 1
    assert f'{path}: ' in caplog.text
    assert 'another image size, 322x242' in caplog.text


@pytest.mark.parametrize('name', files.FOREIGN)
def test_what_is_not_read_is_named_with_the_remedy(name, tmp_path):
    data, seen, remedy = files.FOREIGN[name]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(CalibrationError) as caught:
        read_camera(path)
    text = str(caught.value)
    assert str(path) in text
    assert seen in text
    assert remedy in text
    assert '\n' not in text


@pytest.mark.parametrize(
    'text',
    [
        '[' * 5000,
        '{"a":' * 5000,
        '<a>' * 5000,
        '{"a": ' * 900 + '1' + '}' * 900,
        '[' * 900 + '1' + ']' * 900,
        'a: ' + '[' * 900,
        'a: &a [1,1,1]\n'
        + ''.join(f'{b}: &{b} [*{a},*{a},*{a}]\n' for a, b in zip('abcdefghijkl', 'bcdefghijklm'))
        + 'K: *m',
        'K: [' + '1,' * 100_000 + '1]',
        'fx = ' + '1' * 60_000,
        'fx =' + '\n' * 60_000,
        'a' * 60_000 + ' =',
        'K=[' * 20_000,
        'width: 1' + '0' * 5000 + '\nheight: 1\nK: [1,0,0,0,1,0,0,0,1]',
        'fx: nan\nfy: inf\ncx: 1\ncy: 1',
    ],
)  # fmt: skip
def test_hostile_texts_are_refused_soon_and_in_one_line(text, tmp_path):
    path = tmp_path / 'camera.yaml'
    path.write_text(text)
    with pytest.raises(CalibrationError) as caught:
        read_camera(path)
    assert len(str(caught.value)) < 600 + len(str(path))
    assert '\n' not in str(caught.value)


def test_a_huge_file_is_not_read_whole(tmp_path):
    path = tmp_path / 'camera.yaml'
    with path.open('wb') as file:
        file.write(b'# \n')
        file.truncate(1 << 33)
    with pytest.raises(CalibrationError, match='cannot read'):
        read_camera(path)


def test_a_compressed_bomb_is_not_unpacked_whole(tmp_path):
    import gzip

    path = tmp_path / 'camera.yml.gz'
    with gzip.open(path, 'wb') as file:
        for _ in range(64):
            file.write(b'#' * (1 << 20))
    with pytest.raises(CalibrationError, match='more than 1048576 bytes'):
        read_camera(path)


@pytest.mark.parametrize(
    'camera',
    [
        Camera(640, 480, K, D, 'plumb_bob', p=P),
        Camera(1280, 800, K, (0.1,) * 8, 'rational_polynomial', (0.0, 1, 0, -1, 0, 0, 0, 0, 1), P),
        Camera(640, 480, K, (0.1, 0.2, 0.3, 0.4), 'equidistant', p=P),
        Camera.pinhole(100, 50, 80.5, 81.5, 49.5, 24.5),
    ],
)
def test_yaml_round_trip(camera, tmp_path):
    path = tmp_path / 'camera.yaml'
    path.write_text(camera.to_yaml('front'))
    assert read_camera(path) == camera
    assert yaml.safe_load(path.read_text())['camera_name'] == 'front'


def test_a_camera_without_p_is_written_with_the_p_of_its_k(tmp_path):
    path = tmp_path / 'camera.yaml'
    path.write_text(Camera(640, 480, K).to_yaml())
    read = read_camera(path)
    assert read.p == (*K[:3], 0, *K[3:6], 0, *K[6:], 0)


def test_a_calibration_with_no_more_than_k(tmp_path):
    path = tmp_path / 'camera.yaml'
    path.write_text(
        'image_width: 64\nimage_height: 48\ncamera_matrix: {data: [50, 0, 32, 0, 50, 24, 0, 0, 1]}'
    )
    camera = read_camera(path)
    assert camera.k == (50, 0, 32, 0, 50, 24, 0, 0, 1)
    assert not camera.distorted
    assert camera.rectified_intrinsics() == Intrinsics(64, 48, 50, 50, 32, 24)


GOOD = 'image_width: 64\nimage_height: 48\ncamera_matrix: {data: [50,0,32,0,50,24,0,0,1]}\n'


@pytest.mark.parametrize(
    'text',
    [
        '',
        '- a list',
        'text',
        'image_width: [',
        'calibrated: 2026-13-45',
        '\x00',
        GOOD.replace('image_width: 64', ''),
        GOOD.replace('64', 'wide'),
        GOOD.replace('64', '.inf'),
        GOOD.replace('64', '0'),
        GOOD.replace('camera_matrix', 'matrix'),
        GOOD.replace('50,0,32', '50,32'),
        GOOD.replace('50,0,32', 'a,0,32'),
        GOOD.replace('50,0,32', '.nan,0,32'),
        GOOD.replace('50,0,32', '0,0,32'),
        GOOD + 'distortion_coefficients: {data: 3}',
        GOOD + 'distortion_coefficients: {data: [1, 2, 3]}',
        GOOD + 'distortion_coefficients: 0.1',
        GOOD + 'projection_matrix: {data: [1, 2, 3]}',
    ],
)
def test_a_file_that_is_no_calibration_is_named_in_one_line(text, tmp_path):
    path = tmp_path / 'camera.yaml'
    path.write_text(text)
    with pytest.raises(CalibrationError) as caught:
        read_camera(path)
    assert str(path) in str(caught.value)
    assert '\n' not in str(caught.value)


def test_a_missing_or_binary_calibration_is_named(tmp_path):
    binary = tmp_path / 'binary.yaml'
    binary.write_bytes(b'\xff\xfe\x00\x80')
    for path in (tmp_path / 'missing.yaml', tmp_path, binary):
        with pytest.raises(CalibrationError, match='cannot read') as caught:
            read_camera(path)
        assert str(path) in str(caught.value)
