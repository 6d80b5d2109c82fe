# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Image files of every kind that cameras, phones and tools write."""

import importlib.util
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from msdepth_ros.errors import CalibrationError, ImageError
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.images.exif import focal_length, turned
from msdepth_ros.images.files import read_photo, read_photos

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def quarters(width=64, height=48):
    """Return a picture, RGB, whose four quarters tell which way it is turned."""
    image = np.empty((height, width, 3), np.uint8)
    image[: height // 2, : width // 2], image[: height // 2, width // 2 :] = RED, GREEN
    image[height // 2 :, : width // 2], image[height // 2 :, width // 2 :] = BLUE, WHITE
    return image


def corners(image):
    """Return which of the four colours is in each corner, row by row, of a BGR image."""
    colors = np.array([RED, GREEN, BLUE, WHITE])
    picked = image[[8, 8, -8, -8], [8, -8, 8, -8], ::-1].astype(int)
    return [int(np.abs(colors - pixel).sum(axis=1).argmin()) for pixel in picked]


def write_float_color(path):
    assert cv2.imwrite(str(path), quarters()[..., ::-1].astype(np.float32) / 255)


def write_sixteen_bit_color(path):
    assert cv2.imwrite(str(path), quarters()[..., ::-1].astype(np.uint16) * 257)


def write_gradient_float(path):
    Image.fromarray(quarters()[..., 1].astype(np.float32) / 255, 'F').save(path)


def pil(mode, **options):
    def write(path):
        Image.fromarray(quarters()).convert(mode).save(path, **options)

    return write


def write_heic(path):
    pillow_heif = pytest.importorskip('pillow_heif', reason='writing HEIC needs pillow-heif')
    pillow_heif.from_pillow(Image.fromarray(quarters())).save(path)


@pytest.mark.parametrize(
    ('name', 'write'),
    [
        ('plain.png', pil('RGB')),
        ('plain.jpg', pil('RGB', quality=95)),
        ('cmyk.jpg', pil('CMYK', quality=95)),
        ('cmyk.tif', pil('CMYK')),
        ('palette.png', pil('P')),
        ('palette.gif', pil('P')),
        ('palette.bmp', pil('P')),
        ('transparent.png', pil('RGBA')),
        ('transparent.webp', pil('RGBA', lossless=True)),
        ('lossy.webp', pil('RGB')),
        ('packed.tiff', pil('RGB', compression='tiff_lzw')),
        ('float.tiff', write_float_color),
        ('sixteen.png', write_sixteen_bit_color),
        ('sixteen.tiff', write_sixteen_bit_color),
        ('space.jp2', pil('RGB')),
        ('plain.tga', pil('RGB')),
        ('plain.ppm', pil('RGB')),
        ('light.hdr', write_float_color),
        ('phone.heic', write_heic),
    ],
)
def test_kinds_of_files(tmp_path, name, write):
    write(tmp_path / name)
    photo = read_photo(tmp_path / name)
    assert photo.image.shape == (48, 64, 3)
    assert photo.image.dtype == np.uint8
    assert corners(photo.image) == [0, 1, 2, 3]
    assert photo.note == ''


def test_avif(tmp_path):
    from PIL import features

    if not features.check('avif'):
        pytest.skip('this Pillow has no AVIF')
    pil('RGB')(tmp_path / 'new.avif')
    assert corners(read_photo(tmp_path / 'new.avif').image) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ('values', 'expected', 'note'),
    [
        (np.linspace(0, 1, 64, dtype=np.float32), (0, 255), ''),
        (np.linspace(0, 200, 64, dtype=np.float32), (0, 200), ''),
        (np.linspace(290, 310, 64, dtype=np.float32), (0, 255), 'values from 290'),
        (np.linspace(-1, 1, 64, dtype=np.float32), (0, 255), 'values from -1 to 1'),
        (np.full(64, np.nan, np.float32), (0, 0), ''),
    ],
)
def test_grey_floats(tmp_path, values, expected, note):
    Image.fromarray(np.tile(values, (48, 1)), 'F').save(tmp_path / 'f.tiff')
    photo = read_photo(tmp_path / 'f.tiff')
    assert (photo.image[0, 0, 0], photo.image[0, -1, 0]) == expected
    assert photo.note.startswith(note)
    assert bool(photo.note) == bool(note)


def test_nan_and_infinity_are_black(tmp_path):
    values = np.full((48, 64), 0.5, np.float32)
    values[0, 0], values[0, 1] = np.nan, np.inf
    Image.fromarray(values, 'F').save(tmp_path / 'f.tiff')
    image = read_photo(tmp_path / 'f.tiff').image
    assert image[0, :3, 0].tolist() == [0, 0, 128]


@pytest.mark.parametrize('suffix', ['gif', 'png', 'webp', 'tiff'])
def test_animations_are_read_frame_by_frame(tmp_path, suffix):
    frames = [Image.new('RGB', (64, 48), color) for color in (RED, GREEN, BLUE)]
    path = tmp_path / f'moving.{suffix}'
    options = {'lossless': True} if suffix == 'webp' else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    seen = [photo.image[20, 20, ::-1].tolist() for photo in read_photos(path)]
    assert seen == [list(RED), list(GREEN), list(BLUE)]


def test_a_second_image_that_is_no_frame_is_ignored(tmp_path):
    """Phones put a second picture behind a JPEG: a preview, the other eye, a map of the light."""
    first, second = Image.fromarray(quarters()), Image.new('RGB', (64, 48), RED)
    first.save(tmp_path / 'eyes.mpo', save_all=True, append_images=[second])
    assert [corners(photo.image) for photo in read_photos(tmp_path / 'eyes.mpo')] == [[0, 1, 2, 3]]


TURNED = {  # as a viewer that knows EXIF shows `quarters` stored with each orientation
    1: [0, 1, 2, 3], 2: [1, 0, 3, 2], 3: [3, 2, 1, 0], 4: [2, 3, 0, 1],
    5: [0, 2, 1, 3], 6: [2, 0, 3, 1], 7: [3, 1, 2, 0], 8: [1, 3, 0, 2],
}  # fmt: skip


@pytest.mark.parametrize('orientation', TURNED)
@pytest.mark.parametrize('suffix', ['jpg', 'png', 'webp', 'tiff'])
def test_photos_are_turned_upright_by_exif(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f'photo.{suffix}'
    Image.fromarray(quarters()).save(path, exif=exif)
    photo = read_photo(path)
    assert photo.image.shape[:2] == ((64, 48) if orientation > 4 else (48, 64))
    assert corners(photo.image) == TURNED[orientation]


@pytest.mark.parametrize(
    ('tags', 'focal'),
    [
        ({}, None),
        ({0xA405: 26}, 26 / 43.2666 * 5000),  # a phone: by the diagonal
        ({0xA405: 26, 0x920A: 4.25}, 26 / 43.2666 * 5000),
        ({0x920A: 50.0, 0xA20E: 4000 / 36 * 25.4, 0xA210: 2}, 50 / 36 * 4000),  # in inches
        ({0x920A: 50.0, 0xA20E: 4000 / 36 * 10, 0xA210: 3}, 50 / 36 * 4000),  # in centimetres
        ({0x920A: 50.0, 0xA20E: 8000 / 36 * 25.4, 0xA002: 8000}, 50 / 36 * 4000),  # made smaller
        ({0x920A: 50.0}, None),  # of a sensor whose size is not told
        ({0xA405: 0}, None),
        ({0xA405: 65535}, None),
        ({0xA405: 'wide'}, None),
        ({0x920A: float('nan'), 0xA20E: 1.0}, None),
        ({0x920A: 50.0, 0xA20E: float('inf')}, None),
    ],
)
def test_focal_lengths_of_exif(tags, focal):
    """Photos of 4000x3000: their diagonal is 5000."""
    assert focal_length(tags, 4000, 3000) == (focal and pytest.approx(focal, rel=1e-4))


@pytest.mark.parametrize(
    'lens',
    [
        {'d': (-0.3, 0.1, 0.01, -0.02, 0.05), 'distortion_model': 'plumb_bob'},
        {'d': (-0.3, 0.1, 0.01, -0.02, 0.05, 0.1, 0.02, 0.01)},
        {'d': (0.1, -0.02, 0.01, 0.003), 'distortion_model': 'equidistant'},
    ],
)
def test_a_turned_calibration_sees_the_same_points_turned(lens):
    """Point by point with OpenCV: a quarter turn clockwise takes (u, v) to (height - 1 - v, u)."""
    model = {'distortion_model': 'rational_polynomial', **lens}
    k = (500.0, 0, 330.0, 0, 510.0, 230.0, 0, 0, 1.0)
    camera = Camera(640, 480, k, lens['d'], model['distortion_model'])
    other = turned(camera)
    other.check()
    points = np.random.default_rng(0).uniform((-0.5, -0.4, 1), (0.5, 0.4, 1), (50, 3))
    around_z = np.stack([-points[:, 1], points[:, 0], points[:, 2]], axis=1)
    u, v = project(camera, points)
    seen = project(other, around_z)
    np.testing.assert_allclose(seen, (camera.height - 1 - v, u), atol=1e-6)
    assert (other.width, other.height) == (480, 640)


def project(camera, points):
    K, d, zero = np.array(camera.k).reshape(3, 3), np.array(camera.d), np.zeros(3)
    module = cv2.fisheye if camera.distortion_model == 'equidistant' else cv2
    return module.projectPoints(points[:, None], zero, zero, K, d)[0][:, 0].T


def test_a_calibration_with_a_tilted_sensor_is_not_turned():
    k = (500.0, 0, 330.0, 0, 510.0, 230.0, 0, 0, 1.0)
    camera = Camera(640, 480, k, (0.1,) * 12, 'rational_polynomial')
    with pytest.raises(CalibrationError, match='upright'):
        turned(camera)


def test_names_that_are_not_utf_8(tmp_path):
    folder = bytes(tmp_path) + b'/caf\xe9'
    Path(os.fsdecode(folder)).mkdir()
    path = Path(os.fsdecode(folder + b'/\xff\xfe b.png'))
    path.write_bytes(cv2.imencode('.png', quarters()[..., ::-1])[1].tobytes())
    assert corners(read_photo(path).image) == [0, 1, 2, 3]


@pytest.mark.parametrize('suffix', ['png', 'jpg', 'webp', 'tiff', 'gif', 'bmp', 'ppm'])
def test_truncated_files_are_refused_and_nothing_is_printed(tmp_path, suffix, capfd):
    whole = tmp_path / f'whole.{suffix}'
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    Image.fromarray(noise).save(whole)
    data = whole.read_bytes()
    for kept in (0, 1, 20, len(data) // 2, int(len(data) * 0.9)):
        path = tmp_path / f'cut.{suffix}'
        path.write_bytes(data[:kept])
        with pytest.raises(ImageError, match=r'cut\..* is not an image, or it is damaged'):
            read_photo(path)
    assert capfd.readouterr() == ('', '')


def test_heic_without_its_package_is_refused_with_the_remedy(tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, 'find_spec', lambda name: None if 'heif' in name else find(name)
    )
    (tmp_path / 'phone.heic').write_bytes(b'\0\0\0\x18ftypheic\0\0\0\0mif1heic' + b'\0' * 50)
    with pytest.raises(ImageError, match=r'HEIC.*pip install pi-heif'):
        read_photo(tmp_path / 'phone.heic')


def test_a_jpeg_without_its_end_mark_is_read_if_nothing_else_is_missing(tmp_path):
    path = tmp_path / 'photo.jpg'
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(quarters()).save(path, quality=95, exif=exif)
    data = path.read_bytes()
    path.write_bytes(data[:-2])
    assert corners(read_photo(path).image) == TURNED[6]
    path.write_bytes(data[:-200])
    with pytest.raises(ImageError, match=r'photo\.jpg is not an image, or it is damaged'):
        read_photo(path)


def test_a_thermal_sequence_is_stretched_without_flicker_and_logged_once(tmp_path):
    from msdepth_ros.images.sources import ImageSource

    scene = np.tile(np.linspace(7000, 8500, 64, dtype=np.uint16), (48, 1))
    for index in range(12):
        hot = scene.copy()
        hot[10:14, 10:14] = 9000 + 1500 * (index % 2)  # a hot spot comes and goes
        Image.fromarray(hot).save(tmp_path / f'{index}.{("png", "tiff")[index % 2]}')
    pictures = list(ImageSource(tmp_path))
    assert sum(bool(picture.note) for picture in pictures) == 1
    levels = np.array([picture.image[30, ::9, 0] for picture in pictures], int)
    assert np.abs(np.diff(levels, axis=0)).max() <= 12
    assert levels[0, -1] - levels[0, 0] > 100
