# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Image files of any format as upright 8-bit colour, with what they say about their camera.

Pillow reads them, as it handles EXIF and reports damage; OpenCV reads what Pillow cannot (float and
16-bit colour). The format is found from the data, not from the file's name.
"""

import contextlib
import functools
import importlib.util
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

from msdepth_ros.errors import ImageError
from msdepth_ros.images.exif import EXIF_IFD, focal_length, quarter_turns
from msdepth_ros.images.jpeg import END, read_jpeg
from msdepth_ros.images.opencv_log import quiet_opencv
from msdepth_ros.images.stretch import Stretch

_ANIMATED = ('AVIF', 'GIF', 'PNG', 'TIFF', 'WEBP')  # in other formats, only the first image counts
_NUMERIC = ('I', 'F')  # first letter of Pillow's modes of more than 8 bits
_SIXTEEN_BIT_COLOR = ';16'  # part of the name of Pillow's raw mode
_FILLER = bytes(range(1, 251)) * 8  # noise in place of entropy-coded data
_HEIC = (b'heic', b'heix', b'heim', b'heis', b'hevc', b'hevx', b'mif1', b'msf1')


@dataclass(frozen=True)
class Photo:
    """An image from a file.

    Attributes
    ----------
    image : uint8 [height, width, 3] BGR, upright by EXIF.
    turns : quarter turns clockwise from the stored image to `image`.
    focal : focal length in pixels by EXIF; None: not given.
    note : what a user should know about how it was read; '' = nothing.
    """

    image: np.ndarray
    turns: int = 0
    focal: float | None = None
    note: str = ''


def read_photo(path: Path, stretch: Stretch | None = None) -> Photo:
    """Read the first image of a file.

    Raises
    ------
    ImageError
        If the file is not an image, is damaged, or its format cannot be read here.
    """
    return next(read_photos(path, stretch))


def read_photos(path: Path, stretch: Stretch | None = None) -> Iterator[Photo]:
    """Read the images of a file: one, or those of an animation in order.

    Parameters
    ----------
    stretch : shared by the files that belong together; None: a new one for this file.

    Raises
    ------
    ImageError
        See `read_photo`.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f'cannot read {path}: {error.strerror}') from error
    stretch = stretch or Stretch()
    _register_heic()
    try:
        with _quiet_pillow():
            file = Image.open(BytesIO(data))
    except UnidentifiedImageError:
        yield _without_pillow(path, data, stretch)
        return
    except Image.DecompressionBombError as error:
        raise ImageError(f'{path} is too large: make it smaller first ({error})') from error
    except Exception as error:  # on a damaged header Pillow raises exceptions of any type
        raise ImageError(f'{path} is not an image, or it is damaged ({error})') from error
    with file:
        try:
            if _is_sixteen_bit_color(file):
                yield _without_pillow(path, data, stretch)
            elif file.format in _ANIMATED and getattr(file, 'n_frames', 1) > 1:
                for frame in ImageSequence.Iterator(file):
                    yield _photo(frame, stretch)
            else:
                yield _photo_or_jpeg(file, data, stretch)
        except ImageError:
            raise
        except Exception as error:  # as above
            raise ImageError(f'{path} is not an image, or it is damaged ({error})') from error


def eight_bit(values: np.ndarray, stretch: Stretch) -> tuple[np.ndarray, str]:
    """Convert values of any type and range to 8 bits.

    Floats from 0 to 1 are multiplied by 255, floats from 0 to 255 are rounded, 16-bit values are
    converted by `stretch`, and others are scaled from their 1st to their 99th percentile.

    Returns
    -------
    uint8 of the same shape; a note for the user on what was done, '' = nothing special.
    """
    if values.dtype == np.uint8:
        return values, ''
    finite = np.isfinite(values)
    values = np.where(finite, values, 0)
    low, high = float(values.min()), float(values.max())
    if values.dtype.kind in 'iu' and low >= 0 and high < 1 << 16:
        return stretch.eight_bit(values.astype(np.uint16)), stretch.take_note()
    if values.dtype.kind == 'f' and low >= 0 and high <= 255:
        return (values * (255 if high <= 1 else 1)).round().astype(np.uint8), ''
    low, high = np.percentile(values[finite], (1, 99)) if finite.any() else (0.0, 1.0)
    stretched = (values - low) * (255 / max(high - low, 1e-12))
    note = f'values from {low:.4g} to {high:.4g} are shown as black to white'
    return stretched.clip(0, 255).round().astype(np.uint8), note


def _photo_or_jpeg(file: Image.Image, data: bytes, stretch: Stretch) -> Photo:
    """Return an image, also from a JPEG of which only the end marker is missing."""
    try:
        return _photo(file, stretch)
    except OSError:
        jpeg = read_jpeg(data)
        if file.format != 'JPEG' or jpeg is None or jpeg.ended or not jpeg.has_all_scans:
            raise
        # A decoder invents missing pixels from the bytes that follow: the results would differ.
        whole, other = (
            _photo(Image.open(BytesIO(data[: jpeg.end] + more + END)), stretch)
            for more in (b'', _FILLER)
        )
        if not np.array_equal(whole.image, other.image):
            raise
        return whole


@contextlib.contextmanager
def _quiet_pillow() -> Iterator[None]:
    """Silence Pillow's warnings of large photos and unusual tags; errors are raised as before."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        yield


@_quiet_pillow()
def _photo(file: Image.Image, stretch: Stretch) -> Photo:
    """Return an image that Pillow has opened; exceptions of its decoder are passed on."""
    exif = file.getexif()
    turns = quarter_turns(exif)
    focal = focal_length(exif.get_ifd(EXIF_IFD), *file.size)
    upright = ImageOps.exif_transpose(file) or file
    if upright.mode.startswith(_NUMERIC):
        grey, note = eight_bit(np.asarray(upright), stretch)
        return Photo(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), turns, focal, note)
    rgb = np.asarray(upright.convert('RGB'))
    return Photo(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), turns, focal)


def _is_sixteen_bit_color(file: Image.Image) -> bool:
    """Return whether Pillow would drop the lower byte of each value."""
    layouts = [str(tile[3]) for tile in getattr(file, 'tile', [])]
    return file.mode in ('RGB', 'RGBA') and any(_SIXTEEN_BIT_COLOR in name for name in layouts)


def _without_pillow(path: Path, data: bytes, stretch: Stretch) -> Photo:
    """Read a file that Pillow cannot with OpenCV, or raise an ImageError that says what it is."""
    flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        with quiet_opencv():
            values = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    except cv2.error:
        values = None
    if values is None:
        if data[4:8] == b'ftyp' and data[8:12] in _HEIC:
            raise ImageError(
                f'{path} is HEIC, which needs a package: `pip install pi-heif`, or convert it '
                'with `heif-convert`'
            )
        raise ImageError(f'{path} is not an image, or it is damaged')
    image, note = eight_bit(values, stretch)
    return Photo(image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), note=note)


@functools.cache
def _register_heic() -> None:
    """Let Pillow read HEIC if a package for it is installed."""
    for name in ('pi_heif', 'pillow_heif'):
        if importlib.util.find_spec(name) is not None:
            importlib.import_module(name).register_heif_opener()
            return
