# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The network that a configuration names."""

from msdepth_ros.errors import MsdepthError
from msdepth_ros.networks import create_network
from msdepth_ros.networks.depth_network import DepthNetwork
from msdepth_ros.training.config import Config


def create_network_of(config: Config) -> DepthNetwork:
    """Return the network that a configuration names, with random weights.

    Raises
    ------
    MsdepthError
        If there is no such network or option, or a stage that it does not have.
    """
    options = dict(config.network)
    network = create_network(str(options.pop('name', config.name)), options)
    for stage in config.stages:
        if stage.trains not in network.stages:
            raise MsdepthError(
                f"stages: trains is '{stage.trains}' but must be one of {', '.join(network.stages)}"
            )
    return network
