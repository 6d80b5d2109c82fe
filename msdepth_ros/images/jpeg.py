# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The markers of a JPEG (ITU-T T.81): its size, where it ends, and whether scans are missing."""

import re
from dataclasses import dataclass, field

_SOF = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
_SEGMENTS = (0xC4, 0xCC, 0xDB, 0xDD, *range(0xE0, 0xF0), 0xFE)  # tables, APPn, comment
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_MARKER = re.compile(rb'\xff([\x01-\xcf\xd8-\xfe])')  # not stuffing, restart markers or padding
START = b'\xff\xd8'
END = b'\xff\xd9'


@dataclass
class Jpeg:
    """What the markers of a JPEG say.

    Attributes
    ----------
    width, height : pixels.
    end : length in bytes: up to the end marker with it, or to where the data stops.
    ended : whether there is an end marker.
    progressive : whether each scan refines the whole image.
    scans : number of scans.
    """

    width: int = 0
    height: int = 0
    end: int = 0
    ended: bool = False
    progressive: bool = False
    scans: int = 0
    _bits_left: dict[int, list[int]] = field(default_factory=dict)

    @property
    def has_all_scans(self) -> bool:
        """Whether every bit of every coefficient of every component was in a scan."""
        return all(left == 0 for component in self._bits_left.values() for left in component)

    def _frame(self, body: bytes) -> bool:
        if self._bits_left or len(body) < 6 or len(body) < 6 + 3 * body[5]:
            return False
        self.height, self.width = int.from_bytes(body[1:3], 'big'), int.from_bytes(body[3:5], 'big')
        self._bits_left = {body[6 + 3 * i]: [99] * 64 for i in range(body[5])}
        return bool(self._bits_left)

    def _scan(self, body: bytes) -> bool:
        self.scans += 1
        count = body[0] if body else 0
        if len(body) < 4 + 2 * count or not self._bits_left:
            return False
        first, last, bits = body[1 + 2 * count : 4 + 2 * count]
        for component in body[1 : 1 + 2 * count : 2]:
            if component in self._bits_left and first <= last < 64:
                self._bits_left[component][first : last + 1] = [bits & 15] * (last + 1 - first)
        return True


def read_jpeg(data: bytes) -> Jpeg | None:
    """Read a JPEG's markers; None if it has no header that a decoder would accept.

    Bytes after the end marker, as those of an older image in the same buffer, are ignored. If there
    is no end marker, the JPEG ends where the next one starts.
    """
    if data[:2] != START:
        return None
    jpeg = Jpeg()
    place = 2
    while True:
        if jpeg.scans:
            found = _MARKER.search(data, place)
            if found is None:
                jpeg.end = len(data)
                return jpeg
            place = found.start()
        while data[place : place + 2] == b'\xff\xff':  # padding
            place += 1
        if len(data) < place + 4 and data[place : place + 2] != END:
            jpeg.end = len(data)
            return jpeg if jpeg.scans else None
        marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], 'big')
        if jpeg.scans and marker in (_EOI, _SOI):
            jpeg.ended = marker == _EOI
            jpeg.end = place + 2 * jpeg.ended
            return jpeg
        body = data[place + 4 : place + 2 + length]
        if marker in _SOF:
            understood = jpeg._frame(body)
            jpeg.progressive = marker in _PROGRESSIVE
        elif marker == _SOS:
            understood = jpeg._scan(body)
        else:  # a marker without a length: a decoder would find the header at another place
            understood = marker in _SEGMENTS
        if data[place] != 0xFF or length < 2 or not understood:
            if not jpeg.scans or marker == _SOS:
                return None
            jpeg.end = place
            return jpeg
        place += 2 + length
