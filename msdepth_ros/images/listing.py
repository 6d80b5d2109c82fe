# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The image files in a folder, in order."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

IMAGE_SUFFIXES = (
    '.apng', '.avif', '.bmp', '.exr', '.gif', '.hdr', '.heic', '.heif', '.jfif', '.jp2', '.jpe',
    '.jpeg', '.jpg', '.jxl', '.mpo', '.pbm', '.pgm', '.png', '.pnm', '.ppm', '.tga', '.tif',
    '.tiff', '.webp',
)  # fmt: skip
# Folders that file managers, archives and network storage create.
_SYSTEM_FOLDERS = ('__macosx', '@eadir', '$recycle.bin', 'system volume information')


def list_images(folder: Path, without: Path | None = None) -> list[Path]:
    """Return the image files in a folder and its subfolders, in natural order.

    A folder's own images come before those of its subfolders. Hidden files and folders are
    skipped, also those of macOS and Windows.

    Parameters
    ----------
    folder : to search.
    without : a folder of results, which is skipped.
    """
    return list(_images(folder, without and without.resolve()))


def is_hidden(path: Path) -> bool:
    """Return whether a file or folder was made by the system, not by its user."""
    return path.name.startswith('.') or path.name.lower() in _SYSTEM_FOLDERS


def natural_key(name: str) -> tuple[list[str | int], str]:
    """Return the key for natural order: frame2 before frame10, a before B."""
    parts = re.split(r'([0-9]+)', name)
    return [int(part) if i % 2 else part.casefold() for i, part in enumerate(parts)], name


def _images(folder: Path, without: Path | None) -> Iterator[Path]:
    folders = []
    for entry in sorted(folder.iterdir(), key=lambda entry: natural_key(entry.name)):
        if is_hidden(entry):
            continue
        if entry.is_dir():
            # A symbolic link may point to a parent folder.
            if not entry.is_symlink() and entry.resolve() != without:
                folders.append(entry)
        elif entry.suffix.lower() in IMAGE_SUFFIXES:
            yield entry
    for inner in folders:
        if os.access(inner, os.R_OK | os.X_OK):
            yield from _images(inner, without)
