# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads the calibration files of many tools as a Camera."""

import gzip
import io
import logging
import re
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from msdepth_ros.calibration import documents
from msdepth_ros.calibration.fields import camera_of, cameras_in
from msdepth_ros.calibration.location import locate
from msdepth_ros.calibration.refused import name_bytes, name_text
from msdepth_ros.errors import CalibrationError, quoted
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.geometry.plausibility import doubts

MAX_BYTES = 1 << 20  # of a file; a calibration has a few thousand
_REMEDY = 'give a file as camera_calibration, OpenCV or Kalibr write it'
_STRUCT = re.compile(r'struct *\(|struct with|with properties:|CameraInfo\(')
_logger = logging.getLogger(__name__)


def camera_from_url(url: str, name: str = '') -> Camera:
    """Read a calibration from a URL or a path, see `location.locate`.

    In a file with several cameras (Kalibr's camchain) the first one is used, or the one named
    after a #, as in camchain.yaml#cam1.

    Parameters
    ----------
    url : file:// or package:// URL, or a path.
    name : of the camera, for ${NAME}.

    Raises
    ------
    CalibrationError
        If the URL is of another kind, or the file cannot be read as a calibration.
    """
    path = locate(url, name)
    base, mark, which = url.rpartition('#')
    if mark and not path.exists() and (other := locate(base, name)).exists():
        return read_camera(other, which)
    return read_camera(path)


def read_camera(path: str | Path, which: str = '') -> Camera:
    """Read a calibration file, and log what is implausible in it.

    Formats: camera_calibration's YAML and ost.txt; OpenCV's FileStorage as YAML, XML and JSON;
    Kalibr's camchain; a CameraInfo as `ros2 topic echo` or `rostopic echo` prints it; MATLAB's
    structs as text; and other YAML, JSON, INI or assignments with the same kinds of keys.

    Parameters
    ----------
    path : of the file.
    which : the name of the camera in a file with several; '' = the first.

    Returns
    -------
    A camera that `Camera.check` accepts. If the file has no image size, it is 0x0.

    Raises
    ------
    CalibrationError
        If the file cannot be read as a calibration; the message names its format and says what to
        do.
    """
    text = _text(Path(path))
    kind, document = _document(text, path)
    cameras = cameras_in(document)
    if not cameras:
        what, remedy = name_text(text) or (_described(kind, document), _REMEDY)
        raise CalibrationError(f'cannot read {path}: it is {what}: {remedy}')
    chosen = which or next(iter(cameras))
    if chosen not in cameras:
        raise CalibrationError(f'{path} has no camera {quoted(chosen)}, it has {_few(cameras)}')
    if len(cameras) > 1 and not which:
        _logger.warning(
            '%s has several cameras, %s: %s is used; name another one after a #, as %s#%s',
            path, _few(cameras), chosen, Path(path).name, list(cameras)[-1],
        )  # fmt: skip
    try:
        camera = camera_of(cameras[chosen])
    except CalibrationError as error:
        raise CalibrationError(f'{path}: {error}') from error
    except (ValueError, OverflowError) as error:
        raise CalibrationError(f'{path}: correct a number in it: {error}') from error
    log_doubts(camera, str(path))
    return camera


def _few(names: Iterable[str]) -> str:
    names = list(names)
    return ', '.join(map(quoted, names[:5])) + (f' and {len(names) - 5} more' * (len(names) > 5))


def log_doubts(camera: Camera, where: str) -> None:
    """Log what is implausible in a calibration, if it can be used; `where` names it."""
    try:
        camera.check()
    except CalibrationError:  # reported where it is used
        return
    if doubt := doubts(camera):
        _logger.warning('%s: %s', where, doubt)


def read_document(path: str | Path) -> dict[str, Any]:
    """Return the keys and values of a calibration file; values may be strings.

    Raises
    ------
    CalibrationError
        If the file cannot be read, or its format has no keys.
    """
    _, document = _document(_text(Path(path)), path)
    return document if isinstance(document, dict) else {}


def _text(path: Path) -> str:
    """Return a file as text."""
    try:
        with path.open('rb') as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or str(error)
        raise CalibrationError(f'cannot read the camera calibration {path}: {reason}') from error
    if data[:2] == b'\x1f\x8b':  # OpenCV writes camera.yml.gz if asked to
        data = _unzipped(data)
    seen = name_bytes(data)
    if seen is None and len(data) > MAX_BYTES:
        seen = f'a file of more than {MAX_BYTES} bytes', 'a calibration is smaller'
    if seen is None and not data.strip():
        seen = 'an empty file', 'calibrate the camera'
    if seen is None:
        for encoding in ('utf-16',) if data[:2] in (b'\xff\xfe', b'\xfe\xff') else ('utf-8-sig',):
            try:
                text = data.decode(encoding).replace('\r\n', '\n')
            except UnicodeDecodeError:
                text = data.decode('latin-1')
            if '\0' not in text:
                return text
        seen = 'a binary file', 'give a text file as camera_calibration writes it'
    raise CalibrationError(f'cannot read {path}: it is {seen[0]}: {seen[1]}')


def _unzipped(data: bytes) -> bytes:
    try:
        with gzip.open(io.BytesIO(data)) as file:
            text = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error):
        return data
    return data if b'ustar' in text[257:263] else text


def _document(text: str, path: str | Path) -> tuple[str, Any]:
    """Return the format that a file's text looks like, and its keys and values."""
    kind, parse = _format(text)
    try:
        return kind, parse(text)
    except CalibrationError as error:
        what, remedy = name_text(text) or (kind, _REMEDY)
        raise CalibrationError(f'cannot read {path}: it is {what} ({error}): {remedy}') from error


def _format(text: str) -> tuple[str, Callable[[str], Any]]:
    start = text.lstrip()
    if start.startswith('<'):
        return 'XML', documents.from_xml
    if start.startswith(('{', '[')) and (document := documents.from_json(text)) is not None:
        return 'JSON', lambda _: document
    if re.search(r'(?m)^camera matrix[ \t]*$', text):
        return "camera_calibration's INI", documents.from_ost
    if re.search(r'(?m)^[ \t]*\[[^\]\n]+\][ \t]*$', text) and re.search(
        r'(?m)^[ \t]*\w+[ \t]*=', text
    ):
        return 'an INI', documents.from_ini
    if re.search(r'(?m)^[ \t]*[A-Za-z_][\w.]{0,99} *=(?!=)', text) or _STRUCT.search(text):
        return 'a text of assignments', documents.from_assignments
    return 'YAML', documents.from_yaml


def _described(kind: str, document: Any) -> str:
    """Return what a document without a camera is."""
    if not isinstance(document, dict):
        return 'a text' if kind == 'YAML' else kind
    keys = ', '.join(quoted(str(key)) for key in list(document)[:5])
    return f'{kind} with {keys or "nothing in it"}, but no camera matrix and no fx, fy, cx, cy'
