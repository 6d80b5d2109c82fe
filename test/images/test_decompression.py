# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compressed images, good and bad."""

import io
import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest
from patience import PATIENCE

from msdepth_ros.errors import ImageError
from msdepth_ros.images.decompression import decode_compressed
from msdepth_ros.images.limits import MAX_SIDE

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


def test_bytes_bytearrays_views_and_arrays_are_decoded():
    data = encode(PICTURE, '.png')
    for buffer in (data, bytearray(data), memoryview(data), np.frombuffer(data, np.uint8)):
        np.testing.assert_array_equal(decode_compressed(buffer)[0], PICTURE)


@pytest.mark.parametrize(
    'data',
    [png_that_says(MAX_SIDE + 1, 10), png_that_says(10, 2**31 - 1), png_that_says(0, 10),
     jpeg_that_says(65500, 65500), jpeg_that_says(8, MAX_SIDE + 1),
     png_that_says(8192, 4321), jpeg_that_says(8192, 4321)],
)  # fmt: skip
def test_a_huge_size_in_the_header_is_refused_before_decoding(data, monkeypatch):
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
from msdepth_ros.images.decompression import decode_compressed
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
    """Decode in a new process; return its output and by how many MB its memory grew."""
    command = [sys.executable, '-c', DECODE]
    done = subprocess.run(command, input=data, capture_output=True, check=True, timeout=PATIENCE)
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
def test_a_huge_jpeg_with_a_false_small_header_is_refused(decoy, monkeypatch):
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


def padded(suffix):
    """Return a picture with more than a MB of metadata."""
    data = encode(PICTURE, suffix)
    if suffix == '.jpg':
        return data[:2] + 40 * (b'\xff\xef\xff\xff' + bytes(65533)) + data[2:]
    return data[:33] + png_chunk(b'junk', bytes(2 << 20)) + data[33:]


@pytest.mark.parametrize('suffix', ['.png', '.jpg'])
def test_more_bytes_than_an_image_can_have_are_refused(suffix, monkeypatch):
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: pytest.fail('decoded'))
    with pytest.raises(ImageError, match='too many for an image of 80x60'):
        decode_compressed(padded(suffix))


@pytest.mark.parametrize(
    'data',
    [b'', b'\xff', b'\xff\xd8', b'\xff\xd8\xff', b'\x89PNG\r\n\x1a\n', bytes(1000), b'GIF89a' * 50,
     b'\xff\xd8' + b'\xff' * 1000, b'\xff\xd8\xff\xe0\0\0' * 100, encode(PICTURE, '.bmp')],
)  # fmt: skip
def test_what_is_neither_jpeg_nor_png_is_refused(data):
    with pytest.raises(ImageError, match='not JPEG, PNG'):
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
    for suffix in ('.png', '.jpg', '.webp', '.tiff', '.avif'):
        if not _writable(suffix):
            continue
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


def test_a_webcams_jpeg_without_huffman_tables():
    """Motion JPEG leaves out the tables that ITU-T T.81 proposes."""
    data = encode(PICTURE, '.jpg')
    place, kept = 2, data[:2]
    while data[place + 1] != 0xDA:
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], 'big')
        kept += b'' if data[place + 1] == 0xC4 else data[place:end]
        place = end
    image, _ = decode_compressed(kept + data[place:])
    np.testing.assert_array_equal(image, decode_compressed(data)[0])


# --- ends and cuts ---------------------------------------------------------------------------

JPEGS = {
    'baseline': (),
    'progressive': (cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    'restarts': (cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
    'optimised': (cv2.IMWRITE_JPEG_OPTIMIZE, 1),
    '4:2:0': (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420),
}
STALE = {
    'zeros': bytes(5000),
    'noise': np.random.default_rng(1).bytes(100_000),
    'a longer picture': encode(np.random.default_rng(2).integers(0, 255, PICTURE.shape), '.jpg'),
    'megabytes': bytes(range(256)) * 20_000,
    'end marks': b'\xff\xd9' * 500,
}


@pytest.mark.parametrize('stale', STALE)
@pytest.mark.parametrize('kind', JPEGS)
def test_bytes_after_the_end_of_a_jpeg_are_ignored(kind, stale):
    data = encode(PICTURE, '.jpg', *JPEGS[kind])
    np.testing.assert_array_equal(
        decode_compressed(data + STALE[stale])[0], decode_compressed(data)[0]
    )


@pytest.mark.parametrize('rest', [b'', b'\0', bytes(3000), encode(PICTURE, '.jpg')])
@pytest.mark.parametrize('kind', JPEGS)
def test_a_jpeg_without_its_end_mark_is_whole(kind, rest):
    data = encode(PICTURE, '.jpg', *JPEGS[kind])
    np.testing.assert_array_equal(
        decode_compressed(data[:-2] + rest)[0], decode_compressed(data)[0]
    )


@pytest.mark.parametrize('ending', [b'', b'\xff\xd9', b'\xff\xd9' + bytes(100)])
@pytest.mark.parametrize('share', [0.5, 0.7, 0.9, 0.97])
@pytest.mark.parametrize('kind', JPEGS)
def test_a_truncated_jpeg_is_refused(kind, share, ending):
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    data = encode(noise, '.jpg', *JPEGS[kind])
    cut = data[: int(share * len(data))]
    with pytest.raises(ImageError, match='damaged'):
        decode_compressed(cut + ending)


def test_a_progressive_jpeg_without_its_last_scans_is_refused():
    data = encode(PICTURE, '.jpg', cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    for count in (2, 5, 9):
        place = -1
        for _ in range(count + 1):
            place = data.index(b'\xff\xda', place + 1)
        with pytest.raises(ImageError, match='truncated'):
            decode_compressed(data[:place])


def test_a_picture_with_a_grey_lower_half_is_whole():
    picture = PICTURE.copy()
    picture[20:] = 128
    image, _ = decode_compressed(encode(picture, '.jpg'))
    assert (image[-8:] == 128).all()


@pytest.mark.parametrize('stale', STALE)
@pytest.mark.parametrize('suffix', ['.png', '.webp'])
def test_bytes_after_the_end_of_other_files_are_ignored(suffix, stale):
    options = (cv2.IMWRITE_WEBP_QUALITY, 101) if suffix == '.webp' else ()
    data = encode(PICTURE, suffix, *options)
    np.testing.assert_array_equal(decode_compressed(data + STALE[stale])[0], PICTURE)


OTHERS = {
    '.png': (), '.webp': (cv2.IMWRITE_WEBP_QUALITY, 101), '.tiff': (), '.avif': (),
}  # fmt: skip


def _writable(suffix):
    try:
        return bool(len(encode(PICTURE, suffix)))
    except cv2.error:
        return False


@pytest.mark.parametrize('share', [0.1, 0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize('suffix', OTHERS)
def test_other_truncated_files_are_refused(suffix, share):
    if not _writable(suffix):
        pytest.skip(f'this OpenCV writes no {suffix}')
    noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    data = encode(noise, suffix, *OTHERS[suffix])
    decode_compressed(data)
    with pytest.raises(ImageError):
        decode_compressed(data[: int(share * len(data))])


def test_a_png_without_its_last_chunk_is_whole_if_its_picture_is():
    data = encode(PICTURE, '.png')
    np.testing.assert_array_equal(decode_compressed(data[:-12])[0], PICTURE)
    first = encode(np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8), '.png')
    second = first.index(b'IDAT', first.index(b'IDAT') + 4) - 4
    with pytest.raises(ImageError, match='truncated'):
        decode_compressed(first[:second])


# --- other formats ---------------------------------------------------------------------------


@pytest.mark.parametrize('suffix', OTHERS)
@pytest.mark.parametrize('channels', [1, 3])
def test_formats_that_opencv_reads(suffix, channels):
    if not _writable(suffix):
        pytest.skip(f'this OpenCV writes no {suffix}')
    picture = PICTURE if channels == 3 else PICTURE[..., 0]
    image, encoding = decode_compressed(encode(picture, suffix, *OTHERS[suffix]), suffix[1:])
    grey = encoding == 'mono8'
    assert grey == (channels == 1) or suffix in ('.webp', '.avif')
    image = image if image.ndim == picture.ndim else image[..., 0]
    assert np.abs(image.astype(int) - picture).mean() < 3


def pillow_bytes(kind, **options):
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(PICTURE[..., ::-1])).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ('kind', 'options'),
    [
        ('AVIF', {'quality': 100}),
        ('WEBP', {'lossless': True}),
        ('WEBP', {'quality': 95}),
        ('WEBP', {'lossless': True, 'exif': b'Exif\0\0II*\0\x08\0\0\0\0\0'}),
        ('TIFF', {}),
        ('TIFF', {'compression': 'tiff_lzw'}),
        ('TIFF', {'compression': 'tiff_adobe_deflate'}),
        ('JPEG', {'quality': 95, 'progressive': True}),
        ('JPEG', {'quality': 95, 'subsampling': 0}),
        ('PNG', {}),
    ],
)
def test_files_that_pillow_writes(kind, options):
    from PIL import features

    if kind == 'AVIF' and not features.check('avif'):
        pytest.skip('this Pillow writes no AVIF')
    image, encoding = decode_compressed(pillow_bytes(kind, **options))
    assert encoding == 'bgr8'
    assert np.abs(image.astype(int) - PICTURE).mean() < 4


def test_avif_where_opencv_does_not_read_it(monkeypatch):
    pytest.importorskip('PIL._avif')
    data = pillow_bytes('AVIF', quality=100)
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: None)
    image, encoding = decode_compressed(data)
    assert encoding == 'bgr8'
    assert np.abs(image.astype(int) - PICTURE).mean() < 4


def test_jpeg_xl():
    pytest.importorskip('pillow_jxl')
    for options in ({}, {'lossless': True}):
        image, encoding = decode_compressed(pillow_bytes('JXL', **options))
        assert encoding == 'bgr8'
        assert np.abs(image.astype(int) - PICTURE).mean() < 4
        data = pillow_bytes('JXL', **options)
        for share in (0.2, 0.5, 0.8, 0.95):
            with pytest.raises(ImageError):
                decode_compressed(data[: int(share * len(data))])


JXL = b'\xff\x0a' + bytes([0b01010001, 0b10000000]) + bytes(40)


def test_jpeg_xl_without_its_package_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, 'pillow_jxl', None)
    with pytest.raises(ImageError, match='pip install pillow-jxl-plugin'):
        decode_compressed(JXL)


@pytest.mark.parametrize(
    'data',
    [
        b'RIFF\x00\x10\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\xff\0\xff\xff\0' + bytes(5000),
        b'RIFF\x00\x10\0\0WEBPVP8L\x0a\0\0\0\x2f\xff\xff\xff\x0f' + bytes(5000),
        b'II*\0\x08\0\0\0\x02\0' + struct.pack('<HHIIHHIII', 256, 4, 1, 90000, 257, 4, 1, 90000, 0),
        b'\xff\x0a' + (2 | 3 << 1 | 60000 << 3).to_bytes(8, 'little') + bytes(40),
    ],
    ids=['VP8X', 'VP8L', 'TIFF', 'JXL'],
)
def test_huge_sizes_of_other_formats_are_refused_before_decoding(data, monkeypatch):
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: pytest.fail('decoded'))
    monkeypatch.setitem(sys.modules, 'pillow_jxl', None)
    with pytest.raises(ImageError, match=r'the image is \d+x\d+'):
        decode_compressed(data)


def test_an_avif_with_a_huge_image_and_a_small_declared_size_is_refused(monkeypatch):
    """The boxes say 80x60; the stream's own header is rewritten to 65536x65536."""
    pytest.importorskip('PIL._avif')
    data = bytearray(pillow_bytes('AVIF'))
    decode_compressed(bytes(data))
    place = data.index(b'mdat') + 4
    place = data.index(b'\x0a', place)  # the sequence header
    header = '000' + '1' + '1' + '00000' + '1111' + '1111' + '1' * 32
    body = int(header.ljust(80, '0'), 2).to_bytes(10, 'big')
    data[place + 1] = len(body)
    data[place + 2 : place + 2 + len(body)] = body
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: pytest.fail('decoded'))
    with pytest.raises(ImageError, match='the image is 65536x65536'):
        decode_compressed(bytes(data))


# --- what a format says ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ('format', 'encoding'),
    [
        ('jpeg', 'bgr8'),
        ('', 'bgr8'),
        ('bgr8; jpeg compressed bgr8', 'bgr8'),
        ('rgb8; jpeg compressed bgr8', 'bgr8'),
        ('rgb8; jpeg compressed rgb8', 'rgb8'),
        ('bgr8; jpeg compressed rgb8', 'rgb8'),
        ('RGB8; JPEG compressed RGB8', 'rgb8'),
        ('rgb8; jpeg compressed ', 'bgr8'),
        ('yuv422_yuy2; jpeg compressed bgr8', 'bgr8'),
        ('rgb16; png compressed rgb16', 'rgb8'),
        ('; jpeg', 'bgr8'),
    ],
)
def test_the_order_of_colours_by_the_format(format, encoding):
    image, found = decode_compressed(encode(PICTURE, '.png'), format)
    assert found == encoding
    np.testing.assert_array_equal(image, PICTURE)


@pytest.mark.parametrize('bits', [8, 16])
@pytest.mark.parametrize(
    ('pattern', 'tile'),
    [('rggb', 'rggb'), ('bggr', 'bggr'), ('gbrg', 'gbrg'), ('grbg', 'grbg')],
)
def test_a_compressed_bayer_mosaic(pattern, tile, bits):
    values = {'r': 200, 'g': 120, 'b': 30}
    mosaic = np.tile(np.array([values[c] for c in tile]).reshape(2, 2), (30, 40)).astype(np.uint8)
    picture = mosaic if bits == 8 else mosaic.astype(np.uint16) << 8
    name = f'bayer_{pattern}{bits}; png compressed '
    image, encoding = decode_compressed(encode(picture, '.png'), name)
    assert encoding == 'bgr8'
    assert np.abs(image[30, 40].astype(int) - (30, 120, 200)).max() <= 2
    image, _ = decode_compressed(encode(mosaic, '.jpg'), f'bayer_{pattern}8; jpeg compressed ')
    assert np.abs(image[30, 40].astype(int) - (30, 120, 200)).max() <= 40


@pytest.mark.parametrize(
    ('format', 'words'),
    [
        ('16UC1; compressedDepth png', 'compressedDepth.*remap `image` to the compressed topic'),
        ('32FC1; compressedDepth', 'compressedDepth'),
        ('16UC1; png compressed ', "'16uc1' is for depth images: remap"),
        ('32FC1; tiff compressed ', 'depth image'),
    ],
)
def test_a_compressed_depth_image_is_refused_with_a_hint(format, words):
    with pytest.raises(ImageError, match=words):
        decode_compressed(encode(PICTURE[..., 0].astype(np.uint16), '.png'), format)


@pytest.mark.parametrize(
    ('format', 'data', 'transport'),
    [
        ('h264', b'\0\0\0\1\x67', 'ffmpeg'),
        ('H.264', b'abc', 'ffmpeg'),
        ('h265', b'', 'ffmpeg'),
        ('hevc', b'\0\0\1\x40', 'ffmpeg'),
        ('libx264;yuv420p;bgr8;rgb8', b'abc', 'ffmpeg'),
        ('ffmpeg', b'abc', 'ffmpeg'),
        ('theora', b'OggS', 'theora'),
        ('rgb8; zstd', b'\x28\xb5\x2f\xfd', 'zstd'),
        ('', b'\0\0\0\1\x67', 'ffmpeg'),
    ],
)
@pytest.mark.parametrize('distro', ['humble', 'jazzy'])
def test_video_is_refused_by_name_with_the_command_that_helps(
    format, data, transport, distro, monkeypatch
):
    monkeypatch.setenv('ROS_DISTRO', distro)
    with pytest.raises(ImageError) as caught:
        decode_compressed(data, format)
    text = str(caught.value)
    assert 'ros2 run image_transport republish' in text
    assert f'in/{transport}:=' in text
    assert ('-p in_transport:=' in text) == (distro == 'jazzy')
    assert '\n' not in text


def test_a_jpeg_is_read_with_any_format_field():
    for format in ('h264', 'zstd', 'png', 'nonsense', 'x' * 10_000, '; ; ;'):
        assert decode_compressed(encode(PICTURE, '.jpg'), format)[1] == 'bgr8'
