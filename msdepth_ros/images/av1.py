# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The size of the images in an AVIF file, from its boxes and from its AV1 streams.

A decoder allocates memory by the size in the stream, which may differ from that in the boxes.
"""

import struct
from collections.abc import Iterator

from msdepth_ros.errors import ImageError

_MAX_ITEMS = 200
_SEQUENCE_HEADER = 1
Size = tuple[int, int]


def av1_size(data: bytes, start: int, stop: int) -> list[Size]:
    """Return the (width, height) of all images of an AVIF.

    Parameters
    ----------
    data : the file.
    start, stop : where the content of its `meta` box lies.

    Raises
    ------
    ImageError
        If its boxes or streams are not of the form that cameras and encoders write.
    """
    meta = data[start:stop]
    sizes: list[Size] = []
    place = meta.find(b'ispe')
    while place >= 0 and len(sizes) <= _MAX_ITEMS:
        if place + 16 <= len(meta):
            sizes.append(struct.unpack('>II', meta[place + 8 : place + 16]))
        place = meta.find(b'ispe', place + 4)
    if len(sizes) > _MAX_ITEMS:
        raise _unusual('too many pictures')
    for stream in _items(data, meta, start):
        sizes += _stream_sizes(stream)
    return sizes


def _items(data: bytes, meta: bytes, start: int) -> Iterator[bytes]:
    """Yield the data of each item that the `iloc` box lists (ISO/IEC 14496-12, 8.11.3)."""
    place = meta.find(b'iloc') + 4
    if place < 4 or place + 8 > len(meta):
        raise _unusual('no list of items')
    version, sizes = meta[place], int.from_bytes(meta[place + 4 : place + 6], 'big')
    offset_size, length_size = sizes >> 12, sizes >> 8 & 15
    base_size, index_size = sizes >> 4 & 15, sizes & 15 if version else 0
    read = _Reader(meta, place + 6)
    idat = meta.find(b'idat') + 4
    for _ in range(_at_most(read.take(2 if version < 2 else 4))):
        read.take(2 if version < 2 else 4)
        method = read.take(2) & 15 if version else 0
        read.take(2)
        base = read.take(base_size)
        stream = b''
        for _ in range(_at_most(read.take(2))):
            read.take(index_size)
            offset, length = base + read.take(offset_size), read.take(length_size)
            source = data if method == 0 else meta[idat:]
            stream += source[offset : offset + length] if length else source[offset:]
        if method > 1:
            raise _unusual('items made of items')
        yield stream


def _at_most(count: int) -> int:
    if count > _MAX_ITEMS:
        raise _unusual('too many items')
    return count


class _Reader:
    """Reads big-endian numbers from a box, one after the other."""

    def __init__(self, data: bytes, place: int) -> None:
        self._data, self._place = data, place

    def take(self, count: int) -> int:
        taken = self._data[self._place : self._place + count]
        if len(taken) < count:
            raise _unusual('a box is cut off')
        self._place += count
        return int.from_bytes(taken, 'big')


def _stream_sizes(stream: bytes) -> Iterator[Size]:
    """Yield the size in each sequence header of an AV1 stream (AV1 specification, 5.3)."""
    place = 0
    for _ in range(_MAX_ITEMS):
        if place >= len(stream) or stream[place] & 0x81:
            return  # not AV1: EXIF data, or the description of a grid
        kind, extension, sized = stream[place] >> 3 & 15, stream[place] >> 2 & 1, stream[place] & 2
        place += 1 + extension
        length = len(stream) - place
        if sized:
            length = shift = 0
            for _ in range(8):
                if place >= len(stream):
                    return
                byte = stream[place]
                place += 1
                length |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    break
        if kind == _SEQUENCE_HEADER:
            yield _sequence_size(stream[place : place + min(length, 64)])
        place += length


def _sequence_size(header: bytes) -> Size:
    """Return the size of the largest frame by a sequence header (AV1 specification, 5.5)."""
    bits = int.from_bytes(header.ljust(64, b'\0'), 'big')
    left = 512

    def take(count: int) -> int:
        nonlocal left
        left -= count
        if left < 0:
            raise _unusual('an endless header')
        return bits >> left & (1 << count) - 1

    take(4)  # profile, still picture
    if take(1):  # reduced header of a still picture
        take(5)
    else:
        if take(1):
            raise _unusual('timing information')
        delays = take(1)
        for _ in range(take(5) + 1):
            take(12)
            if take(5) > 7:
                take(1)
            if delays and take(1):
                take(4)
    across, down = take(4) + 1, take(4) + 1
    return take(across) + 1, take(down) + 1


def _unusual(what: str) -> ImageError:
    return ImageError(
        f'an AVIF with {what}, which is not supported: configure the camera to send jpeg'
    )
