# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The file that keeps a calibrated scale from one start to the next."""

import os
from collections.abc import Mapping
from pathlib import Path

from msdepth_ros.errors import MsdepthError

_TEXT = """\
# Written by the service calibrate_scale of {node}; depth.launch.py reads it at the next start.
# {note}
/**:
  ros__parameters:
    depth:
      scale: {scale!r}
"""


def default_scale_file(node: str, environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the scale of a node is kept: one file a node in the XDG configuration folder.

    Parameters
    ----------
    node : the node's full name, such as '/front/msdepth'.
    environment : mapping with XDG_CONFIG_HOME or HOME.
    """
    home = environment.get('XDG_CONFIG_HOME') or Path(environment.get('HOME', '~')) / '.config'
    name = '_'.join(filter(None, node.split('/')))
    return Path(home).expanduser() / 'msdepth_ros' / f'{name}_scale.yaml'


def write_scale_file(path: Path, scale: float, node: str, note: str) -> None:
    """Write a ROS parameter file with depth.scale; whoever reads it finds it whole.

    `note` is one line for people: how the scale was found. It may hold names that came from
    elsewhere: what would end the line, or YAML could not read, becomes a space.

    Raises
    ------
    MsdepthError
        If the file cannot be written.
    """
    draft = path.with_name(f'{path.name}.{os.getpid()}')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(
            _TEXT.format(node=node, note=_one_line(note), scale=float(scale)),
            encoding='utf-8',
        )
        draft.replace(path)
    except OSError as error:
        raise MsdepthError(
            f'cannot write {path}: {error.strerror}; set the parameter scale_file to a file in a '
            'folder that the node may write to'
        ) from error


def _one_line(text: str) -> str:
    return ''.join(character if character.isprintable() else ' ' for character in text)
