# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compressed images, good and bad."""

import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest

from msdepth_ros.errors import ImageError
from msdepth_ros.images.decoding import MAX_SIDE, decode_compressed

# A smooth picture, so that JPEG keeps it.
V, U = np.indices((60, 80))
PICTURE = np.stack([2 * U, 3 * V, U + V], axis=-1).astype(np.uint8)


def encode(picture, suffix, *options):
    return cv2.imencode(suffix, picture, options)[1].tobytes()


def png_chunk(name, body):
    return struct.pack('>I', len(body)) + name + body + struct.pack('>I', zlib.crc32(name + body))


def png_that_says(width, height):
    header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    return (
        b'\x89PNG\r\n\x1a\n'
        + png_chunk(b'IHDR', header)
        + png_chunk(b'IDAT', zlib.compress(bytes(100)))
        + png_chunk(b'IEND', b'')
    )


def jpeg_that_says(width, height):
    data = bytearray(encode(PICTURE, '.jpg'))
    place = data.index(b'\xff\xc0')
    data[place + 5 : place + 9] = struct.pack('>HH', height, width)
    return bytes(data)


def test_png_is_exact():
    image, encoding = decode_compressed(encode(PICTURE, '.png'))
    assert encoding == 'bgr8'
    np.testing.assert_array_equal(image, PICTURE)


@pytest.mark.parametrize('options', [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)])
def test_jpeg_is_close(options):
    image, encoding = decode_compressed(encode(PICTURE, '.jpg', *options))
    assert encoding == 'bgr8'
    assert image.dtype == np.uint8
    assert np.abs(image.astype(int) - PICTURE).mean() < 3


@pytest.mark.parametrize('suffix', ['.png', '.jpg'])
def test_grey_stays_grey(suffix):
    image, encoding = decode_compressed(encode(PICTURE[..., 0], suffix))
    assert encoding == 'mono8'
    assert image.shape == (60, 80)
    assert np.abs(image.astype(int) - PICTURE[..., 0]).mean() < 3


def test_16_bit_png_becomes_8_bit():
    image, encoding = decode_compressed(encode(PICTURE[..., 0].astype(np.uint16) * 256, '.png'))
    assert encoding == 'mono8'
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, PICTURE[..., 0])


def test_png_with_transparency_loses_it():
    image, encoding = decode_compressed(encode(np.dstack([PICTURE, PICTURE[..., 0]]), '.png'))
    assert encoding == 'bgr8'
    np.testing.assert_array_equal(image, PICTURE)


def test_a_camera_held_sideways_is_not_turned():
    """EXIF orientation is for eyes: camera_info describes the pixels as they are stored."""
    data = encode(PICTURE, '.jpg')
    tiff = b'II*\0\x08\0\0\0' + struct.pack('<HHHIHHI', 1, 0x0112, 3, 1, 6, 0, 0)
    exif = b'Exif\0\0' + tiff
    data = data[:2] + b'\xff\xe1' + struct.pack('>H', 2 + len(exif)) + exif + data[2:]
    assert decode_compressed(data)[0].shape == (60, 80, 3)


def test_long_metadata_before_the_picture():
    data = encode(PICTURE, '.jpg')
    comment = b'\xff\xfe' + struct.pack('>H', 60002) + bytes(60000)
    assert decode_compressed(data[:2] + 3 * comment + data[2:])[0].shape == (60, 80, 3)


def test_any_buffer_will_do():
    data = encode(PICTURE, '.png')
    for buffer in (data, bytearray(data), memoryview(data), np.frombuffer(data, np.uint8)):
        np.testing.assert_array_equal(decode_compressed(buffer)[0], PICTURE)


@pytest.mark.parametrize(
    'data',
    [png_that_says(MAX_SIDE + 1, 10), png_that_says(10, 2**31 - 1), png_that_says(0, 10),
     jpeg_that_says(65500, 65500), jpeg_that_says(8, MAX_SIDE + 1),
     png_that_says(8192, 4321), jpeg_that_says(8192, 4321)],
)  # fmt: skip
def test_a_huge_announced_size_is_refused_before_decoding(data, monkeypatch):
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: pytest.fail('decoded'))
    with pytest.raises(ImageError, match=r'the image is \d+x\d+'):
        decode_compressed(data)


def test_an_8k_image_is_not_too_large():
    picture = np.zeros((4320, 8192), np.uint8)
    assert decode_compressed(encode(picture, '.png'))[0].shape == picture.shape


def zeros(count, level=9):
    """Return `count` zeros compressed, without ever holding them."""
    packer = zlib.compressobj(level)
    block = bytes(1 << 20)
    packed = b''.join(packer.compress(block) for _ in range(count >> 20))
    return packed + packer.compress(bytes(count % (1 << 20))) + packer.flush()


DECODE = """
import resource, sys
from msdepth_ros.images.decoding import decode_compressed
from msdepth_ros.errors import ImageError
data = sys.stdin.buffer.read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    decode_compressed(data)
except ImageError as error:
    print(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def decode_apart(data):
    """Decode in a process of its own; return what it said and how many MB its memory grew by."""
    command = [sys.executable, '-c', DECODE]
    done = subprocess.run(command, input=data, capture_output=True, check=True, timeout=60)
    *said, grown = done.stdout.decode().splitlines()
    return ' '.join(said), int(grown)


@pytest.mark.parametrize('depth', [1, 8])
def test_a_png_bomb_is_not_decoded(depth):
    """30000x30000 zeros: 0.1 MB at one bit a pixel, 4 MB at eight, that would take 0.9 GB."""
    header = struct.pack('>IIBBBBB', 30000, 30000, depth, 0, 0, 0, 0)
    row = 1 + 30000 * depth // 8
    data = (
        b'\x89PNG\r\n\x1a\n'
        + png_chunk(b'IHDR', header)
        + png_chunk(b'IDAT', zeros(30000 * row, level=1))
        + png_chunk(b'IEND', b'')
    )
    assert len(data) < 5 << 20
    said, grown = decode_apart(data)
    assert said.startswith('the image is 30000x30000: at most 8192 pixels a side')
    assert grown < 10


@pytest.mark.parametrize(
    'decoy',
    [b'\xff\x01', b'\xff\xd0', b'\xff\xdc', b'\xff\x00', b'\xff\xd9', b'\xff\xd8', b'garbage'],
    ids=['TEM', 'RST', 'DNL', 'stuffing', 'EOI', 'SOI', 'garbage'],
)
def test_a_jpeg_cannot_hide_its_header_behind_another(decoy, monkeypatch):
    """A decoder skips a marker without length; whoever reads one there lands on a false header."""
    real = jpeg_that_says(30000, 30000)
    false = jpeg_that_says(80, 60)
    place = false.index(b'\xff\xc0')
    comment = false[place : place + 19].rjust(65533, b'\0')
    data = real[:2] + decoy + b'\xff\xfe\xff\xff' + comment + real[2:]
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: pytest.fail('decoded'))
    with pytest.raises(ImageError):
        decode_compressed(data)


def test_a_jpeg_of_endless_scans_is_not_decoded(monkeypatch):
    """A scan takes some fifty bytes, and a pass over all the picture to decode."""
    data = encode(np.zeros((480, 640, 3), np.uint8), '.jpg', cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    assert data.count(b'\xff\xda') == 10
    decode_compressed(data)
    last = data[data.rindex(b'\xff\xda') : -2]
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: pytest.fail('decoded'))
    with pytest.raises(ImageError, match='a JPEG of 1010 scans'):
        decode_compressed(data[:-2] + 1000 * last + data[-2:])


def test_more_bytes_than_the_picture_can_have_are_refused(monkeypatch):
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: pytest.fail('decoded'))
    for suffix in ('.png', '.jpg'):
        with pytest.raises(ImageError, match='too many for an image of 80x60'):
            decode_compressed(encode(PICTURE, suffix) + bytes(2 << 20))


@pytest.mark.parametrize(
    'data',
    [b'', b'\xff', b'\xff\xd8', b'\xff\xd8\xff', b'\x89PNG\r\n\x1a\n', bytes(1000), b'GIF89a' * 50,
     b'\xff\xd8' + b'\xff' * 1000, b'\xff\xd8\xff\xe0\0\0' * 100, encode(PICTURE, '.bmp')],
)  # fmt: skip
def test_what_is_neither_jpeg_nor_png_is_refused(data):
    with pytest.raises(ImageError, match='neither JPEG nor PNG'):
        decode_compressed(data)


@pytest.mark.parametrize('suffix', ['.png', '.jpg'])
def test_a_truncated_file_is_refused(suffix):
    """The second half of the picture would be invented."""
    data = encode(PICTURE, suffix)
    with pytest.raises(ImageError, match='damaged'):
        decode_compressed(data[: len(data) // 2])


def test_random_damage_raises_nothing_but_image_errors():
    rng = np.random.default_rng(0)
    refused = 0
    for suffix in ('.png', '.jpg'):
        good = np.frombuffer(encode(PICTURE, suffix), np.uint8)
        for _ in range(60):
            data = good.copy()
            where = rng.integers(0, len(data), 8)
            data[where] = rng.integers(0, 256, 8)
            try:
                image, encoding = decode_compressed(data)
            except ImageError:
                refused += 1
            else:
                assert image.ndim == (2 if encoding == 'mono8' else 3)
    assert refused > 30
