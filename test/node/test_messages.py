# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Messages to arrays and back; the bytes of every encoding are packed here."""

import array
import struct
import sys

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointField, RegionOfInterest
from std_msgs.msg import Header

from msdepth_ros.errors import CalibrationError, ImageError
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.node import messages
from msdepth_ros.node.messages import (
    DepthImage,
    camera_from_msg,
    camera_info_msg,
    cloud_msg,
    image_from_msg,
    image_msg,
    intrinsics_msg,
    nanoseconds,
)

RED, GREEN, BLUE = 200, 120, 30
DIRECT = ('rgb8', 'bgr8', 'rgba8', 'bgra8', 'mono8')
LETTERS = {'r': RED, 'g': GREEN, 'b': BLUE, 'a': 255}


def make_image(rows, encoding, width, height, padding=0, big_endian=False):
    """Return a message of packed rows (uint8 or uint16 [rows, values]) with padding behind each."""
    order = '>' if big_endian else '<'
    rows = np.asarray(rows)
    rows = rows if rows.dtype == np.uint8 else rows.astype(f'{order}u2')
    data = b''.join(row.tobytes() + b'\xee' * padding for row in rows)
    message = Image(width=width, height=height, encoding=encoding, is_bigendian=big_endian)
    message.step = len(data) // len(rows)
    message.data = array.array('B', data)
    return message


def yuv(red, green, blue):
    """Return (Y, U, V) of ITU-R BT.601 with 16 to 235, as cameras send it."""
    y = 16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255
    u = 128 + (-37.797 * red - 74.203 * green + 112.0 * blue) / 255
    v = 128 + (112.0 * red - 93.786 * green - 18.214 * blue) / 255
    return round(y), round(u), round(v)


def as_rgb(pixels, encoding):
    """Return [height, width, 3] RGB of what image_from_msg returned."""
    if encoding == 'mono8':
        return np.repeat(pixels[..., None], 3, axis=-1)
    return pixels[..., [encoding.index(letter) for letter in 'rgb']]


# --- encodings without a copy ----------------------------------------------------------------


@pytest.mark.parametrize('padding', [0, 1, 7])
@pytest.mark.parametrize('size', [(4, 3), (7, 5), (1, 1), (640, 2)])
@pytest.mark.parametrize('encoding', DIRECT)
def test_direct_encodings_are_views_of_the_messages_data(encoding, size, padding):
    width, height = size
    channels = 1 if encoding == 'mono8' else len(encoding) - 1
    rows = np.random.default_rng(0).integers(0, 256, (height, width * channels), np.uint8)
    message = make_image(rows, encoding, width, height, padding)
    pixels, name = image_from_msg(message)
    assert name == encoding
    assert pixels.dtype == np.uint8
    expected = rows.reshape(height, width, channels)
    np.testing.assert_array_equal(pixels, expected[..., 0] if channels == 1 else expected)
    assert np.shares_memory(pixels, np.frombuffer(message.data, np.uint8))


# --- encodings that are converted ------------------------------------------------------------


def colored_rows(order, width, height, dtype):
    """Return rows of the known colour; 16-bit values hold it in their upper byte."""
    pixel = np.array([LETTERS[letter] for letter in order], dtype)
    if dtype == np.uint16:
        pixel = pixel * 256 + 77
    return np.tile(pixel, (height, width))


@pytest.mark.parametrize('big_endian', [False, True])
@pytest.mark.parametrize('padding', [0, 2, 5])
@pytest.mark.parametrize('size', [(4, 3), (7, 5), (1, 1)])
@pytest.mark.parametrize('encoding', ['rgb16', 'bgr16', 'rgba16', 'bgra16'])
def test_16_bit_colours(encoding, size, padding, big_endian):
    rows = colored_rows(encoding[:-2], *size, np.uint16)
    pixels, name = image_from_msg(make_image(rows, encoding, *size, padding, big_endian))
    assert name == encoding[:-2] + '8'
    assert pixels.dtype == np.uint8
    assert pixels.shape[:2] == size[::-1]
    assert (as_rgb(pixels, name) == (RED, GREEN, BLUE)).all()


@pytest.mark.parametrize('big_endian', [False, True])
@pytest.mark.parametrize('encoding', ['mono16', 'MONO16', 'y16'])
def test_16_bit_grey(encoding, big_endian):
    rows = np.array([[0x1234, 0xFF00, 0x00FF], [0x8000, 0x0100, 0xFFFF]], np.uint16)
    pixels, name = image_from_msg(make_image(rows, encoding, 3, 2, 3, big_endian))
    assert name == 'mono8'
    assert pixels.tolist() == [[0x12, 0xFF, 0], [0x80, 1, 0xFF]]


@pytest.mark.parametrize(('encoding', 'order'), [('8UC1', ''), ('8UC3', 'bgr'), ('8UC4', 'bgra')])
@pytest.mark.parametrize('big_endian', [False, True])
def test_opencv_names_are_taken_as_opencv_orders_colours(encoding, order, big_endian):
    rows = colored_rows(order, 5, 4, np.uint8) if order else np.full((4, 5), 99, np.uint8)
    pixels, name = image_from_msg(make_image(rows, encoding, 5, 4, 3, big_endian))
    assert pixels.shape[:2] == (4, 5)
    assert (as_rgb(pixels, name) == ((RED, GREEN, BLUE) if order else 99)).all()


@pytest.mark.parametrize('bits', [8, 16])
@pytest.mark.parametrize('big_endian', [False, True])
@pytest.mark.parametrize('size', [(8, 6), (9, 7)])
@pytest.mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
def test_bayer_patterns(pattern, size, big_endian, bits):
    """The four letters are the filters of the upper left 2x2 pixels, row by row."""
    width, height = size
    tile = np.array([LETTERS[letter] for letter in pattern]).reshape(2, 2)
    rows = np.tile(tile, (height, width))[:height, :width]
    rows = rows.astype(np.uint8) if bits == 8 else (rows * 256 + 9).astype(np.uint16)
    message = make_image(rows, f'bayer_{pattern}{bits}', width, height, 3, big_endian)
    pixels, name = image_from_msg(message)
    assert pixels.shape == (height, width, 3)
    inner = as_rgb(pixels, name)[2:-2, 2:-2].astype(int)
    assert np.abs(inner - (RED, GREEN, BLUE)).max() <= 2


def packed_yuv(encoding, width, height):
    y, u, v = yuv(RED, GREEN, BLUE)
    if encoding in ('yuv422', 'uyvy'):
        return np.tile(np.array([u, y, v, y], np.uint8), (height, width // 2))
    if encoding in ('yuv422_yuy2', 'yuyv'):
        return np.tile(np.array([y, u, y, v], np.uint8), (height, width // 2))
    luma = np.full((height, width), y, np.uint8)
    if encoding == 'nv24':  # full resolution: two bytes a pixel, in two rows of the step
        return np.vstack([luma, np.tile(np.array([u, v], np.uint8), (2 * height, width // 2))])
    pair = [u, v] if encoding == 'nv12' else [v, u]
    return np.vstack([luma, np.tile(np.array(pair, np.uint8), (height // 2, width // 2))])


@pytest.mark.parametrize('size', [(8, 6), (2, 2), (640, 480)])
@pytest.mark.parametrize(
    ('encoding', 'padding'),
    [
        *((name, 0) for name in ('yuv422', 'uyvy', 'yuv422_yuy2', 'yuyv', 'nv12', 'nv21', 'nv24')),
        *((name, 6) for name in ('yuv422', 'uyvy', 'yuv422_yuy2', 'yuyv', 'nv12', 'nv21')),
    ],
)
def test_yuv(encoding, size, padding):
    rows = packed_yuv(encoding, *size)
    pixels, name = image_from_msg(make_image(rows, encoding, *size, padding))
    assert pixels.shape == (*size[::-1], 3)
    assert np.abs(as_rgb(pixels, name).astype(int) - (RED, GREEN, BLUE)).max() <= 4


def test_yuv_keeps_pixels_apart():
    """Two greys side by side stay where they are."""
    rows = np.tile(np.array([128, 50, 128, 200], np.uint8), (4, 3))  # uyvy
    pixels, _ = image_from_msg(make_image(rows, 'uyvy', 6, 4))
    assert (pixels[:, ::2] < 60).all()
    assert (pixels[:, 1::2] > 190).all()


@pytest.mark.parametrize(
    ('encoding', 'size'),
    [('uyvy', (7, 4)), ('yuyv', (7, 4))],
)
def test_subsampled_colour_of_odd_size_is_refused(encoding, size):
    data = np.zeros((3 * size[1], 2 * size[0]), np.uint8)
    message = make_image(data, encoding, *size)
    with pytest.raises(ImageError, match=f'an even width, not {size[0]}x{size[1]}'):
        image_from_msg(message)


# --- malformed -------------------------------------------------------------------------------


def malformed(**changes):
    message = make_image(np.zeros((4, 15), np.uint8), 'rgb8', 5, 4)
    for name, value in changes.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'data': array.array('B', bytes(59))}, 'data has 59 bytes but 4 rows of step 15 need 60'),
        ({'data': array.array('B')}, 'data has 0 bytes'),
        ({'step': 14}, 'step is 14 but 5 pixels of rgb8 need 15'),
        ({'step': 0, 'data': array.array('B', bytes(59))}, 'data has 59 bytes but 4 rows'),
        ({'step': 2**32 - 1}, 'data has 60 bytes'),
        ({'width': 8192}, 'step is 15'),
        ({'height': 4320}, 'data has 60 bytes'),
        ({'width': 2**32 - 1}, 'at most 8192 pixels a side'),
        ({'height': 8193}, 'at most 8192 pixels a side'),
        ({'width': 8192, 'height': 4321}, 'at most 8192 pixels a side and 35389440 in total'),
        ({'width': 0}, '0x4'),
        ({'height': 0}, '5x0'),
        ({'encoding': 'rgb9'}, "'rgb9' is not supported: configure the camera to send rgb8"),
        ({'encoding': ''}, "'' is not supported"),
        ({'encoding': '32FC1'}, "'32FC1' is for depth images"),
        ({'encoding': 'rgba8'}, 'step is 15 but 5 pixels of rgba8 need 20'),
        ({'encoding': 'nv12', 'data': array.array('B', bytes(31))}, 'data has 31 bytes but a nv12'),
        ({'encoding': 'rgb16'}, 'step is 15 but 5 pixels of rgb16 need 30'),
    ],
)
def test_a_malformed_image_is_refused_with_its_numbers(changes, words):
    with pytest.raises(ImageError, match=words):
        image_from_msg(malformed(**changes))


def test_more_data_than_needed_is_taken():
    pixels, _ = image_from_msg(malformed(data=array.array('B', bytes(100))))
    assert pixels.shape == (4, 5, 3)


# --- compressed ------------------------------------------------------------------------------


def test_compressed_depth_is_refused():
    message = CompressedImage(format='16UC1; compressedDepth png', data=b'abc')
    with pytest.raises(ImageError, match='compressedDepth'):
        image_from_msg(message)


@pytest.mark.parametrize('data', [b'', b'no image', b'\xff\xd8', b'\x89PNG\r\n\x1a\n'])
def test_compressed_bytes_that_are_no_image_are_refused(data):
    with pytest.raises(ImageError):
        image_from_msg(CompressedImage(format='jpeg', data=array.array('B', data)))


# --- camera_info -----------------------------------------------------------------------------


def test_camera_info_field_by_field():
    message = CameraInfo(width=640, height=480, distortion_model='rational_polynomial')
    message.k, message.r, message.p = list(range(9)), list(range(10, 19)), list(range(20, 32))
    message.d = [0.5] * 8
    message.roi = RegionOfInterest(x_offset=1, y_offset=2, width=3, height=4, do_rectify=True)
    message.binning_x, message.binning_y = 5, 6
    camera = camera_from_msg(message)
    assert camera == Camera(
        640, 480, tuple(map(float, range(9))), (0.5,) * 8, 'rational_polynomial',
        tuple(map(float, range(10, 19))), tuple(map(float, range(20, 32))), (1, 2, 3, 4), (5, 6),
    )  # fmt: skip
    assert hash(camera) == hash(camera_from_msg(message))


def test_a_stamp_may_be_before_1970_or_not_normal():
    assert nanoseconds(Time(sec=12, nanosec=34)) == 12_000_000_034
    assert nanoseconds(Time(sec=-1, nanosec=5)) == -999_999_995
    assert nanoseconds(Time(sec=2**31 - 1, nanosec=2**32 - 1)) == (2**31 - 1) * 10**9 + 2**32 - 1


def test_of_endless_coefficients_enough_are_read_to_refuse_them():
    message = CameraInfo(width=640, height=480, distortion_model='plumb_bob', d=[0.1] * 100_000)
    message.k = [600.0, 0.0, 320.0, 0.0, 600.0, 240.0, 0.0, 0.0, 1.0]
    camera = camera_from_msg(message)
    assert len(camera.d) == 15
    with pytest.raises(CalibrationError, match='plumb_bob has 4 or 5 coefficients'):
        camera.check()


def test_an_empty_camera_info_is_not_calibrated():
    with pytest.raises(CalibrationError):
        camera_from_msg(CameraInfo()).check()
    with pytest.raises(CalibrationError, match='not calibrated'):
        camera_from_msg(CameraInfo(width=640, height=480)).check()


def test_a_camera_survives_its_message():
    camera = Camera(
        640, 480, (500.0, 0, 320, 0, 501, 240, 0, 0, 1), (0.1, 0.2, 0.3, 0.4), 'equidistant',
        p=(490.0, 0, 321, 0, 0, 491, 241, 0, 0, 0, 1, 0),
    )  # fmt: skip
    header = Header(frame_id='front')
    message = camera_info_msg(camera, header)
    assert message.header.frame_id == 'front'
    assert camera_from_msg(message) == camera


def test_a_camera_without_p_is_sent_with_that_of_its_k():
    message = camera_info_msg(Camera(64, 48, (50.0, 0, 32, 0, 51, 24, 0, 0, 1)), Header())
    assert list(message.p) == [50, 0, 32, 0, 0, 51, 24, 0, 0, 0, 1, 0]


def test_camera_info_of_a_rectified_image():
    message = intrinsics_msg(Intrinsics(74, 55, 61.5, 62.5, 36.5, 27.5), Header())
    assert (message.width, message.height) == (74, 55)
    assert list(message.k) == [61.5, 0, 36.5, 0, 62.5, 27.5, 0, 0, 1]
    assert list(message.p) == [61.5, 0, 36.5, 0, 0, 62.5, 27.5, 0, 0, 0, 1, 0]
    assert list(message.r) == [1, 0, 0, 0, 1, 0, 0, 0, 1]
    assert list(message.d) == []
    assert message.distortion_model == 'plumb_bob'


# --- images and clouds -----------------------------------------------------------------------


@pytest.mark.parametrize('shape', [(3, 5, 3), (3, 5)])
def test_an_image_message_reads_back(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    encoding = 'bgr8' if len(shape) == 3 else 'mono8'
    header = Header(frame_id='front')
    header.stamp.sec = 7
    message = image_msg(pixels, encoding, header)
    assert (message.width, message.height, message.step) == (5, 3, 5 * (3 if shape[2:] else 1))
    assert message.header == header
    read, name = image_from_msg(message)
    assert name == encoding
    np.testing.assert_array_equal(read, pixels)


def test_an_image_message_of_a_strided_array_holds_its_pixels():
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)[:, ::2, ::-1]
    read, _ = image_from_msg(image_msg(pixels, 'bgr8', Header()))
    np.testing.assert_array_equal(read, pixels)


def test_depth_is_written_into_the_message():
    depth = DepthImage(4, 3)
    message = depth.message
    assert (message.width, message.height, message.encoding, message.step) == (4, 3, '32FC1', 16)
    assert message.is_bigendian == (sys.byteorder == 'big')
    depth.pixels[:] = 1.5
    depth.pixels[2, 3] = np.nan
    assert len(message.data) == 48
    values = struct.unpack('=12f', bytes(message.data))
    assert values[:11] == (1.5,) * 11
    assert values[11] != values[11]


def fields_of(message):
    return [(field.name, field.offset, field.datatype, field.count) for field in message.fields]


@pytest.mark.parametrize('count', [3, 4])
def test_an_organised_cloud_keeps_rows_and_columns(count):
    points = np.arange(2 * 5 * count, dtype=np.float32).reshape(2, 5, count)
    message = cloud_msg(points, Header(frame_id='front'))
    assert (message.height, message.width) == (2, 5)
    assert (message.point_step, message.row_step) == (4 * count, 20 * count)
    names = ('x', 'y', 'z', 'rgb')[:count]
    assert fields_of(message) == [(n, 4 * i, PointField.FLOAT32, 1) for i, n in enumerate(names)]
    assert len(message.data) == message.row_step * message.height
    offset = message.row_step + 3 * message.point_step  # row 1, column 3
    found = struct.unpack_from(f'={count}f', bytes(message.data), offset)
    assert found == tuple(points[1, 3])
    assert message.header.frame_id == 'front'


def test_is_dense_only_if_it_is():
    points = np.ones((2, 2, 3), np.float32)
    assert cloud_msg(points, Header()).is_dense
    points[1, 1] = np.nan
    assert not cloud_msg(points, Header()).is_dense
    assert cloud_msg(np.ones((7, 3), np.float32), Header()).is_dense


@pytest.mark.parametrize('count', [0, 1, 7])
def test_an_unordered_cloud_has_one_row(count):
    message = cloud_msg(np.ones((count, 4), np.float32), Header())
    assert (message.height, message.width) == (1, count)
    assert message.row_step == len(message.data) == 16 * count


# --- cv_bridge: for encodings that this package does not know -----------------------------------


class _Bridge:
    def __init__(self, answer):
        self.answer = answer

    def imgmsg_to_cv2(self, message, encoding):
        assert encoding == 'bgr8'
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def _of_tomorrow():
    return Image(width=8, height=6, encoding='yuv999', step=8, data=array.array('B', bytes(48)))


def test_an_unknown_encoding_is_converted_by_cv_bridge(monkeypatch):
    picture = np.zeros((6, 8, 3), np.uint8)
    monkeypatch.setattr(messages, '_cv_bridge', lambda: _Bridge(picture))
    pixels, name = image_from_msg(_of_tomorrow())
    assert pixels is picture
    assert name == 'bgr8'


@pytest.mark.parametrize(
    'answer', [RuntimeError('no such encoding'), np.zeros((3, 8, 3), np.uint8), np.zeros((6, 8))]
)
def test_what_cv_bridge_cannot_do_is_refused_with_the_name(monkeypatch, answer):
    monkeypatch.setattr(messages, '_cv_bridge', lambda: _Bridge(answer))
    with pytest.raises(ImageError, match='yuv999'):
        image_from_msg(_of_tomorrow())
