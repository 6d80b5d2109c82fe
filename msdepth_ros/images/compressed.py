# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compressed images: JPEG, PNG, WebP, TIFF, AVIF and JPEG XL, within the limits of a camera's."""

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

_MAX_BYTES_PER_PIXEL = 8  # of a compressed image: 16-bit RGBA that did not get smaller
_MAX_METADATA = 1 << 20  # bytes on top of that
_MAX_SCANS = 32  # of a JPEG: each is a pass over the whole picture, and takes a few bytes
_FLAGS = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
_CONTAINERS = {
    'PNG': png_extent, 'WEBP': webp_extent, 'TIFF': tiff_extent, 'AVIF': avif_extent,
    'JXL': jxl_extent,
}  # fmt: skip
_VIDEO_STARTS = (b'\0\0\0\1', b'\0\0\1', b'OggS', b'\x28\xb5\x2f\xfd')
_FORMAT = re.compile(r'\s*([^;]*?)\s*;\s*(\w+)\s+compressed\s*(\w*)')
_GREY = 128  # what libjpeg makes up for the rest of a picture that is cut off
_BLOCK = 8  # pixels a side of the smallest part of a JPEG
_PNG_END = b'\0\0\0\0IEND\xaeB`\x82'
_FILLER = np.random.default_rng(0).integers(0, 255, 2048, np.uint8).tobytes()  # no byte is 0xFF


def decode_compressed(
    data: Any, format: str = '', stretch: Stretch | None = None
) -> tuple[np.ndarray, str]:
    """Decode the data of a sensor_msgs/CompressedImage.

    What it would take to decode is known from its header before it is begun: an image of
    limits.MAX_PIXELS at most, in a JPEG of _MAX_SCANS scans at most.

    Parameters
    ----------
    data : bytes of a JPEG, PNG, WebP, TIFF, AVIF or JPEG XL, whatever `format` says; what follows
        its own end is not looked at.
    format : as compressed_image_transport writes it, `ORIGINAL; CODEC compressed STORED`: a Bayer
        ORIGINAL is demosaiced; `rgb8` for STORED means that red and blue are stored in each
        other's place.
    stretch : of the stream that the image belongs to, for 16-bit pictures; None: the image alone
        counts.

    Returns
    -------
    (uint8 [height, width, 3], 'bgr8' or 'rgb8') or (uint8 [height, width], 'mono8').

    Raises
    ------
    ImageError
        If it is no such file, damaged, cut off, too large, a depth image or a video.
    """
    original, stored = _check_format(format)
    whole = bytes(data)
    jpeg = read_jpeg(whole)
    kind, extent = _jpeg_extent(jpeg) if jpeg else _extent(whole, format)
    check_size(extent.width, extent.height)
    if not extent.end:
        raise _damaged(whole, 'it is cut off')
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
        raise ImageError(f'a {kind} of {pixels.dtype} is not the picture of a camera')
    encoding = KNOWN.get(original)
    if pixels.ndim == 2 and encoding is not None and encoding.kind is Kind.BAYER:
        return demosaiced(pixels, encoding.name), 'bgr8'
    if pixels.ndim == 2:
        return pixels, 'mono8'
    return np.ascontiguousarray(pixels[..., :3]), 'rgb8' if stored.startswith('rgb') else 'bgr8'


def _check_format(format: str) -> tuple[str, str]:
    """Return the original and the stored encoding that a format names, '' where it does not."""
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
        raise ImageError(f'a JPEG of {jpeg.scans} scans: at most {_MAX_SCANS} are taken')
    return 'JPEG', Extent(jpeg.width, jpeg.height, jpeg.end)


def _extent(data: bytes, format: str) -> tuple[str, Extent]:
    """Return what kind of file it is, if no JPEG, and its size and end."""
    for kind, measure in _CONTAINERS.items():
        extent = measure(data)
        if extent is not None:
            return kind, extent
    video = video_in(format) or ('video' if data.startswith(_VIDEO_STARTS) else '')
    if video:
        raise ImageError(republish_advice(video))
    named = f', and of format {quoted(format)}' if format else ''
    raise ImageError(
        f'{len(data)} bytes that are neither JPEG nor PNG, WebP, TIFF, AVIF or JPEG XL{named}'
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
                'JPEG XL needs a package: `pip install pillow-jxl-plugin`, or have the camera send '
                'jpeg'
            ) from error
    elif not features.check('avif'):
        raise ImageError(
            'neither OpenCV nor Pillow reads AVIF here: update one of them, or have the camera '
            'send jpeg'
        )
    try:
        with Image.open(io.BytesIO(data), formats=[kind]) as file:
            grey = file.mode in ('L', '1', 'LA')
            pixels = np.asarray(file.convert('L' if grey else 'RGB'))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, RuntimeError):
        return None
    return pixels if grey else np.ascontiguousarray(pixels[..., ::-1])


def _decode_jpeg(data: bytes, jpeg: Jpeg) -> np.ndarray | None:
    """Return a JPEG's pixels, None if it is damaged or a part of it is missing.

    A decoder makes up what is missing. So where that may be so, the picture is decoded twice, with
    nothing and with noise for what would come next: they differ where something is missing.
    """
    body = data[: jpeg.end - len(END)] if jpeg.ended else data[: jpeg.end]
    pixels = _decode(body + END, 'JPEG')
    if pixels is None:
        return None
    made_up = bool((pixels[-_BLOCK:, -_BLOCK:] == _GREY).all())
    if jpeg.ended and not jpeg.progressive and not made_up:
        return pixels
    filled = _decode(body + _FILLER + END, 'JPEG')
    if filled is None or not jpeg.has_all_scans or not np.array_equal(pixels, filled):
        raise _damaged(data, 'it is cut off')
    return pixels


def _damaged(data: bytes, why: str) -> ImageError:
    return ImageError(f'the compressed image of {len(data)} bytes is damaged: {why}')
