# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compressed images: JPEG, PNG, WebP, TIFF, AVIF and JPEG XL, of the sizes that cameras have."""

import io
import re
from typing import Any

import cv2
import numpy as np

from msdepth_ros.errors import ImageError, quoted
from msdepth_ros.images.containers import (
    Extent,
    avif_extent,
    jxl_extent,
    png_extent,
    tiff_extent,
    webp_extent,
)
from msdepth_ros.images.encodings import KNOWN, Kind, check_no_depth
from msdepth_ros.images.jpeg import END, Jpeg, read_jpeg
from msdepth_ros.images.limits import check_size
from msdepth_ros.images.opencv_log import quiet_opencv
from msdepth_ros.images.raw import demosaiced
from msdepth_ros.images.stretch import Stretch
from msdepth_ros.images.topic_names import republish_advice, video_in

_MAX_BYTES_PER_PIXEL = 8  # of a compressed image: uncompressed 16-bit RGBA
_MAX_METADATA = 1 << 20  # bytes added to that
_MAX_SCANS = 32  # of a JPEG: a scan of a few bytes costs a pass over the whole image
_FLAGS = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
_CONTAINERS = {
    'PNG': png_extent, 'WEBP': webp_extent, 'TIFF': tiff_extent, 'AVIF': avif_extent,
    'JXL': jxl_extent,
}  # fmt: skip
_VIDEO_STARTS = (b'\0\0\0\1', b'\0\0\1', b'OggS', b'\x28\xb5\x2f\xfd')
_FORMAT = re.compile(r'\s*([^;]*?)\s*;\s*(\w+)\s+compressed\s*(\w*)')
_GREY = 128  # the value that libjpeg gives to pixels whose data is missing
_BLOCK = 8  # width and height of a JPEG's blocks, pixels
_PNG_END = b'\0\0\0\0IEND\xaeB`\x82'
_FILLER = np.random.default_rng(0).integers(0, 255, 2048, np.uint8).tobytes()  # no byte is 0xFF


def decode_compressed(
    data: Any, format: str = '', stretch: Stretch | None = None
) -> tuple[np.ndarray, str]:
    """Decode the data of a sensor_msgs/CompressedImage.

    The header is checked first, so that memory and time are bounded: at most limits.MAX_PIXELS
    pixels, and at most _MAX_SCANS scans in a JPEG.

    Parameters
    ----------
    data : bytes of a JPEG, PNG, WebP, TIFF, AVIF or JPEG XL; the data decides which, not `format`.
        Bytes after the end of the image are ignored.
    format : as compressed_image_transport writes it, `ORIGINAL; CODEC compressed STORED`. If
        ORIGINAL is a Bayer encoding the image is demosaiced; if STORED is `rgb8`, red and blue are
        swapped in the file.
    stretch : that of the stream, for 16-bit images; None: a new one for this image.

    Returns
    -------
    (uint8 [height, width, 3], 'bgr8' or 'rgb8') or (uint8 [height, width], 'mono8').

    Raises
    ------
    ImageError
        If it is not such a file, or is damaged, truncated, too large, a depth image or a video.
    """
    original, stored = _check_format(format)
    whole = bytes(data)
    jpeg = read_jpeg(whole)
    kind, extent = _jpeg_extent(jpeg) if jpeg else _extent(whole, format)
    check_size(extent.width, extent.height)
    if not extent.end:
        raise _damaged(whole, 'it is truncated')
    if extent.end > _MAX_BYTES_PER_PIXEL * extent.width * extent.height + _MAX_METADATA:
        raise ImageError(
            f'{extent.end} bytes are too many for an image of {extent.width}x{extent.height}'
        )
    pixels = _decode_jpeg(whole, jpeg) if jpeg else _decode(whole[: extent.end], kind)
    if pixels is None or pixels.shape[:2] != (extent.height, extent.width):
        raise _damaged(whole, f'a {kind} that cannot be decoded')
    if pixels.dtype == np.uint16:
        pixels = (stretch or Stretch()).eight_bit(pixels)
    if pixels.dtype != np.uint8:
        raise ImageError(
            f'a {kind} of {pixels.dtype} is not a camera image: send 8 or 16 bits per channel'
        )
    encoding = KNOWN.get(original)
    if pixels.ndim == 2 and encoding is not None and encoding.kind is Kind.BAYER:
        return demosaiced(pixels, encoding.name), 'bgr8'
    if pixels.ndim == 2:
        return pixels, 'mono8'
    return np.ascontiguousarray(pixels[..., :3]), 'rgb8' if stored.startswith('rgb') else 'bgr8'


def _check_format(format: str) -> tuple[str, str]:
    """Return the original and the stored encoding in a format, '' where it names none."""
    if 'compresseddepth' in format.lower():
        raise ImageError(
            'the topic carries compressedDepth, not a colour image: remap `image` to the '
            'compressed topic of the colour camera'
        )
    match = _FORMAT.match(format[:200].lower())
    original, stored = (match[1], match[3]) if match else ('', '')
    check_no_depth(original)
    return original, stored


def _jpeg_extent(jpeg: Jpeg) -> tuple[str, Extent]:
    if jpeg.scans > _MAX_SCANS:
        raise ImageError(f'a JPEG of {jpeg.scans} scans: at most {_MAX_SCANS} are accepted')
    return 'JPEG', Extent(jpeg.width, jpeg.height, jpeg.end)


def _extent(data: bytes, format: str) -> tuple[str, Extent]:
    """Return the format of a file that is not a JPEG, and its size and end."""
    for kind, measure in _CONTAINERS.items():
        extent = measure(data)
        if extent is not None:
            return kind, extent
    video = video_in(format) or ('video' if data.startswith(_VIDEO_STARTS) else '')
    if video:
        raise ImageError(republish_advice(video))
    named = f' (format {quoted(format)})' if format else ''
    raise ImageError(
        f'{len(data)} bytes that are not JPEG, PNG, WebP, TIFF, AVIF or JPEG XL{named}'
    )


def _decode(data: bytes, kind: str) -> np.ndarray | None:
    """Return a file's pixels by OpenCV, or by Pillow where OpenCV lacks the codec."""
    pixels = None
    if kind == 'PNG' and not data.endswith(_PNG_END):
        data += _PNG_END
    if kind != 'JXL':
        try:
            with quiet_opencv():
                pixels = cv2.imdecode(np.frombuffer(data, np.uint8), _FLAGS)
        except cv2.error:
            pixels = None
    return _decode_by_pillow(data, kind) if pixels is None and kind in ('AVIF', 'JXL') else pixels


def _decode_by_pillow(data: bytes, kind: str) -> np.ndarray | None:
    from PIL import Image, UnidentifiedImageError, features

    if kind == 'JXL':
        try:
            import pillow_jxl  # noqa: F401 (registers itself)
        except ImportError as error:
            raise ImageError(
                'JPEG XL needs a package: `pip install pillow-jxl-plugin`, or configure the camera '
                'to send jpeg'
            ) from error
    elif not features.check('avif'):
        raise ImageError(
            'neither OpenCV nor Pillow reads AVIF here: update one of them, or configure the '
            'camera to send jpeg'
        )
    try:
        with Image.open(io.BytesIO(data), formats=[kind]) as file:
            grey = file.mode in ('L', '1', 'LA')
            pixels = np.asarray(file.convert('L' if grey else 'RGB'))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, RuntimeError):
        return None
    return pixels if grey else np.ascontiguousarray(pixels[..., ::-1])


def _decode_jpeg(data: bytes, jpeg: Jpeg) -> np.ndarray | None:
    """Return a JPEG's pixels; None if it cannot be decoded.

    A decoder invents pixels where data is missing. If that is possible, the image is decoded twice,
    once with noise appended: where data is missing, the two differ.

    Raises
    ------
    ImageError
        If data is missing.
    """
    body = data[: jpeg.end - len(END)] if jpeg.ended else data[: jpeg.end]
    pixels = _decode(body + END, 'JPEG')
    if pixels is None:
        return None
    invented = bool((pixels[-_BLOCK:, -_BLOCK:] == _GREY).all())
    if jpeg.ended and not jpeg.progressive and not invented:
        return pixels
    filled = _decode(body + _FILLER + END, 'JPEG')
    if filled is None or not jpeg.has_all_scans or not np.array_equal(pixels, filled):
        raise _damaged(data, 'it is truncated')
    return pixels


def _damaged(data: bytes, why: str) -> ImageError:
    return ImageError(f'the compressed image of {len(data)} bytes is damaged: {why}')
