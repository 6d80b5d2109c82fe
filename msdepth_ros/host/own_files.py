# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Files that only this user can have written, and that are written atomically."""

import contextlib
import os
import stat
import tempfile
from pathlib import Path

OTHERS_CAN_WRITE = stat.S_IWGRP | stat.S_IWOTH


class RefusedError(Exception):
    """A file or its folder must not be used.

    Attributes
    ----------
    reason : why.
    remedy : what to do; '' = nothing.
    """

    def __init__(self, reason: str, remedy: str = '') -> None:
        super().__init__(f'{reason}: {remedy}' if remedy else reason)
        self.reason = reason
        self.remedy = remedy


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file atomically; only its owner can change it.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    handle, name = tempfile.mkstemp(prefix=f'.{path.name}.', dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, 'wb') as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def read_own(path: Path) -> bytes:
    """Return the bytes of a file that only this user or root can have written.

    Raises
    ------
    RefusedError
        If somebody else could have written it, or it is not a file.
    OSError
        If it cannot be read.
    """
    check_folder(path.parent)
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, 'rb') as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise RefusedError('it is not a file')
        if status.st_uid not in (os.geteuid(), 0):
            raise RefusedError(f'it belongs to user {status.st_uid}, who could run code here by it')
        if status.st_mode & OTHERS_CAN_WRITE:
            raise RefusedError('others can write it', f'run `chmod go-w {path}` if you trust it')
        return file.read()


def check_folder(folder: Path) -> None:
    """Check that only this user or root can put files into a folder.

    Raises
    ------
    RefusedError
        If somebody else can.
    """
    status = folder.stat()
    if status.st_uid not in (os.geteuid(), 0):
        raise RefusedError(f'the folder {folder} belongs to user {status.st_uid}')
    if status.st_mode & OTHERS_CAN_WRITE and not status.st_mode & stat.S_ISVTX:
        raise RefusedError(f'others can write to {folder}', f'run `chmod go-w {folder}`')
