# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads an mcap file whose recorder stopped before it closed the file: all complete records.

Format: https://mcap.dev/spec. After its magic bytes a file is a sequence of records: each has an
opcode (one byte), a length (eight bytes) and the content. The last record is the footer; after it
the magic bytes are repeated.
"""

import io
import os
from pathlib import Path
from typing import BinaryIO

_MAGIC = b'\x89MCAP0\r\n'
_FOOTER = b'\x02' + (20).to_bytes(8, 'little') + bytes(20)  # no summary: readers scan the file
_RECORD_HEADER = 9


def is_cut(path: Path) -> bool:
    """Return whether a file begins as an mcap file, but does not end as one."""
    with path.open('rb') as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            return False
        file.seek(-min(len(_MAGIC), file.seek(0, os.SEEK_END)), os.SEEK_END)
        return file.read() != _MAGIC


class CompletedPath:
    """The path of a truncated file; the opened file has its complete records and a valid end.

    It has the methods of a Path that rosbags uses.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.suffix = path.suffix

    def __str__(self) -> str:
        return str(self._path)

    def exists(self) -> bool:
        """Return whether the file exists."""
        return self._path.exists()

    def is_dir(self) -> bool:
        """Return False, as it is a file."""
        return False

    def open(self, _: str) -> BinaryIO:
        """Open the file for reading bytes."""
        return io.BufferedReader(_Completed(self._path))


class _Completed(io.RawIOBase):
    """The complete records of a file, followed by the end of an mcap file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open('rb')
        self._size = _end_of_records(self._file)
        self._tail = _FOOTER + _MAGIC
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = (0, self._place, self._size + len(self._tail))[whence]
        self._place = max(0, base + offset)
        return self._place

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def, override]
        view = memoryview(buffer).cast('B')
        if self._place < self._size:
            self._file.seek(self._place)
            data = self._file.read(min(len(view), self._size - self._place))
        else:
            start = self._place - self._size
            data = self._tail[start : start + len(view)]
        view[: len(data)] = data
        self._place += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def _end_of_records(file: BinaryIO) -> int:
    """Return where the last complete record ends."""
    size = file.seek(0, os.SEEK_END)
    place = file.seek(len(_MAGIC))
    while place + _RECORD_HEADER <= size:
        file.seek(place)
        header = file.read(_RECORD_HEADER)
        end = place + _RECORD_HEADER + int.from_bytes(header[1:], 'little')
        if end > size or header[0] in (0, 2):  # zeros from the file system, or the footer
            break
        place = end
    return place
