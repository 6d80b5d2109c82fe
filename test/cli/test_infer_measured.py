# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`msdepth infer` with what was measured: depth images of the same names, and the floor."""

import cv2
import numpy as np
import pytest
import yaml

from msdepth_ros.cli import main
from msdepth_ros.geometry.camera import Camera

pytest.importorskip('onnx', reason='the test makes its own model with onnx')
from oracle import write_depth_model

SIZE = 304, 228


@pytest.fixture
def images(tmp_path):
    """A folder with two images and a calibration."""
    folder = tmp_path / 'images'
    folder.mkdir()
    for name in ('a', 'b'):
        cv2.imwrite(str(folder / f'{name}.png'), np.full((SIZE[1], SIZE[0], 3), 90, np.uint8))
    (folder / 'camera.yaml').write_text(Camera.pinhole(*SIZE, 259.4, 259.4, 151.5, 113.5).to_yaml())
    return folder


def model_of(folder, depth, **changes):
    path = write_depth_model(folder, depth)
    document = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**document, **changes}))
    return path


def infer(images, out, model, *more):
    return main(['infer', str(images), '--out', str(out), '--model', str(model), *map(str, more)])


def measure(folder, name, depth, size=SIZE):
    folder.mkdir(exist_ok=True)
    truth = np.full((size[1], size[0]), round(1000 * depth), np.uint16)
    truth[: size[1] // 3] = 0  # a hole
    cv2.imwrite(str(folder / f'{name}.png'), truth)


@pytest.mark.parametrize('size', [SIZE, (152, 114), (608, 456)])
def test_depth_images_of_any_size_make_the_depth_true(tmp_path, images, size):
    model = model_of(tmp_path / 'model', lambda x, y: 2.0 + 0 * x)
    measure(tmp_path / 'measured', 'a', 3.1, size)
    out = tmp_path / 'out'
    assert infer(images, out, model, '--measured-depth', tmp_path / 'measured') == 0
    depth = np.load(out / 'a.npy')
    assert depth[100:220, 10:290] == pytest.approx(np.full((120, 280), 3.1), rel=0.02)
    assert np.nanmean(depth[20:60, 10:290]) == pytest.approx(3.1, rel=0.05)  # the hole is filled
    assert np.nanmean(np.load(out / 'b.npy')) == pytest.approx(2.0)  # nothing measured
    sure = np.load(out / 'a_confidence.npy')
    assert sure.shape == depth.shape
    assert np.nanmean(sure[150:200, 50:250]) > 0.98
    assert np.nanmin(sure[5:30, 50:250]) < np.nanmean(sure[150:200, 50:250])
    assert np.array_equal(np.isnan(sure), np.isnan(depth))


def test_the_height_of_the_camera_makes_the_floor_true(tmp_path, images):
    height, pitch = 0.62, 0.35

    def depth(x, y):  # a floor, seen as if the camera were 0.4 m high
        down = (y - 113.5) / 259.4
        falling = np.maximum(down * np.cos(pitch) + np.sin(pitch), 0.05)
        return 0.4 / falling

    model = model_of(tmp_path / 'model', depth)
    out = tmp_path / 'out'
    assert infer(images, out, model, '--camera-height', height, '--camera-pitch', pitch) == 0
    expected = height / (np.sin(pitch) + (180 - 113.5) / 259.4 * np.cos(pitch))
    assert np.load(out / 'a.npy')[180, 150] == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize('kind', ['scale', 'affine'])
def test_a_network_without_metres_needs_measurements(tmp_path, images, capsys, kind):
    model = model_of(tmp_path / 'model', lambda x, y: 0.01 + 0.0001 * y, metric=kind)
    assert infer(images, tmp_path / 'out', model) == 2
    assert '--measured-depth' in capsys.readouterr().err


def test_what_is_no_folder_and_no_height_is_refused(tmp_path, images, capsys):
    model = model_of(tmp_path / 'model', lambda x, y: 2.0 + 0 * x)
    assert infer(images, tmp_path / 'out', model, '--measured-depth', tmp_path / 'none') == 2
    assert infer(images, tmp_path / 'out', model, '--camera-height', -1) == 2
    assert '--camera-height' in capsys.readouterr().err


def test_a_depth_image_that_cannot_be_read_costs_only_its_own_image(tmp_path, images, capsys):
    model = model_of(tmp_path / 'model', lambda x, y: 2.0 + 0 * x)
    measure(tmp_path / 'measured', 'b', 3.1)
    cv2.imwrite(str(tmp_path / 'measured' / 'a.png'), np.ones((9, 9), np.uint8))
    assert infer(images, tmp_path / 'out', model, '--measured-depth', tmp_path / 'measured') == 2
    assert 'a.png is not a 16-bit PNG of one channel: write depth' in capsys.readouterr().err
    assert np.nanmedian(np.load(tmp_path / 'out' / 'b.npy')) == pytest.approx(3.1, rel=0.02)


@pytest.mark.parametrize(
    ('kind', 'told'), [('metric', "the network's alone"), ('scale', 'they have no depth')]
)
def test_images_of_which_nothing_is_measured_are_reported(tmp_path, images, capsys, kind, told):
    model = model_of(tmp_path / 'model', lambda x, y: 2.0 + 0 * x, metric=kind)
    measure(tmp_path / 'measured', 'a', 3.1)
    measure(tmp_path / 'measured', 'depth_b', 3.1)  # another name
    assert infer(images, tmp_path / 'out', model, '--measured-depth', tmp_path / 'measured') == 0
    text = capsys.readouterr().err
    assert "nothing was measured in 1 of 2 images, such as 'b'" in text
    assert told in text
    assert 'b.png does not exist' in text
    measure(tmp_path / 'measured', 'b', 3.1)
    assert infer(images, tmp_path / 'out', model, '--measured-depth', tmp_path / 'measured') == 0
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    'pitch', [['0.3'], ['nan', '--camera-height', '1'], ['20', '--camera-height', '1']]
)
def test_a_pitch_alone_or_in_degrees_is_refused(tmp_path, images, capsys, pitch):
    model = model_of(tmp_path / 'model', lambda x, y: 2.0 + 0 * x)
    assert infer(images, tmp_path / 'out', model, '--camera-pitch', *pitch) == 2
    assert '--camera-pitch' in capsys.readouterr().err
