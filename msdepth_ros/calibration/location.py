# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The path of a calibration: URLs and substitutions as camera_info_manager resolves them."""

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlparse

from msdepth_ros.errors import CalibrationError, quoted
from msdepth_ros.resources import share_directory, user_path

DEFAULT_NAME = 'camera'  # camera_info_manager's default name
_SUBSTITUTION = re.compile(r'\$\{([^}]*)\}')


def locate(url: str, name: str = '') -> Path:
    """Return the path for the URL of a calibration.

    Accepted are paths, file:///PATH and package://PACKAGE/PATH. In them ${ROS_HOME} is that
    environment variable or ~/.ros, and ${NAME} is the camera's name.

    Parameters
    ----------
    url : as in the parameter camera_info_url.
    name : of the camera; `camera` is used if it is '' or there is no file of that name.

    Raises
    ------
    CalibrationError
        If the URL is of another kind, or its package is not found.
    """
    if name and '${NAME}' in url:
        path = _resolved(url, name)
        if path.exists():
            return path
    return _resolved(url, DEFAULT_NAME)


def _resolved(url: str, name: str) -> Path:
    text = _SUBSTITUTION.sub(lambda match: _substitute(match[1], name, url), url)
    scheme = urlparse(text).scheme.lower() if '://' in text else ''
    if not scheme:
        return user_path(text)
    if scheme == 'package':
        package, _, rest = text.partition('://')[2].partition('/')
        return _existing(_package(package) / rest)
    parts = urlparse(text)
    if scheme != 'file' or parts.netloc not in ('', 'localhost'):
        remedy = 'download the file first; ' if scheme.startswith('http') else ''
        raise CalibrationError(
            f'camera_info_url {quoted(url)}: {remedy}it must be a file:// URL, as '
            'file:///home/me/camera.yaml, a package:// URL or a path'
        )
    return _existing(Path(text.partition('://')[2].removeprefix('localhost')))


def _existing(path: Path) -> Path:
    """Return a URL's path; its %20 means a space, unless a file has that name."""
    return path if path.exists() else Path(unquote(str(path)))


def _substitute(variable: str, name: str, url: str) -> str:
    if variable == 'NAME':
        return name
    if variable == 'ROS_HOME':
        return os.environ.get('ROS_HOME') or str(user_path('~/.ros'))
    raise CalibrationError(
        f'camera_info_url {quoted(url)}: ${{{variable}}} is not known, only ${{ROS_HOME}} and '
        '${NAME} are'
    )


def _package(name: str) -> Path:
    """Return a package's share folder, as ament_index does."""
    for prefix in filter(None, os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)):
        index = Path(prefix) / 'share' / 'ament_index' / 'resource_index' / 'packages' / name
        if name and index.is_file():
            return Path(prefix) / 'share' / name
    if name == 'msdepth_ros':
        return share_directory()
    raise CalibrationError(
        f'the package {quoted(name)} is not found: source the workspace that it is installed '
        'in, or give the path of the file'
    )
