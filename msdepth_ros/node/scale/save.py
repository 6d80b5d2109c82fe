# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The service that stores a depth.scale set by hand."""

from datetime import datetime, timezone

from rclpy.node import Node
from std_srvs.srv import Trigger

from msdepth_ros.errors import MsdepthError
from msdepth_ros.node.parameters import Parameters
from msdepth_ros.node.scale.kept import KeptScale


class ScaleSaving:
    """Serves `~/save_scale` (std_srvs/Trigger): stores depth.scale for the running model.

    It uses the same file as calibrate_scale.
    """

    def __init__(self, node: Node, parameters: Parameters, kept: KeptScale) -> None:
        self._parameters = parameters
        self._kept = kept
        node.create_service(Trigger, '~/save_scale', self._serve)

    def _serve(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        scale = self._parameters.values['depth.scale']
        today = datetime.now(timezone.utc).strftime('%Y-%m-%d')
        try:
            path = self._kept.keep(scale, f'{today}: set by hand')
        except MsdepthError as error:
            response.message = f'depth.scale {scale:.4g} is not kept: {error}'
            return response
        response.success = True
        response.message = f'depth.scale {scale:.4g} is kept in {path}'
        return response
