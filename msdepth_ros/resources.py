# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where files are: the package's share files (launch/, config/, engines/), and the user's own."""

import os
from collections.abc import Iterator
from pathlib import Path

from msdepth_ros.errors import MsdepthError


def share_directory() -> Path:
    """Return the folder that holds launch/, config/ and engines/.

    The search starts at this file, so that code and files always belong together: the source tree
    (also of an editable or symlink install), else `share/msdepth_ros` of the prefix that the
    package is installed in (a colcon install space, /opt/ros, a virtual environment).

    Raises
    ------
    MsdepthError
        If neither exists: the installation is incomplete.
    """
    for folder in _candidates():
        if (folder / 'package.xml').is_file():
            return folder
    raise MsdepthError(
        f'the share files of msdepth_ros are missing beside {Path(__file__).parent}: install the '
        'package again with `pip install .` or `colcon build`'
    )


def user_models_directory() -> Path:
    """Return the folder of adopted models: $XDG_DATA_HOME/msdepth_ros/models, else ~/.local/share.

    For a user without a home folder it is a path that does not exist.
    """
    base = os.environ.get('XDG_DATA_HOME', '')
    home = Path(base) if Path(base).is_absolute() else user_path('~/.local/share')
    return home / 'msdepth_ros' / 'models'


def user_path(text: str) -> Path:
    """Expand ~ in a path; it stays unchanged where there is no such user or home folder."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def _candidates() -> Iterator[Path]:
    source = Path(__file__).resolve().parents[1]
    yield source
    for prefix in Path(__file__).absolute().parents[1:]:
        yield prefix / 'share' / 'msdepth_ros'
