# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A check at the start whether Nav2's costmaps fit the camera."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.camera_pose import CameraPose

_TOPICS = ('obstacles', 'points', 'scan')


def read_costmaps(path: Path) -> dict[str, dict[str, Any]]:
    """Return the parameters of the costmaps in a Nav2 parameter file, by the costmap's name.

    Raises
    ------
    MsdepthError
        If the file cannot be read as YAML.
    """
    try:
        tree = yaml.safe_load(path.read_text(encoding='utf-8')) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise MsdepthError(f'cannot read {path}: {" ".join(str(error).split())}') from error
    found = {}
    for name in ('local_costmap', 'global_costmap'):
        node = tree.get(name) if isinstance(tree, dict) else None
        node = node.get(name, node) if isinstance(node, dict) else {}
        parameters = node.get('ros__parameters')
        if isinstance(parameters, dict):
            found[name] = parameters
    return found


def costmap_warnings(
    costmaps: Mapping[str, Mapping[str, Any]], namespace: str, pose: CameraPose | None
) -> list[str]:
    """Return warnings about costmaps that use the node's topics; [] = nothing is wrong.

    Parameters
    ----------
    costmaps : ROS parameters of each costmap, by its name.
    namespace : namespace of the node msdepth.
    pose : pose of the camera's body in base_frame on the floor; None: unknown.
    """
    topics = {_absolute(namespace, topic): topic for topic in _TOPICS}
    warnings, heard = [], set()
    for costmap, parameters in costmaps.items():
        for name, layer in _layers(parameters):
            sources = [layer.get(source) for source in _words(layer.get('observation_sources'))]
            ours = [
                source
                for source in sources
                if isinstance(source, dict) and str(source.get('topic')) in topics
            ]
            heard |= {topics[str(source['topic'])] for source in ours}
            if pose is None or not ours:
                continue
            if layer.get('plugin') == 'nav2_costmap_2d::VoxelLayer':
                warnings += _outside_of_voxels(f'{costmap}: {name}', layer, pose.z)
            for source in ours:
                if topics[str(source['topic'])] == 'scan':
                    warnings += _floor_in_scan(f'{costmap}: {name}', source, pose)
    if costmaps and not heard:
        warnings.append(
            f'no costmap subscribes to the node: its topics are {", ".join(topics)}; set these '
            'topics in the observation sources'
        )
    return warnings


def _outside_of_voxels(where: str, layer: Mapping[str, Any], height: float) -> list[str]:
    low = float(layer.get('origin_z', 0.0))
    step, voxels = float(layer.get('z_resolution', 0.2)), int(layer.get('z_voxels', 10))
    if low <= height < low + step * voxels:
        return []
    enough = math.floor((height - low) / 16 / 0.05 + 1) * 0.05
    remedy = (
        f'set z_voxels: 16 and z_resolution: {enough:.2f}'
        if height >= low
        else f'set origin_z to at most {height:g}'
    )
    return [
        f'{where}: the camera is {height:g} m high, outside the voxels from {low:g} to '
        f'{low + step * voxels:g} m: no marked cell would ever be cleared; {remedy}'
    ]


def _floor_in_scan(where: str, source: Mapping[str, Any], pose: CameraPose) -> list[str]:
    farthest = float(source.get('obstacle_max_range', 2.5))
    meets = pose.z / math.tan(pose.pitch) if pose.pitch > 0 else math.inf
    if meets >= farthest:
        return []
    return [
        f'{where}: the camera looks down by {pose.pitch:g} rad, so the scan shows the floor '
        f'as a wall at most {meets:.2f} m ahead; mark with the topic obstacles instead, or set '
        'obstacle_max_range below that distance'
    ]


def _layers(parameters: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name in parameters.get('plugins') or ():
        if isinstance(parameters.get(name), dict):
            yield name, parameters[name]


def _words(text: Any) -> list[str]:
    return text.split() if isinstance(text, str) else list(text or ())


def _absolute(namespace: str, topic: str) -> str:
    return '/'.join(['', *filter(None, namespace.split('/')), topic])
