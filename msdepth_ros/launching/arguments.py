# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Values of launch arguments (`ros2 launch ... name:=value`), checked and converted.

The arguments themselves are declared in launch/depth.launch.py and beside it.
"""

import math
from pathlib import Path
from typing import Any

import yaml

from msdepth_ros.errors import MsdepthError


def flag(name: str, text: str) -> bool:
    """Return the value of an argument that is 'true' or 'false'.

    Raises
    ------
    MsdepthError
        If it is something else.
    """
    if text.lower() not in ('true', 'false'):
        raise MsdepthError(f"{name} must be 'true' or 'false', not '{text}'")
    return text.lower() == 'true'


def positive(name: str, text: str, unit: str) -> float:
    """Return the value of an argument that is a positive finite number of `unit`.

    Raises
    ------
    MsdepthError
        If it is something else.
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise MsdepthError(f"{name} must be a positive number of {unit}, not '{text}'")
    return number


def existing(name: str, text: str) -> Path:
    """Return the absolute path of an existing file or folder.

    Raises
    ------
    MsdepthError
        If it does not exist.
    """
    path = Path(text).expanduser().absolute()
    if not path.exists():
        raise MsdepthError(f'{name}: there is no file or folder {path}; correct the path')
    return path


def file_url(name: str, text: str) -> str:
    """Return a URL unchanged, and the path of an existing file as a file:// URL.

    Raises
    ------
    MsdepthError
        If there is no such file.
    """
    if '://' in text or '${' in text:
        return text
    path = Path(text.rpartition('#')[0] or text).expanduser()
    if path.exists() and not Path(text).expanduser().exists():  # FILE#CAMERA
        return f'{path.absolute()}#{text.rpartition("#")[2]}'
    return existing(name, text).as_uri()


def mapping(name: str, text: str) -> dict[str, Any]:
    """Return the value of an argument that is a YAML mapping; '' is an empty one.

    Raises
    ------
    MsdepthError
        If it is something else.
    """
    try:
        value = yaml.safe_load(text) if text else {}
    except yaml.YAMLError:
        value = None
    if not isinstance(value, dict):
        raise MsdepthError(
            f"{name} must be a mapping such as '{{depth: {{max: 5.0}}}}', not '{text}'"
        )
    return value
