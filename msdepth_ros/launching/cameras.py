# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The list of cameras for cameras.launch.py."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from msdepth_ros.errors import MsdepthError


def read_cameras(path: Path, arguments: Collection[str], cores: int) -> list[dict[str, str]]:
    """Read a cameras file; return the arguments of depth.launch.py for each camera.

    The file has a list `cameras` of mappings from arguments to values, and optionally a mapping
    `every_camera` for all of them. A node whose `parameters` do not set `threads` gets an equal
    share of the cores.

    Parameters
    ----------
    path : YAML file such as config/cameras.yaml.
    arguments : names of the arguments of depth.launch.py.
    cores : number of CPU cores that the nodes share.

    Raises
    ------
    MsdepthError
        If the file cannot be read or has no such list, an argument is unknown, or two cameras have
        the same namespace.
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
                    f"{path}: '{name}' is not an argument of depth.launch.py, which has "
                    f'{", ".join(arguments)}; write parameters of the node under `parameters`'
                )
        if not isinstance(mapping.get('parameters', {}), dict):
            raise MsdepthError(f'{path}: `parameters` must be a mapping from names to values')
    parameters = {**every.get('parameters', {}), **camera.get('parameters', {})}
    return {**every, **camera, 'parameters': parameters}


def _text(value: Any) -> str:
    """Return a value as the text of a launch argument."""
    if isinstance(value, list):
        return ' '.join(str(item) for item in value)
    if isinstance(value, dict):
        return yaml.safe_dump(value, default_flow_style=True, width=10**6).strip()
    return str(value).lower() if isinstance(value, bool) else str(value)
