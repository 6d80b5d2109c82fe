# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Encodings that need a conversion before a network can read them."""

from typing import Any

import cv2
import numpy as np

from msdepth_ros.errors import ImageError

# The largest image taken: 8K as cinema has it. A file says its size before it is decoded.
MAX_SIDE = 8192  # pixels
MAX_PIXELS = 8192 * 4320
_MAX_BYTES_PER_PIXEL = 8  # of a compressed image: 16-bit RGBA that did not get smaller
_MAX_METADATA = 1 << 20  # bytes on top of that
_MAX_SCANS = 32  # of a JPEG: each is a pass over the whole picture, and takes a few bytes

_COLOR_CODES = {
    'yuv422': cv2.COLOR_YUV2BGR_UYVY,
    'uyvy': cv2.COLOR_YUV2BGR_UYVY,
    'yuv422_yuy2': cv2.COLOR_YUV2BGR_YUY2,
    'yuyv': cv2.COLOR_YUV2BGR_YUY2,
    'nv12': cv2.COLOR_YUV2BGR_NV12,
    'nv21': cv2.COLOR_YUV2BGR_NV21,
    # OpenCV names a Bayer pattern by its second row's second and third pixel.
    'bayer_rggb': cv2.COLOR_BayerBG2BGR,
    'bayer_bggr': cv2.COLOR_BayerRG2BGR,
    'bayer_gbrg': cv2.COLOR_BayerGR2BGR,
    'bayer_grbg': cv2.COLOR_BayerGB2BGR,
}
_JPEG, _PNG, _SCAN = b'\xff\xd8', b'\x89PNG\r\n\x1a\n', b'\xff\xda'
_FRAME_MARKERS = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
_SEGMENT_MARKERS = (0xC4, 0xCC, 0xDB, 0xDD, *range(0xE0, 0xF0), 0xFE)  # tables, APPn, comment
_PACKED_YUV = ('yuv422', 'uyvy', 'yuv422_yuy2', 'yuyv')
_DIRECT = {
    'mono16': 'mono8', '16UC1': 'mono8', '8UC1': 'mono8', '8UC3': 'bgr8', '8UC4': 'bgra8',
    'rgb16': 'rgb8', 'bgr16': 'bgr8', 'rgba16': 'rgba8', 'bgra16': 'bgra8',
}  # fmt: skip
_CHANNELS = {'mono8': 1, 'rgb8': 3, 'bgr8': 3, 'rgba8': 4, 'bgra8': 4}


def check_size(width: int, height: int) -> None:
    """Raise ImageError unless an image's size is one that is taken."""
    if not width or not height:
        raise ImageError(f'the image is {width}x{height}')
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise ImageError(
            f'the image is {width}x{height}: at most {MAX_SIDE} pixels a side and '
            f'{MAX_PIXELS} in all are taken, so have the camera send smaller ones'
        )


def decode_raw(
    packed: np.ndarray, width: int, height: int, encoding: str
) -> tuple[np.ndarray, str]:
    """Convert one of sensor_msgs' other encodings to 8-bit colour or grey.

    Parameters
    ----------
    packed : uint8 or uint16 (in native byte order) [rows, values a row] as the message has it,
        row padding removed.
    width, height : of the image.
    encoding : sensor_msgs' name.

    Returns
    -------
    (uint8 [height, width(, channels)], 'bgr8', 'bgra8', 'rgb8', 'rgba8' or 'mono8').
    """
    if packed.dtype == np.uint16:
        packed = (packed >> 8).astype(np.uint8)
    direct = _DIRECT.get(encoding)
    if direct is not None:
        channels = _CHANNELS[direct]
        shape = (height, width) if channels == 1 else (height, width, channels)
        return np.ascontiguousarray(packed).reshape(shape), direct
    odd = width % 2 and not encoding.startswith('bayer')
    if odd or (height % 2 and encoding in ('nv12', 'nv21')):
        raise ImageError(f'a {encoding} image of {width}x{height} must have even sides')
    if encoding == 'nv24':
        packed, encoding = _nv24(packed, width, height), 'yuv422_yuy2'
    elif encoding in _PACKED_YUV:
        packed = np.ascontiguousarray(packed).reshape(height, width, 2)
    code = _COLOR_CODES[encoding.removesuffix('16').removesuffix('8')]
    try:
        return cv2.cvtColor(packed, code), 'bgr8'
    except cv2.error as error:
        raise ImageError(f'OpenCV cannot convert a {encoding} image of {width}x{height}') from error


def _nv24(packed: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return YUY2 [height, width, 2] of a plane of Y and one of U and V at full resolution."""
    data = np.ascontiguousarray(packed).reshape(-1)
    yuy2 = np.empty((height, width, 2), np.uint8)
    yuy2[..., 0] = data[: height * width].reshape(height, width)
    chroma = data[height * width :].reshape(height, width, 2)
    yuy2[:, ::2, 1] = chroma[:, ::2, 0]
    yuy2[:, 1::2, 1] = chroma[:, ::2, 1]
    return yuy2


def decode_compressed(data: Any) -> tuple[np.ndarray, str]:
    """Decode a JPEG or PNG file.

    What it would take to decode is known from its header before it is begun: an image of
    MAX_PIXELS at most, in a JPEG of _MAX_SCANS scans at most.

    Returns
    -------
    (uint8 [height, width, 3], 'bgr8') or (uint8 [height, width], 'mono8').

    Raises
    ------
    ImageError
        If it is no such file, damaged, or too large.
    """
    encoded = np.frombuffer(data, np.uint8)
    size = _announced_size(encoded.data)
    if size is None:
        raise ImageError(f'{encoded.size} bytes that are neither JPEG nor PNG')
    check_size(*size)
    width, height = size
    if encoded.size > _MAX_BYTES_PER_PIXEL * width * height + _MAX_METADATA:
        raise ImageError(f'{encoded.size} bytes are too many for an image of {width}x{height}')
    whole = encoded.tobytes()
    if whole[:2] == _JPEG and whole.count(_SCAN) > _MAX_SCANS:
        raise ImageError(f'a JPEG of {whole.count(_SCAN)} scans: at most {_MAX_SCANS} are taken')
    flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(encoded, flags)
    except cv2.error:
        image = None
    if image is None or image.shape[:2] != (height, width) or _is_truncated_jpeg(whole):
        raise ImageError(f'the compressed image of {encoded.size} bytes is damaged')
    return image, 'mono8' if image.ndim == 2 else 'bgr8'


def _is_truncated_jpeg(data: bytes) -> bool:
    """Return whether a JPEG lacks its end mark, padding aside; older OpenCV makes up the rest."""
    return data[:2] == _JPEG and b'\xff\xd9' not in data.rstrip(b'\0')[-1024:]


def _announced_size(head: memoryview) -> tuple[int, int] | None:
    """Return the (width, height) that a PNG's or JPEG's header announces."""
    if head[:8] == _PNG and head[12:16] == b'IHDR' and len(head) >= 24:
        return int.from_bytes(head[16:20], 'big'), int.from_bytes(head[20:24], 'big')
    if head[:2] != _JPEG:
        return None
    place = 2
    while place + 9 <= len(head) and head[place] == 0xFF:
        marker, length = head[place + 1], int.from_bytes(head[place + 2 : place + 4], 'big')
        if marker in _FRAME_MARKERS:
            height = int.from_bytes(head[place + 5 : place + 7], 'big')
            return int.from_bytes(head[place + 7 : place + 9], 'big'), height
        if marker == 0xFF:  # padding
            place += 1
        elif marker in _SEGMENT_MARKERS:
            place += 2 + length
        else:  # one without a length: what a decoder takes for the header would lie elsewhere
            return None
    return None
