# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Images from files, folders, datasets and videos, and what is wrong with bad ones."""

import math

import cv2
import numpy as np
import pytest

from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.images.sources import ImageSource, guessed_camera

CAMERA = Camera.pinhole(64, 48, 50.0, 51.0, 31.5, 23.5)


def picture(level):
    return np.full((48, 64, 3), (level, 100, 200 - level), np.uint8)


def write_images(folder, names):
    folder.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(names):
        assert cv2.imwrite(str(folder / name), picture(10 * index))


def test_a_single_image(tmp_path):
    write_images(tmp_path, ['one.png'])
    source = ImageSource(tmp_path / 'one.png')
    (picture_,) = source
    name, image = picture_.name, picture_.image
    assert (name, len(source), source.rate, source.camera) == ('one', 1, 0, None)
    np.testing.assert_array_equal(image, picture(0))


def test_a_folder_in_the_order_of_names_without_other_files(tmp_path):
    write_images(tmp_path, ['b.png', 'a.PNG', 'c.bmp', '0010.png'])
    (tmp_path / 'notes.txt').write_text('no image')
    (tmp_path / 'folder').mkdir()
    source = ImageSource(str(tmp_path))
    assert [each.name for each in source] == ['0010', 'a', 'b', 'c']
    assert len(source) == 4
    assert [each.name for each in source] == ['0010', 'a', 'b', 'c']  # again


def test_a_dataset_with_its_calibration(tmp_path):
    write_images(tmp_path / 'rgb', ['0001.png', '0002.png'])
    write_images(tmp_path / 'depth', ['0001.png'])
    (tmp_path / 'camera.yaml').write_text(CAMERA.to_yaml())
    source = ImageSource(tmp_path)
    assert [each.name for each in source] == ['0001', '0002']
    assert source.camera == CAMERA


def test_a_calibration_beside_a_single_image(tmp_path):
    write_images(tmp_path, ['one.png'])
    (tmp_path / 'one.yaml').write_text(CAMERA.to_yaml())
    assert ImageSource(tmp_path / 'one.png').camera == CAMERA


def test_the_current_folder(tmp_path, monkeypatch):
    write_images(tmp_path, ['one.png'])
    monkeypatch.chdir(tmp_path)
    for path in ('.', './', '../' + tmp_path.name, 'one.png'):
        assert [each.name for each in ImageSource(path)] == ['one']


def test_grey_and_transparent_images_become_bgr(tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), np.full((48, 64), 70, np.uint8))
    cv2.imwrite(str(tmp_path / 'b.png'), np.dstack([picture(1), picture(1)[..., 0]]))
    cv2.imwrite(str(tmp_path / 'c.png'), np.full((48, 64), 70 * 256, np.uint16))
    for image in (each.image for each in ImageSource(tmp_path)):
        assert image.shape == (48, 64, 3)
        assert image.dtype == np.uint8


@pytest.fixture
def video(tmp_path):
    path = tmp_path / 'clip.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 12.0, (64, 48))
    if not writer.isOpened():
        pytest.skip('this OpenCV writes no video')
    for index in range(5):
        writer.write(picture(40 * index))
    writer.release()
    return path


def test_a_video_without_a_frame(video):
    content = video.read_bytes()
    video.write_bytes(content[: content.index(b'movi') + 4])
    with pytest.raises(MsdepthError, match=r'no frame that can be decoded|not an image or'):
        list(ImageSource(video))


def test_a_video(video):
    source = ImageSource(video)
    assert source.rate == 12
    assert len(source) == 5
    for _ in range(2):  # again from its start
        frames = list(source)
        assert [each.name for each in frames] == [f'clip_{index:06d}' for index in range(5)]
        for index, image in enumerate(each.image for each in frames):
            assert np.abs(image.astype(int) - picture(40 * index)).mean() < 5


def test_a_video_with_its_calibration(video):
    video.with_suffix('.yaml').write_text(CAMERA.to_yaml())
    assert ImageSource(video).camera == CAMERA


@pytest.mark.parametrize('name', ['missing.png', 'missing', 'missing.mp4', 'missing/folder'])
def test_a_missing_path_is_named(tmp_path, name):
    with pytest.raises(MsdepthError, match=f'{name} does not exist'):
        ImageSource(tmp_path / name)


def test_an_empty_folder_says_what_it_must_hold(tmp_path):
    for folder in (tmp_path, tmp_path / 'rgb'):
        folder.mkdir(exist_ok=True)
        with pytest.raises(MsdepthError, match=r'no images in .*\.png'):
            ImageSource(tmp_path)


@pytest.mark.parametrize('name', ['notes.txt', 'clip.mp4', 'clip.avi'])
@pytest.mark.parametrize('content', [b'', b'no video'])
def test_a_file_that_is_neither_image_nor_video_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MsdepthError, match=f'{name} is not an image or a video'):
        ImageSource(tmp_path / name)


@pytest.mark.parametrize('suffix', ['png', 'jpg'])
def test_a_damaged_image_is_named_when_it_is_read(tmp_path, suffix):
    write_images(tmp_path, [f'a.{suffix}', f'b.{suffix}', f'c.{suffix}'])
    for content in (b'', b'no image', (tmp_path / f'a.{suffix}').read_bytes()[:100]):
        (tmp_path / f'b.{suffix}').write_bytes(content)
        images = iter(ImageSource(tmp_path))
        assert next(images).name == 'a'
        with pytest.raises(MsdepthError, match=rf'b\.{suffix} is not an image, or it is damaged'):
            next(images)


def test_a_bad_calibration_beside_images_is_named(tmp_path):
    write_images(tmp_path, ['one.png'])
    (tmp_path / 'camera.yaml').write_text('image_width: 64')
    with pytest.raises(MsdepthError, match=r'camera\.yaml'):
        ImageSource(tmp_path)


def test_the_guessed_camera_is_60_degrees_wide():
    camera = guessed_camera(640, 480)
    camera.check()
    intrinsics = camera.raw_intrinsics()
    left = math.atan((-0.5 - intrinsics.cx) / intrinsics.fx)
    right = math.atan((639.5 - intrinsics.cx) / intrinsics.fx)
    assert math.degrees(right - left) == pytest.approx(60)
    assert left == pytest.approx(-right)
    assert intrinsics.fx == intrinsics.fy
