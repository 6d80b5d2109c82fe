# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The list of cameras that cameras.launch.py starts."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from msdepth_ros.errors import MsdepthError


def read_cameras(path: Path, arguments: Collection[str], cores: int) -> list[dict[str, str]]:
    """Read a cameras file; return depth.launch.py's arguments for each camera.

    The file has a list `cameras` of mappings from arguments to values, and optionally such a
    mapping `every_camera` that holds for all. A node whose `parameters` name no `threads` gets
    its share of the cores.

    Parameters
    ----------
    path : of a YAML file; see config/cameras.yaml.
    arguments : the names that depth.launch.py knows.
    cores : CPU cores that the nodes share.

    Raises
    ------
    MsdepthError
        If the file cannot be read or is no such list.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise MsdepthError(f'cannot read {path}: {" ".join(str(error).split())}') from error
    cameras = document.get('cameras') if isinstance(document, dict) else None
    if not isinstance(cameras, list) or not cameras:
        raise MsdepthError(f'{path} has no list `cameras`; see config/cameras.yaml')
    every = document.get('every_camera') or {}
    entries = [_merged(path, every, camera, arguments) for camera in cameras]
    namespaces = [entry.get('namespace', '') for entry in entries]
    twice = sorted({str(name) for name in namespaces if namespaces.count(name) > 1})
    if twice:
        raise MsdepthError(
            f"{path}: namespace '{twice[0]}' is used twice: each camera needs its own"
        )
    share = max(1, cores // len(entries))
    for entry in entries:
        entry['parameters'] = {'threads': share, **entry.get('parameters', {})}
    return [{name: _text(value) for name, value in entry.items()} for entry in entries]


def _merged(
    path: Path, every: dict[str, Any], camera: dict[str, Any], arguments: Collection[str]
) -> dict[str, Any]:
    for mapping in (every, camera):
        if not isinstance(mapping, dict):
            raise MsdepthError(f'{path}: {mapping!r} is not a mapping of launch arguments')
        for name in mapping:
            if name not in arguments:
                raise MsdepthError(
                    f"{path}: '{name}' is no argument of depth.launch.py; it has "
                    f'{", ".join(arguments)}; parameters of the node belong under `parameters`'
                )
        if not isinstance(mapping.get('parameters', {}), dict):
            raise MsdepthError(f'{path}: `parameters` is a mapping from names to values')
    parameters = {**every.get('parameters', {}), **camera.get('parameters', {})}
    return {**every, **camera, 'parameters': parameters}


def _text(value: Any) -> str:
    """Return a value as it would be typed behind name:=."""
    if isinstance(value, list):
        return ' '.join(str(item) for item in value)
    if isinstance(value, dict):
        return yaml.safe_dump(value, default_flow_style=True, width=10**6).strip()
    return str(value).lower() if isinstance(value, bool) else str(value)
