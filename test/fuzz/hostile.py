# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Hypothesis strategies for messages that a broken or hostile publisher may send.

Few fields of a message are wild at a time, so that it gets deep into the node before it is found
wrong.
"""

import functools
import itertools
import math
import struct
import zlib
from typing import Any

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from hypothesis import strategies as st
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, RegionOfInterest
from std_msgs.msg import Header

from msdepth_ros.images.encodings import KNOWN, Kind

LARGEST = 1 << 18  # bytes of data that a message is given
UINT32 = st.integers(0, 2**32 - 1)
ANY_FLOAT = st.floats(allow_nan=True, allow_infinity=True)
TEXT = st.text(max_size=20)
ENCODINGS = sorted(KNOWN)
IDENTITY = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
ROTATION = [0.8, 0.0, 0.6, 0.0, 1.0, 0.0, -0.6, 0.0, 0.8]


SMALL = st.integers(1, 48)
EDGES = st.sampled_from(
    [0, 1, 2, 3, 255, 4096, 8191, 8192, 8193, 32768, 2**31 - 1, 2**31, 2**32 - 1]
)
FOREIGN_ENCODINGS = st.sampled_from(
    ['', '32FC1', '64FC4', 'RGB8', 'rgb8 ', 'bayer_rggb', 'nv12\n', 'x' * 5000]
)
STAMPS = st.builds(Time, sec=st.integers(-(2**31), 2**31 - 1), nanosec=UINT32)


@functools.cache
def _some_of(names: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    """Return a strategy for up to three of the names, none of them in every third case."""
    some = [c for count in (1, 2, 3) for c in itertools.combinations(names, count)]
    return st.integers(0, 2).flatmap(lambda n: st.sampled_from(some) if n else st.just(()))


class Fields:
    """Draws the fields of a message: as they should be, but for some that are wild."""

    def __init__(self, draw: st.DrawFn, *names: str) -> None:
        self._draw = draw
        self._wild = draw(_some_of(names))

    def __call__(self, name: str, usual: st.SearchStrategy, wild: st.SearchStrategy) -> Any:
        """Return a value of the field."""
        return self._draw(wild if name in self._wild else usual)

    def header(self, number: int) -> Header:
        """Return a header whose stamp rises with `number`."""
        stamp = self('stamp', st.just(Time(sec=number)), STAMPS)
        return Header(stamp=stamp, frame_id=self('frame_id', st.just('camera_optical_frame'), TEXT))


def noise(count: int, seed: int) -> bytes:
    """Return bytes; hypothesis need not choose each of them."""
    return np.random.default_rng(seed).bytes(count)


@st.composite
def images(draw: st.DrawFn, number: int) -> Image:
    """Return an Image."""
    fields = Fields(
        draw, 'stamp', 'frame_id', 'encoding', 'width', 'height', 'is_bigendian', 'step', 'data'
    )
    message = Image(header=fields.header(number))
    message.encoding = fields('encoding', st.sampled_from(ENCODINGS), FOREIGN_ENCODINGS | TEXT)
    message.width = fields('width', SMALL, EDGES)
    message.height = fields('height', SMALL, EDGES)
    message.is_bigendian = fields('is_bigendian', st.integers(0, 1), st.integers(0, 255))
    known = KNOWN.get(message.encoding)
    exact = message.width * (known.pixel if known else 3)
    padded = st.integers(0, 9).map(lambda pad: min(exact + pad, 2**32 - 1))
    message.step = fields('step', padded, UINT32)
    planes = 3 if known and known.kind is Kind.PLANAR_YUV else 1
    wanted = planes * message.height * message.step
    wanted += fields('data', st.just(0), st.integers(-3, 3) | st.integers(-LARGEST, 50))
    message.data.frombytes(noise(min(max(wanted, 0), LARGEST), draw(st.integers(0, 99))))
    return message


def _png(draw: st.DrawFn, fields: Fields, picture: np.ndarray) -> bytes:
    """Return a PNG whose header says what it likes, and whose chunks come in any order."""
    height, width, channels = picture.shape
    header = struct.pack(
        '>IIBBBBB',
        fields('width', st.just(width), EDGES),
        fields('height', st.just(height), EDGES),
        fields('depth', st.just(8), st.sampled_from([1, 2, 4, 8, 16, 255])),
        {1: 0, 3: 2, 4: 6}[channels],
        0,
        0,
        fields('interlace', st.just(0), st.integers(0, 2)),
    )
    rows = np.pad(picture.reshape(height, -1), ((0, 0), (1, 0)))
    chunks = [
        (b'IHDR', header),
        (b'IDAT', zlib.compress(rows.tobytes())),
        (b'IEND', b''),
    ]
    order = fields('chunks', st.just(chunks), st.lists(st.sampled_from(chunks), max_size=5))
    return b'\x89PNG\r\n\x1a\n' + b''.join(
        struct.pack('>I', len(body)) + name + body + struct.pack('>I', zlib.crc32(name + body))
        for name, body in order
    )


@st.composite
def compressed_images(
    draw: st.DrawFn, number: int, width: int = 40, height: int = 30
) -> CompressedImage:
    """Return a CompressedImage: a file as it should be, damaged in places, or no file at all."""
    fields = Fields(
        draw, 'stamp', 'frame_id', 'format', 'file', 'damage', 'cut',
        'width', 'height', 'depth', 'interlace', 'chunks',
    )  # fmt: skip
    message = CompressedImage(header=fields.header(number))
    named = st.sampled_from(
        ['jpeg', 'png', 'rgb8; jpeg compressed bgr8', 'bayer_rggb8; jpeg compressed ', '']
    )
    foreign = st.sampled_from(['16UC1; compressedDepth png', '32FC1; png compressed ', 'h264'])
    message.format = fields('format', named, foreign | TEXT)
    shape = height, width, draw(st.sampled_from([1, 3, 4]))
    picture = np.frombuffer(noise(math.prod(shape), draw(st.integers(0, 99))), np.uint8)
    picture = picture.reshape(shape)
    kind = fields(
        'file',
        st.sampled_from(['.jpg', '.png', 'png', '.webp', '.tiff']),
        st.sampled_from(['.bmp', '.avif', '.jp2', '16 bit', 'any']),
    )
    if kind == 'any':
        data = draw(st.binary(max_size=200))
    elif kind == '16 bit':
        data = cv2.imencode('.png', picture.astype(np.uint16) << 8)[1].tobytes()
    elif kind == 'png':
        data = _png(draw, fields, picture)
    else:
        data = bytes(cv2.imencode(kind, picture[..., :3])[1])
    changed = bytearray(data)
    places = st.lists(st.tuples(UINT32, st.integers(0, 255)), max_size=6)
    for place, value in fields('damage', st.just([]), places):
        if changed:
            changed[place % len(changed)] = value
    whole = len(changed)
    message.data.frombytes(bytes(changed[: fields('cut', st.just(whole), st.integers(0, whole))]))
    return message


@st.composite
def camera_infos(draw: st.DrawFn, width: int = 40, height: int = 30) -> CameraInfo:
    """Return a CameraInfo, about half of the time one that could be of an image of that size."""
    fields = Fields(
        draw, 'stamp', 'frame_id', 'width', 'height', 'distortion_model', 'd', 'length of d',
        'k', 'r', 'p', 'binning_x', 'binning_y', 'roi',
    )  # fmt: skip
    message = CameraInfo(header=fields.header(0))
    message.width = fields('width', st.just(width), EDGES)
    message.height = fields('height', st.just(height), EDGES)
    lenses = {'plumb_bob': 5, 'rational_polynomial': 8, 'equidistant': 4, 'fisheye': 4}
    lens = fields('distortion_model', st.sampled_from(sorted(lenses)), TEXT | st.just('m' * 5000))
    message.distortion_model = lens
    count = fields(
        'length of d', st.just(lenses.get(lens, 5)), st.sampled_from([0, 1, 4, 12, 14, 15, 10**5])
    )
    usual = draw(st.sampled_from([0.0, 0.01, -0.2, 0.3]))
    message.d = [usual] * count
    for place in fields('d', st.just([]), st.lists(st.integers(0, 7), max_size=4)):
        if place < count:
            message.d[place] = draw(ANY_FLOAT)
    focal, cx, cy = (draw(st.floats(0.2, 2.0)) for _ in range(3))
    k = [focal * 40, 0.0, cx * 20, 0.0, focal * 40, cy * 15, 0.0, 0.0, 1.0]
    matrices = {
        'k': k,
        'r': list(draw(st.sampled_from([IDENTITY, ROTATION, [0.0] * 9]))),
        'p': list(draw(st.sampled_from([[*k[:3], 0.0, *k[3:6], 0.0, *k[6:], 0.0], [0.0] * 12]))),
    }
    for name, matrix in matrices.items():
        numbers = st.lists(st.tuples(st.integers(0, len(matrix) - 1), ANY_FLOAT), max_size=4)
        for place, value in fields(name, st.just([]), numbers):
            matrix[place] = value
    message.k, message.r, message.p = (list(matrix) for matrix in matrices.values())
    message.binning_x = fields('binning_x', st.integers(0, 1), UINT32)
    message.binning_y = fields('binning_y', st.integers(0, 1), UINT32)
    rois = st.builds(
        RegionOfInterest,
        x_offset=EDGES, y_offset=EDGES, width=EDGES, height=EDGES, do_rectify=st.booleans(),
    )  # fmt: skip
    message.roi = fields('roi', st.just(RegionOfInterest()), rois)
    return message
