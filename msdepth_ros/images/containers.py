# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The headers of PNG, WebP, TIFF, AVIF and JPEG XL files: their size, and where they end."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from msdepth_ros.errors import ImageError
from msdepth_ros.images.av1 import av1_size
from msdepth_ros.images.limits import MAX_SIDE

_MAX_BOXES = 1000
_MAX_TAGS = 500
_JXL_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_JXL_BOX = b'\0\0\0\x0cJXL \r\n\x87\n'


@dataclass(frozen=True)
class Extent:
    """Width and height in pixels, and the length of the file in bytes; 0 if it is truncated."""

    width: int
    height: int
    end: int


def png_extent(data: bytes) -> Extent | None:
    """Return a PNG's extent, None if it has no header."""
    if data[:8] != b'\x89PNG\r\n\x1a\n' or data[12:16] != b'IHDR' or len(data) < 33:
        return None
    width, height = struct.unpack('>II', data[16:24])
    place, packed = 8, []
    while place + 12 <= len(data):
        length, name = struct.unpack('>I4s', data[place : place + 8])
        place += 12 + length
        if place > len(data):
            return Extent(width, height, 0)
        if name == b'IEND':
            return Extent(width, height, place)
        if name == b'IDAT':
            packed.append((place - 4 - length, place - 4))
    whole = place == len(data) and _inflates(data, packed, 8 * width * height + 8 * height + 64)
    return Extent(width, height, len(data) if whole else 0)


def _inflates(data: bytes, pieces: list[tuple[int, int]], limit: int) -> bool:
    """Return whether a compressed stream is complete; at most `limit` bytes are decompressed."""
    inflater = zlib.decompressobj()
    seen = 0
    try:
        for start, stop in pieces:
            rest = data[start:stop]
            while rest and not inflater.eof and seen < limit:
                seen += len(inflater.decompress(rest, 1 << 20))
                rest = inflater.unconsumed_tail
    except zlib.error:
        return False
    return inflater.eof


def webp_extent(data: bytes) -> Extent | None:
    """Return a WebP's extent, None if it has no header."""
    if data[:4] != b'RIFF' or data[8:12] != b'WEBP' or len(data) < 30:
        return None
    end = 8 + int.from_bytes(data[4:8], 'little')
    end = 0 if end > len(data) else end
    kind = data[12:16]
    if kind == b'VP8X':
        width = 1 + int.from_bytes(data[24:27], 'little')
        return Extent(width, 1 + int.from_bytes(data[27:30], 'little'), end)
    if kind == b'VP8L' and data[20] == 0x2F:
        bits = int.from_bytes(data[21:25], 'little')
        return Extent(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF), end)
    if kind == b'VP8 ' and data[23:26] == b'\x9d\x01\x2a':
        width, height = struct.unpack('<HH', data[26:30])
        return Extent(width & 0x3FFF, height & 0x3FFF, end)
    return None


def tiff_extent(data: bytes) -> Extent | None:
    """Return the extent of a TIFF's first image, None if it has no header.

    Raises
    ------
    ImageError
        If it has more or larger samples, or larger tiles, than camera images have.
    """
    order = {b'II*\0': '<', b'MM\0*': '>'}.get(data[:4])
    if order is None or len(data) < 8:
        return None
    (place,) = struct.unpack(f'{order}I', data[4:8])
    if place + 2 > len(data):
        return Extent(1, 1, 0)  # its directory, at the end of the file, is missing
    (count,) = struct.unpack(f'{order}H', data[place : place + 2])
    if count > _MAX_TAGS or place + 2 + 12 * count > len(data):
        return Extent(1, 1, 0)
    tags = {}
    for i in range(count):
        entry = data[place + 2 + 12 * i : place + 14 + 12 * i]
        tag, kind, number = struct.unpack(f'{order}HHI', entry[:8])
        tags[tag] = _tiff_values(data, order, kind, number, entry[8:])
    width, height = ((tags.get(tag) or (0,))[0] for tag in (256, 257))
    bits, samples = tags.get(258, (1,)), tags.get(277, (1,))
    if max(bits, default=1) > 16 or max(samples, default=1) > 4:
        raise ImageError(
            'a TIFF of 32-bit samples, or of more than 4 per pixel, is not a camera image: send '
            'it with 8 or 16 bits'
        )
    if max((*tags.get(322, ()), *tags.get(323, ())), default=0) > MAX_SIDE:
        raise ImageError(
            f'a TIFF with tiles of more than {MAX_SIDE} pixels a side: send it with smaller tiles'
        )
    offsets, sizes = tags.get(273) or tags.get(324) or (), tags.get(279) or tags.get(325) or ()
    cut = any(offset + size > len(data) for offset, size in zip(offsets, sizes))
    return Extent(width, height, 0 if cut or not offsets else len(data))


def _tiff_values(data: bytes, order: str, kind: int, count: int, inline: bytes) -> tuple[int, ...]:
    """Return a tag's integers, () if they have another type or lie outside the file."""
    letter, size = {3: ('H', 2), 4: ('I', 4)}.get(kind, ('', 0))
    if not size or not 0 < count <= len(data):
        return ()
    if count * size > 4:
        (place,) = struct.unpack(f'{order}I', inline)
        inline = data[place : place + count * size]
    if len(inline) < count * size:
        return ()
    return struct.unpack(f'{order}{count}{letter}', inline[: count * size])


def avif_extent(data: bytes) -> Extent | None:
    """Return the extent of the largest image in an AVIF; None if it is not an AVIF.

    Raises
    ------
    ImageError
        See `av1_size`.
    """
    boxes = list(_boxes(data, 0, len(data)))
    if not boxes or boxes[0][0] != b'ftyp' or not _names_avif(data[8 : boxes[0][2]]):
        return None
    sizes, end = [], 0
    for name, start, stop in boxes:
        if stop > len(data):
            end = 0
            break
        end = stop
        if name == b'meta':
            sizes += av1_size(data, start, stop)
        if name not in (b'ftyp', b'meta', b'mdat', b'free', b'skip', b'moov', b'moof', b'pdin'):
            return None
    width, height = (max((size[axis] for size in sizes), default=0) for axis in (0, 1))
    return Extent(width or 1, height or 1, end if sizes else 0)


def _names_avif(brands: bytes) -> bool:
    return b'avif' in (brands[i : i + 4] for i in range(0, min(len(brands), 400), 4))


def _boxes(data: bytes, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield (name, start of the content, end) of the boxes of an ISO base media file."""
    for _ in range(_MAX_BOXES):
        if start + 8 > stop:
            return
        size, name = struct.unpack('>I4s', data[start : start + 8])
        head = 8
        if size == 1 and start + 16 <= stop:
            (size,) = struct.unpack('>Q', data[start + 8 : start + 16])
            head = 16
        size = size or stop - start
        if size < head:
            return
        yield name, start + head, start + size
        start += size


def jxl_extent(data: bytes) -> Extent | None:
    """Return a JPEG XL's extent, None if it has no header (ISO/IEC 18181-1, SizeHeader)."""
    stream = b''
    if data[:2] == b'\xff\x0a':
        stream = data
    elif data[:12] == _JXL_BOX:
        for name, start, stop in _boxes(data, 0, len(data)):
            if name in (b'jxlc', b'jxlp'):
                stream = data[start + 4 * (name == b'jxlp') : stop]
                break
    if stream[:2] != b'\xff\x0a' or len(stream) < 12:
        return None
    bits = _Bits(int.from_bytes(stream[2:20], 'little'))
    small = bits.take(1)
    height = _jxl_side(bits, small)
    ratio = bits.take(3)
    if ratio:
        across, down = _JXL_RATIOS[ratio - 1]
        return Extent(height * across // down, height, len(data))
    return Extent(_jxl_side(bits, small), height, len(data))


class _Bits:
    """Reads bits from a number, the lowest first."""

    def __init__(self, value: int) -> None:
        self._value = value

    def take(self, count: int) -> int:
        taken = self._value & (1 << count) - 1
        self._value >>= count
        return taken


def _jxl_side(bits: _Bits, small: int) -> int:
    return 8 * (1 + bits.take(5)) if small else 1 + bits.take((9, 13, 18, 30)[bits.take(2)])
