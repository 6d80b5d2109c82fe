# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The file that stores the calibrated scale of each model."""

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from msdepth_ros.errors import MsdepthError
from msdepth_ros.host.own_files import write_atomically

_COMMENT = """\
# Written by the services calibrate_scale and save_scale of {node}, which reads it when it
# loads a model.
# For each model file, by its SHA-256: the factor on its depth.
"""


def default_scale_file(node: str, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the scale file of a node, in the XDG configuration folder.

    Parameters
    ----------
    node : full name of the node, such as '/front/msdepth'.
    environment : mapping with XDG_CONFIG_HOME or HOME.

    Raises
    ------
    MsdepthError
        If this user has no home folder.
    """
    home = environment.get('XDG_CONFIG_HOME') or Path(environment.get('HOME', '~')) / '.config'
    name = '_'.join(filter(None, node.split('/')))
    try:
        return Path(home).expanduser() / 'msdepth_ros' / f'{name}_scale.yaml'
    except RuntimeError as error:
        raise MsdepthError(
            'there is no folder for the scale, as this user has no home folder: set HOME, or the '
            'parameter scale_file'
        ) from error


def read_scales(path: Path) -> dict[str, dict[str, Any]]:
    """Return {SHA-256 of the ONNX file: {'model', 'scale', 'found'}}; {} if there is no file.

    Raises
    ------
    MsdepthError
        If the file cannot be read or was not written by `write_scale`.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = ' '.join(str(error).split())
        raise MsdepthError(f'cannot read the scale file {path}: {reason}') from error
    if document is None:
        return {}
    scales = document.get('scales') if isinstance(document, dict) else None
    if not isinstance(scales, dict) or not all(map(_is_scale, scales.values())):
        raise MsdepthError(
            f'{path} holds no scales by model: delete it and call calibrate_scale again'
        )
    return scales


def write_scale(
    path: Path, scale: float, node: str, model: str, sha256: str, found: str = ''
) -> None:
    """Write a model's scale into the file, atomically.

    Parameters
    ----------
    path : the file.
    scale : factor on the depth.
    node : full name of the node, for the comment.
    model, sha256 : name of the model, and SHA-256 of its ONNX file.
    found : one line for the reader: how the scale was measured.

    Raises
    ------
    MsdepthError
        If the file cannot be written, or is not a scale file.
    """
    scales = read_scales(path)
    scales[sha256] = {'model': model, 'scale': float(scale), 'found': _one_line(found)}
    text = _COMMENT.format(node=_one_line(node)) + yaml.safe_dump(
        {'scales': scales}, sort_keys=False, allow_unicode=True
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.encode())
    except OSError as error:
        raise MsdepthError(
            f'cannot write {path}: {error.strerror}; set the parameter scale_file to a file in a '
            'folder that the node may write to'
        ) from error


def _is_scale(entry: Any) -> bool:
    scale = entry.get('scale') if isinstance(entry, dict) else None
    return isinstance(scale, float) and math.isfinite(scale) and scale > 0


def _one_line(text: str) -> str:
    return ''.join(character if character.isprintable() else ' ' for character in text)
