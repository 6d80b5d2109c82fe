# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth infer` with the calibrations of other tools, and with pictures of 16 bits."""

import subprocess
import sys

import calibration_files as files
import cv2
import numpy as np
import pytest
from oracle import write_color_model
from patience import PATIENCE

from msdepth_ros.cli import main

F0 = 300.0
SHRUNK = 304 / 640  # of the picture to the network's input


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    """Return a model of constant colour to depth whose metres go with the focal length."""
    return write_color_model(tmp_path_factory.mktemp('model'), focal=F0)


@pytest.fixture(scope='module')
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp('picture') / 'grey.png'
    cv2.imwrite(str(path), np.full((files.HEIGHT, files.WIDTH, 3), 100, np.uint8))
    return path


def depth(picture, out, model, *options):
    arguments = ['infer', picture, '--out', out, '--model', model, '--backend', 'onnxruntime']
    code = main([str(argument) for argument in (*arguments, '--format', 'npy', *options)])
    return code, np.load(next(out.glob('*.npy'))) if code == 0 else None


@pytest.mark.parametrize(
    'name', ['camchain.yaml', 'opencv.xml', 'opencv_bare.yml', 'ost.txt', 'matlab_struct.m']
)
def test_a_calibration_of_any_tool_gives_the_same_metres(name, model, picture, tmp_path, caplog):
    path = files.write(tmp_path, name)
    _, plain = depth(picture, tmp_path / 'plain', model)
    code, scaled = depth(picture, tmp_path / 'out', model, '--camera-info', path)
    assert code == 0
    focal = files.P[0] if name in files.WITH_P else files.FX
    middle = files.HEIGHT // 2, files.WIDTH // 2
    assert scaled[middle] / plain[middle] == pytest.approx(focal * SHRUNK / F0, rel=0.01)
    assert ('several cameras' in caplog.text) == (name == 'camchain.yaml')


def test_a_calibration_that_cannot_be_read_is_one_line(model, picture, tmp_path, capfd):
    for name, (data, seen, remedy) in files.FOREIGN.items():
        path = tmp_path / name
        path.write_bytes(data)
        capfd.readouterr()
        code, _ = depth(picture, tmp_path / 'out', model, '--camera-info', path)
        error = capfd.readouterr().err
        assert code == 2, name
        assert error.count('\n') == 1, error
        assert seen in error
        assert remedy in error


def test_an_implausible_calibration_is_used_and_reported(model, picture, tmp_path):
    path = tmp_path / 'camera.yaml'
    numbers = 'K: [277, 0, 160.5, 0, 277, 120.5, 0, 0, 1]'
    path.write_text(f'image_width: 640\nimage_height: 480\n{numbers}')
    arguments = ['infer', picture, '--out', tmp_path / 'out', '--model', model]
    arguments += ['--backend', 'onnxruntime', '--camera-info', path]
    code = 'import sys; from msdepth_ros.cli import main; sys.exit(main())'
    done = subprocess.run(
        [sys.executable, '-c', code, *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stderr.count('another image size, 322x242') == 1
    assert '640x480, K fx 277 fy 277 cx 160.5 cy 120.5' in done.stderr


@pytest.mark.parametrize('suffix', ['.png', '.tiff'])
def test_thermal_images_of_a_folder_are_stretched_alike_and_that_is_logged_once(
    suffix, model, tmp_path, capfd
):
    """They show one scene, in which a person comes and goes."""
    rows, columns = np.indices((120, 160))
    folder = tmp_path / 'thermal'
    folder.mkdir()
    for number in range(6):
        values = 7500 + 700 * (rows + columns) / 280
        if number % 2:
            values[:40, :30] = 8600
        cv2.imwrite(str(folder / f'{number}{suffix}'), values.astype(np.uint16))
    out = tmp_path / 'out'
    code, _ = depth(folder, out, model)
    assert code == 0
    middles = [float(np.load(path)[60, 80]) for path in sorted(out.glob('*.npy'))]
    assert np.ptp(middles) < 0.15  # of 3.57 m from black to white
    assert 0.5 + 0.014 * 90 < middles[0] < 0.5 + 0.014 * 165
    assert capfd.readouterr().out.count('shown as black to white') == 1


def test_a_calibration_without_a_size_is_checked_with_the_size_of_the_images(
    model, picture, tmp_path, caplog
):
    good = files.write(tmp_path, 'opencv_bare.yml')
    depth(picture, tmp_path / 'good', model, '--camera-info', good)
    assert caplog.text == ''
    small = picture.parent / 'small.png'
    cv2.imwrite(str(small), np.full((240, 320, 3), 100, np.uint8))
    code, _ = depth(small, tmp_path / 'small', model, '--camera-info', good)
    assert code == 0
    assert caplog.text.count('another image size, 642x482') == 1
