# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The encodings of sensor_msgs/Image that drivers publish, and their layout in memory.

The names are ROS's (sensor_msgs/image_encodings.hpp), V4L2's FourCCs and GenICam's, in upper or
lower case. OpenCV's type names, as 8UC3, stand for OpenCV's channel order BGR.
"""

from dataclasses import dataclass
from enum import Enum

from msdepth_ros.errors import ImageError, quoted
from msdepth_ros.images.topic_names import republish_advice, video_in

# The encodings that are read without a copy, and their channel order as in OpenCV's conversions.
ORDERS = {'rgb8': 'RGB', 'bgr8': 'BGR', 'rgba8': 'RGBA', 'bgra8': 'BGRA', 'mono8': 'GRAY'}
ENCODINGS = tuple(ORDERS)
CHANNELS = {name: 1 if order == 'GRAY' else len(order) for name, order in ORDERS.items()}


class Kind(Enum):
    """How the values of an image are converted to 8-bit colour or grey."""

    DIRECT = 'no conversion'
    BAYER = 'one colour per pixel'
    PACKED_YUV = 'one luma per pixel, one chroma pair per two pixels, interleaved'
    PLANAR_YUV = 'luma and chroma in separate planes'
    RGB565 = 'a colour in 16 bits'
    FILE = 'a compressed file'


@dataclass(frozen=True)
class Encoding:
    """What the name of an encoding means.

    Attributes
    ----------
    kind : how it is converted.
    name : for DIRECT, ROS's name; for BAYER, the pattern as `rggb`; for PACKED_YUV, the byte order
        as `uyvy`; for PLANAR_YUV, the layout as `nv12`.
    pixel : bytes per pixel of the first plane.
    deep : whether values have 16 bits.
    """

    kind: Kind
    name: str
    pixel: int = 1
    deep: bool = False


_DIRECT = {
    'rgb8': ('rgb8packed', 'rgb', 'rgb24', 'rgb3'),
    'bgr8': ('bgr8packed', 'bgr', 'bgr24', 'bgr3', '8uc3'),
    'rgba8': ('rgba', 'abgr8888', 'xbgr8888', 'rgbx8'),
    'bgra8': ('bgra', 'argb8888', 'xrgb8888', 'bgrx8', '8uc4'),
    'mono8': ('mono', '8uc1', 'grey', 'gray', 'gray8', 'grey8', 'y8', 'y800', 'r8', 'l8'),
}
_DEEP = {
    'rgb8': ('rgb16',),
    'bgr8': ('bgr16', '16uc3'),
    'rgba8': ('rgba16',),
    'bgra8': ('bgra16', '16uc4'),
    'mono8': (
        'mono16', 'mono10', 'mono12', 'mono14', 'gray16', 'grey16', 'y16', 'y10', 'y12', 'y14',
        'r10', 'r12', 'r16', 'l16',
    ),
}  # fmt: skip
_BAYER = {  # the four letters are the filters of the upper left 2x2 pixels, row by row
    'rggb': ('bayerrg', 'srggb', 'rggb', 'rg10', 'rg12', 'rg16'),
    'bggr': ('bayerbg', 'sbggr', 'ba81', 'bg10', 'bg12', 'byr2'),
    'gbrg': ('bayergb', 'sgbrg', 'gbrg', 'gb10', 'gb12', 'gb16'),
    'grbg': ('bayergr', 'sgrbg', 'grbg', 'ba10', 'ba12', 'gr16'),
}
_PACKED_YUV = {
    'uyvy': ('yuv422', 'yuv422packed', 'yuv422_8_uyvy', 'cbycry'),
    'yuyv': (
        'yuv422_yuy2', 'yuy2', 'yuv422_8', 'ycbcr422_8', 'yuv422_yuyv_packed', 'ycbycr',
    ),
    'yvyu': (),
    'vyuy': (),
}  # fmt: skip
_PLANAR_YUV = {
    'nv12': ('nm12',),
    'nv21': ('nm21',),
    'nv16': ('nm16',),
    'nv61': ('nm61',),
    'nv24': (),
    'nv42': (),
    'i420': ('yuv420', 'yuv420p', 'iyuv', 'yu12', 'yuv420_planar', 'i420p'),
    'yv12': ('yvu420', 'yvu420p'),
    'i422': ('yuv422p', '422p', 'yu16'),
    'yv16': ('yvu422p',),
    'i444': ('yuv444p', 'yu24'),
    'yv24': ('yvu444p',),
}
_RGB565 = ('rgb565', 'rgb565_le', 'rgbp')
_FILES = ('jpeg', 'jpg', 'mjpeg', 'mjpg', 'png', 'webp', 'tiff')
_DEPTHS = ('16uc1', '16sc1', '32fc1', '64fc1')


def _table() -> dict[str, Encoding]:
    table: dict[str, Encoding] = {}
    for deep, family in ((False, _DIRECT), (True, _DEEP)):
        for name, others in family.items():
            for other in (*others, *(() if deep else (name,))):
                pixel = CHANNELS[name] * (2 if deep else 1)
                table[other] = Encoding(Kind.DIRECT, name, pixel, deep)
    for pattern, others in _BAYER.items():
        for bits in (8, 10, 12, 14, 16):
            for stem in (f'bayer_{pattern}', *others[:2]):
                table[f'{stem}{bits}'] = Encoding(Kind.BAYER, pattern, 1 + (bits > 8), bits > 8)
        for other in others[2:]:
            deep = other not in ('rggb', 'ba81', 'gbrg', 'grbg')
            table[other] = Encoding(Kind.BAYER, pattern, 1 + deep, deep)
    for name, others in _PACKED_YUV.items():
        table |= {other: Encoding(Kind.PACKED_YUV, name, 2) for other in (name, *others)}
    for name, others in _PLANAR_YUV.items():
        table |= {other: Encoding(Kind.PLANAR_YUV, name) for other in (name, *others)}
    table |= {name: Encoding(Kind.RGB565, 'bgr8', 2) for name in _RGB565}
    table |= {name: Encoding(Kind.FILE, name, 0) for name in _FILES}
    return table


KNOWN = _table()
_ADVICE = 'rgb8, bgr8, mono8, a Bayer or a YUV encoding'


class UnknownEncodingError(ImageError):
    """An encoding that this package cannot convert; cv_bridge may be able to."""


def encoding_of(name: str) -> Encoding:
    """Return what an encoding's name means.

    Raises
    ------
    UnknownEncodingError
        If it is not known.
    ImageError
        If it is an encoding of depth images or video.
    """
    plain = name.strip().lower()
    found = KNOWN.get(plain)
    if found is None:
        check_no_depth(name)
        if video := video_in(name[:40]):
            raise ImageError(republish_advice(video))
        raise UnknownEncodingError(
            f'encoding {quoted(name)} is not supported: configure the camera to send {_ADVICE}'
        )
    return found


def check_no_depth(name: str) -> None:
    """Check that an encoding is not one of depth images.

    Raises
    ------
    ImageError
        If it is.
    """
    if name.strip().lower() in _DEPTHS:
        raise ImageError(
            f'encoding {quoted(name)} is for depth images: remap `image` to the topic of the '
            'colour camera (a thermal camera sends mono16)'
        )
