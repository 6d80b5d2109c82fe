# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The service that finds depth.scale from the floor that the camera stands over."""

from collections.abc import Callable
from datetime import datetime, timezone

from rclpy.node import Node
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.cloud import point_cloud
from msdepth_ros.geometry.floor import fit_floor
from msdepth_ros.inference.estimator import DepthFrame
from msdepth_ros.node.parameters import Parameters
from msdepth_ros.node.scale.file import default_scale_file, write_scale_file
from msdepth_ros.node.scale.mount import Mount, mount_from_parameters, mount_from_tf
from msdepth_ros.resources import user_path

Estimate = Callable[[], tuple[DepthFrame, str]]


class ScaleCalibration:
    """Serves `~/calibrate_scale` (std_srvs/Trigger).

    A camera at a known height h above a flat floor sees that floor at the height h_seen that the
    plane fitted to the present depth has. Heights scale as depth does, so

        depth.scale := depth.scale * h / h_seen

    h and the direction of up come from the parameters camera_height and camera_pitch, else from
    the transform between base_frame and the image's frame.
    """

    def __init__(self, node: Node, parameters: Parameters, estimate: Estimate) -> None:
        """Offer the service.

        `estimate` returns the depth of the newest image and that image's frame_id; it raises
        MsdepthError where there is none.
        """
        self._node = node
        self._parameters = parameters
        self._estimate = estimate
        node.create_service(Trigger, '~/calibrate_scale', self._serve)

    def _serve(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        try:
            response.message = self._calibrate()
            response.success = True
            self._node.get_logger().info(response.message)
        except MsdepthError as error:
            response.message = f'depth.scale stays as it is: {error}'
            self._node.get_logger().warning(response.message)
        return response

    def _calibrate(self) -> str:
        before = self._parameters.values['depth.scale']
        frame, image_frame = self._estimate()
        if frame.intrinsics is None:
            raise MsdepthError('the camera is not calibrated: publish camera_info first')
        mount = self._mount(image_frame)
        floor = fit_floor(point_cloud(frame.depth, frame.intrinsics), mount.up)
        factor = mount.height / floor.height
        scale = before * factor
        result = (
            f'depth.scale {before:.4g} * {mount.height:.4g} m / {floor.height:.4g} m = {scale:.4g} '
            f'({mount.source}; floor: {floor.share:.0%} of the points, tilt {floor.tilt:.1f} '
            f'degrees, scatter {floor.scatter:.1%})'
        )
        name = self._node.get_fully_qualified_name()
        given = self._parameters.values['scale_file']
        path = user_path(given) if given else default_scale_file(name)
        applied = self._node.set_parameters([Parameter('depth.scale', value=scale)])[0]
        if not applied.successful:
            raise MsdepthError(f'{applied.reason}; measured: {result}')
        today = datetime.now(timezone.utc).strftime('%Y-%m-%d')
        model = self._parameters.values['model']
        try:
            write_scale_file(path, scale, name, f'{today}, model {model}: {result}')
        except MsdepthError as error:
            return f'{result}; applied, but not kept for the next start: {error}'
        return f'{result}; written to {path}'

    def _mount(self, image_frame: str) -> Mount:
        values = self._parameters.values
        if values['camera_height'] > 0:
            return mount_from_parameters(values['camera_height'], values['camera_pitch'])
        return mount_from_tf(self._node, values['base_frame'], image_frame)
