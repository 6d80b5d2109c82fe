# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Raw images as drivers send them: every encoding, its names, its layouts and its mistakes."""

from types import SimpleNamespace

import numpy as np
import pytest

from msdepth_ros.errors import ImageError
from msdepth_ros.images.encodings import KNOWN, Kind
from msdepth_ros.images.message_fields import image_pixels

RED, GREEN, BLUE = 200, 120, 30
Y = round(16 + (65.481 * RED + 128.553 * GREEN + 24.966 * BLUE) / 255)
U = round(128 + (-37.797 * RED - 74.203 * GREEN + 112.0 * BLUE) / 255)
V = round(128 + (112.0 * RED - 93.786 * GREEN - 18.214 * BLUE) / 255)
GREY = round(0.299 * RED + 0.587 * GREEN + 0.114 * BLUE)
LETTERS = {'r': RED, 'g': GREEN, 'b': BLUE, 'a': 255}
# Luma rows, then chroma: horizontal and vertical subsampling, and the order of planes or pairs.
PLANAR = {
    'nv12': (2, 2, 'uv'), 'nv21': (2, 2, 'vu'), 'nv16': (2, 1, 'uv'), 'nv61': (2, 1, 'vu'),
    'nv24': (1, 1, 'uv'), 'nv42': (1, 1, 'vu'), 'i420': (2, 2, 'u v'), 'yv12': (2, 2, 'v u'),
    'i422': (2, 1, 'u v'), 'yv16': (2, 1, 'v u'), 'i444': (1, 1, 'u v'), 'yv24': (1, 1, 'v u'),
}  # fmt: skip


def message(data, encoding, width, height, step, big_endian=False):
    data = data.tobytes() if isinstance(data, np.ndarray) else data
    return SimpleNamespace(
        data=data, encoding=encoding, width=width, height=height, step=step, is_bigendian=big_endian
    )


def planar(name, width, height, stride=0, rows=0):
    """Return the bytes of an image of one colour, its buffer `stride` wide and `rows` high."""
    stride, rows = stride or width, rows or height
    across, down, order = PLANAR[name]
    values = {'u': U, 'v': V}
    chroma = -(-stride // across), -(-rows // down)
    planes = [np.full((rows, stride), Y, np.uint8)]
    if ' ' in order:
        planes += [np.full(chroma[::-1], values[letter], np.uint8) for letter in order.split()]
    else:
        pair = np.array([values[letter] for letter in order], np.uint8)
        planes.append(np.tile(pair, (chroma[1], chroma[0])))
    planes[0][height:], planes[0][:, width:] = 0, 0  # what no pixel is
    return b''.join(plane.tobytes() for plane in planes)


def sent(encoding, width=8, height=6):
    """Return a message of one colour in any encoding that is known."""
    known = KNOWN[encoding]
    if known.kind is Kind.PLANAR_YUV:
        return message(planar(known.name, width, height), encoding, width, height, width)
    if known.kind is Kind.PACKED_YUV:
        letters = known.name.replace('y', 'Y')
        values = {'Y': Y, 'u': U, 'v': V}
        data = np.tile(np.array([values[c] for c in letters], np.uint8), (height, width // 2))
    elif known.kind is Kind.BAYER:
        tile = np.array([LETTERS[letter] for letter in known.name]).reshape(2, 2)
        data = np.tile(tile, (height // 2, width // 2)).astype(np.uint8)
    elif known.kind is Kind.RGB565:
        pixel = RED >> 3 << 11 | GREEN >> 2 << 5 | BLUE >> 3
        data = np.full((height, width), pixel, '<u2')
    elif known.name == 'mono8':
        data = np.full((height, width), GREY, np.uint8)
    else:
        order = [LETTERS[letter] for letter in known.name[:-1]]
        data = np.tile(np.array(order, np.uint8), (height, width))
    if known.deep:
        data = (data.astype('<u2') << 8) + 9
        data[0, :2] = 0, 65535  # the whole range is used
    return message(data, encoding, width, height, data.shape[1] * data.itemsize)


def as_rgb(pixels, encoding):
    if encoding == 'mono8':
        return np.repeat(pixels[..., None], 3, axis=-1)
    return pixels[..., [encoding.index(letter) for letter in 'rgb']]


@pytest.mark.parametrize('case', [str, str.upper, str.title, ' {}\0 '.format])
@pytest.mark.parametrize('encoding', sorted(e for e in KNOWN if KNOWN[e].kind is not Kind.FILE))
def test_every_encoding_under_every_name(encoding, case):
    image = sent(encoding)
    image.encoding = case(encoding).replace('\0', '')
    pixels, name = image_pixels(image)
    assert pixels.dtype == np.uint8
    assert pixels.shape[:2] == (6, 8)
    expected = (GREY,) * 3 if name == 'mono8' else (RED, GREEN, BLUE)
    off = np.abs(as_rgb(pixels, name)[3:, 3:6].astype(int) - expected)
    assert off.max() <= (8 if KNOWN[encoding].kind is Kind.RGB565 else 4)


@pytest.mark.parametrize(
    'names',
    [
        # sensor_msgs/image_encodings.hpp
        'rgb8 rgba8 rgb16 rgba16 bgr8 bgra8 bgr16 bgra16 mono8 mono16 8UC1 8UC3 8UC4 16UC3 16UC4',
        'bayer_rggb8 bayer_bggr8 bayer_gbrg8 bayer_grbg8 bayer_rggb16 bayer_bggr16 bayer_gbrg16',
        'uyvy yuv422 yuyv yuv422_yuy2 nv12 nv21 nv24',
        'YUV420 yuv420p YUYV UYVY NV12 I420',  # depthai, gscam, usb_cam
        'BayerRG8 BayerRG10 BayerRG12 BayerGB16 Mono8 Mono10 Mono12 YUV422_8 YCbCr422_8',  # GenICam
        'YU12 YV12 NV16 NV61 GREY Y16 RGB3 BGR3 RGBP BA81 RG10 SRGGB10 422P',  # V4L2
    ],
)
def test_the_names_that_drivers_use_are_known(names):
    assert [name for name in names.split() if name.lower() not in KNOWN] == []


@pytest.mark.parametrize('size', [(8, 6), (640, 480), (7, 5), (8, 5), (7, 6), (1, 1)])
@pytest.mark.parametrize('name', PLANAR)
def test_planar_yuv_of_any_step(name, size):
    width, height = size
    data = planar(name, width, height)
    for step in (width, 0, 3 * width // 2, 2 * width, 3 * width, 1, 2**32 - 1):
        for rest in (b'', bytes(3 * (width % 2 == height % 2 == 0))):
            pixels, encoding = image_pixels(message(data + rest, name, width, height, step))
            assert pixels.shape == (height, width, 3)
            assert np.abs(as_rgb(pixels, encoding).astype(int) - (RED, GREEN, BLUE)).max() <= 4


@pytest.mark.parametrize(('stride', 'rows'), [(640, 0), (640, 496), (768, 512), (656, 0)])
@pytest.mark.parametrize('name', ['nv12', 'nv21', 'i420', 'yv12', 'nv16', 'i422', 'nv24'])
def test_planar_yuv_in_padded_buffers(name, stride, rows):
    width, height = 630, 482
    data = planar(name, width, height, stride, rows)
    for step in (stride, *([] if stride == 656 and not rows else [width])):
        pixels, encoding = image_pixels(message(data, name, width, height, step))
        assert np.abs(as_rgb(pixels, encoding).astype(int) - (RED, GREEN, BLUE)).max() <= 4


@pytest.mark.parametrize('name', PLANAR)
def test_planar_yuv_that_lacks_bytes_is_refused(name):
    data = planar(name, 8, 6)
    for step in (8, 0, 12):
        with pytest.raises(ImageError, match=f'data has {len(data) - 1} bytes but a {name} image'):
            image_pixels(message(data[:-1], name, 8, 6, step))


@pytest.mark.parametrize('name', ['nv12', 'i420', 'nv24', 'i444', 'nv16'])
def test_neighbours_in_planar_yuv_do_not_mix(name):
    data = bytearray(planar(name, 8, 6))
    data[:24] = bytes([235]) * 24
    pixels, _ = image_pixels(message(bytes(data), name, 8, 6, 8))
    assert (pixels[:3].astype(int).sum(axis=-1) > pixels[3:].astype(int).sum(axis=-1).max()).all()


@pytest.mark.parametrize('encoding', ['rgb8', 'mono8', 'mono16', 'bayer_rggb8', 'yuyv', 'rgb16'])
def test_step_0_with_all_data_is_packed(encoding):
    image = sent(encoding)
    expected = image_pixels(image)
    image.step = 0
    pixels, name = image_pixels(image)
    assert name == expected[1]
    np.testing.assert_array_equal(pixels, expected[0])
    image.data = image.data[:-1]
    with pytest.raises(ImageError, match='data has'):
        image_pixels(image)


@pytest.mark.parametrize('encoding', ['16UC1', '32FC1', '16SC1', '64FC1', '16uc1', '32fc1 '])
def test_a_depth_image_is_refused_with_a_hint(encoding):
    with pytest.raises(ImageError, match='is for depth images: remap `image` to the topic'):
        image_pixels(message(bytes(8 * 48), encoding, 8, 6, 64))


@pytest.mark.parametrize('encoding', ['h264', 'HEVC', 'h265'])
def test_video_in_a_raw_image_is_refused_with_the_command_that_helps(encoding):
    with pytest.raises(ImageError, match='ros2 run image_transport republish'):
        image_pixels(message(bytes(1000), encoding, 8, 6, 0))


@pytest.mark.parametrize('suffix', ['jpeg', 'MJPEG', 'png'])
def test_a_compressed_file_in_a_raw_image_is_decoded(suffix):
    import cv2

    picture = np.full((6, 8, 3), (BLUE, GREEN, RED), np.uint8)
    data = cv2.imencode('.png' if suffix == 'png' else '.jpg', picture)[1].tobytes()
    pixels, encoding = image_pixels(message(data, suffix, 8, 6, 0))
    assert encoding == 'bgr8'
    assert np.abs(pixels.astype(int) - picture).max() <= 3


@pytest.mark.parametrize('encoding', ['', 'rgb9', '64FC4', 'bayer_xxxx8', 'x' * 5000])
def test_an_unknown_encoding_is_named_with_those_supported(encoding):
    with pytest.raises(ImageError, match='configure the camera to send rgb8') as caught:
        image_pixels(message(bytes(1000), encoding, 8, 6, 24))
    assert len(str(caught.value)) < 300
