# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A Nav2 costmap, from the parameters in its YAML file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from msdepth_ros.errors import MsdepthError
from msdepth_ros.navigation.layers import Cells, MarkingLayer, ObstacleLayer, VoxelLayer, denoise
from msdepth_ros.navigation.observations import Observation, Source, scan_points

_MARKING: dict[str, type[MarkingLayer]] = {
    'nav2_costmap_2d::VoxelLayer': VoxelLayer,
    'nav2_costmap_2d::ObstacleLayer': ObstacleLayer,
}


@dataclass(frozen=True)
class Sighting:
    """One message of a sensor, with the sensor's pose.

    Attributes
    ----------
    position : float64 [3], position of the sensor in the costmap's frame, metres.
    rotation : float64 [3, 3], from the message's frame to the costmap's frame.
    points : float32 [n, 3], points of a PointCloud2 in the message's frame, metres; None: a scan.
    scan : (ranges [n], angle_min, angle_increment, range_min, range_max) of a LaserScan.
    """

    position: np.ndarray
    rotation: np.ndarray
    points: np.ndarray | None = None
    scan: tuple[np.ndarray, float, float, float, float] | None = None

    def observation(self, inf_is_valid: bool) -> Observation:
        """Return the message's points in the costmap's frame."""
        if self.scan is not None:
            points = scan_points(*self.scan, inf_is_valid)
        else:
            assert self.points is not None
            points = self.points[:, :3]
        # tf2_sensor_msgs transforms clouds in single precision.
        rotation = self.rotation.astype(np.float32)
        moved = points @ rotation.T + self.position.astype(np.float32)
        return Observation(np.asarray(self.position, np.float64), moved)


class Costmap:
    """The layers of one costmap.

    Parameters
    ----------
    parameters : the mapping under `local_costmap: local_costmap: ros__parameters`.
    cells : the cells of the costmap, which does not move.
    static : bool [rows, columns], lethal cells of a StaticLayer; None: none.

    Raises
    ------
    MsdepthError
        If `plugins` contains a layer without parameters, or of an unknown type.
    """

    def __init__(
        self, parameters: Mapping[str, Any], cells: Cells, static: np.ndarray | None = None
    ) -> None:
        self.cells = cells
        self._static = np.zeros((cells.rows, cells.columns), bool) if static is None else static
        self._parameters = parameters
        self.layers: dict[str, MarkingLayer] = {}
        self.sources: dict[str, list[Source]] = {}
        for name in parameters['plugins']:
            if _kind(parameters, name) in _MARKING:
                layer = parameters[name]
                self.layers[name] = _MARKING[layer['plugin']](layer, cells)
                self.sources[name] = [
                    Source.from_parameters(source, layer[source])
                    for source in layer.get('observation_sources', '').split()
                ]

    def update(self, sightings: Mapping[str, Sighting]) -> np.ndarray:
        """Use the newest message of each topic; return the lethal cells, bool [rows, columns]."""
        for name in self.layers:
            if self._parameters[name].get('enabled', True):
                self._observe(name, sightings)
        return self.master()

    def master(self) -> np.ndarray:
        """Return the lethal cells of all layers together, bool [rows, columns]."""
        master = np.zeros_like(self._static)
        for name in self._parameters['plugins']:
            kind = _kind(self._parameters, name)
            own = self._parameters.get(name, {})
            if not own.get('enabled', True):
                continue
            if kind in _MARKING:
                lethal = self.layers[name].lethal
                master = master | lethal if own.get('combination_method', 1) else lethal.copy()
            elif kind == 'nav2_costmap_2d::DenoiseLayer':
                master = denoise(
                    master, own.get('minimal_group_size', 2), own.get('group_connectivity_type', 8)
                )
            elif kind == 'nav2_costmap_2d::StaticLayer':
                maximum = own.get('use_maximum', False)
                master = master | self._static if maximum else self._static.copy()
        return master

    @property
    def blind(self) -> set[str]:
        """The sources whose sensor was outside the map at the last update."""
        return set().union(*(layer.blind for layer in self.layers.values()))

    def _observe(self, layer: str, sightings: Mapping[str, Sighting]) -> None:
        seen = [
            (source, sightings[topic].observation(source.inf_is_valid))
            for source in self.sources[layer]
            if (topic := source.topic.lstrip('/')) in sightings
        ]
        seen = [
            (source, each.between(source.min_obstacle_height, source.max_obstacle_height))
            for source, each in seen
        ]
        marking = [pair for pair in seen if pair[0].marking]
        self.layers[layer].update(marking, [pair for pair in seen if pair[0].clearing])


def _kind(parameters: Mapping[str, Any], name: str) -> str:
    """Return the plugin of a layer; standard layers may be described elsewhere."""
    standard = {'static_layer': 'nav2_costmap_2d::StaticLayer', 'inflation_layer': 'inflation'}
    if name not in parameters and name not in standard:
        raise MsdepthError(f"plugins contains the layer '{name}', which has no parameters")
    kind = parameters.get(name, {}).get('plugin', standard.get(name, ''))
    known = {*_MARKING, 'nav2_costmap_2d::DenoiseLayer', *standard.values()}
    if kind not in known and kind != 'nav2_costmap_2d::InflationLayer':
        raise MsdepthError(f"the layer '{name}' is a '{kind}', which is not supported here")
    return kind
