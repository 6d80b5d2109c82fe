# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Depth networks in torch, and their export to the ONNX files that run on a robot.

Importing this package needs torch, which only training and export use, never a robot.
"""

from collections.abc import Mapping
from typing import Any

from msdepth_ros.errors import MsdepthError
from msdepth_ros.networks.depth_network import DepthNetwork
from msdepth_ros.networks.eigen2014 import Eigen2014
from msdepth_ros.networks.msdepth import MultiScaleDepth

NETWORKS: Mapping[str, type[DepthNetwork]] = {
    'eigen2014': Eigen2014,
    'msdepth': MultiScaleDepth,
}


def create_network(name: str, options: Mapping[str, Any]) -> DepthNetwork:
    """Return a new network with random weights.

    Parameters
    ----------
    name : a key of `NETWORKS`.
    options : keyword arguments of that network's constructor.

    Raises
    ------
    MsdepthError
        If there is no such network, or it has no such option.
    """
    if name not in NETWORKS:
        raise MsdepthError(f"no network is named '{name}': choose from {', '.join(NETWORKS)}")
    try:
        return NETWORKS[name](**options)
    except (TypeError, ValueError) as error:
        raise MsdepthError(f"options of network '{name}': {error}") from error
