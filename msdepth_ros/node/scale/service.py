# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The service that measures depth.scale from the floor."""

import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import NamedTuple

import numpy as np
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.task import Future
from std_srvs.srv import Trigger

from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.cloud import point_cloud
from msdepth_ros.geometry.floor import Floor, fit_floor
from msdepth_ros.inference.frame import DepthFrame
from msdepth_ros.node.mount import Mount, mount_from_tf, mount_from_values
from msdepth_ros.node.parameters import Parameters
from msdepth_ros.node.scale.kept import KeptScale

FRAMES = 15  # number of frames for the median
PATIENCE = 3.0  # seconds to wait for them; with a slow camera fewer frames are used


class Estimate(NamedTuple):
    """The depth of an image, its frame_id, its stamp, and the depth.scale it was computed with."""

    frame: DepthFrame
    frame_id: str
    stamp: tuple[int, int]
    scale: float


class ScaleCalibration:
    """Serves `~/calibrate_scale` (std_srvs/Trigger).

    A camera is at the known height h above a flat floor. The plane fitted to the depth of the floor
    is at the height h_seen below the camera. Heights scale as depth does, so

        depth.scale := depth.scale * h / h_seen

    with the median over some frames. h and the direction of up come from the parameters
    camera_pose, or camera_height and camera_pitch, else from the transform between base_frame and
    the image's frame. A separate thread does the work, so that images are processed meanwhile.
    """

    def __init__(
        self,
        node: Node,
        parameters: Parameters,
        kept: KeptScale,
        estimate: Callable[[], Estimate],
        follow_demand: Callable[[], None],
    ) -> None:
        """Create the service.

        Parameters
        ----------
        node, parameters, kept : of the depth node.
        estimate : returns the depth of the newest image; called on another thread than the
            executor's. Raises MsdepthError if there is no image.
        follow_demand : called on the executor's thread when `is_busy` has changed.
        """
        self._node = node
        self._parameters = parameters
        self._kept = kept
        self._estimate = estimate
        self._follow_demand = follow_demand
        self.is_busy = False
        # In the node's own group, no other callback would run until the service has answered.
        group = ReentrantCallbackGroup()
        node.create_service(Trigger, '~/calibrate_scale', self._serve, callback_group=group)

    async def _serve(
        self, request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        if self.is_busy:
            response.message = 'depth.scale stays as it is: another calibration is under way'
            return response
        done = Future(executor=self._node.executor)
        self.is_busy = True
        self._follow_demand()
        threading.Thread(target=self._answer, args=(response, done), daemon=True).start()
        await done
        self.is_busy = False
        self._follow_demand()
        return response

    def _answer(self, response: Trigger.Response, done: Future) -> None:
        try:
            response.message = self._calibrate()
            response.success = True
            self._node.get_logger().info(response.message)
        except Exception as error:
            text = str(error) if isinstance(error, MsdepthError) else repr(error)
            response.message = f'depth.scale stays as it is: {text}'
            if self._node.context.ok():
                self._node.get_logger().warning(response.message)
        done.set_result(None)
        if self._node.executor is not None:
            self._node.executor.wake()

    def _calibrate(self) -> str:
        before = self._parameters.values['depth.scale']
        estimate = self._first_estimate()
        mount = self._mount(estimate.frame_id)
        floors = self._floors(estimate, mount)
        floor = sorted(floors, key=lambda floor: floor.height)[len(floors) // 2]
        scale = before * mount.height / floor.height
        spread = float(np.ptp([each.height for each in floors]) / floor.height)
        result = (
            f'depth.scale {before:.4g} * {mount.height:.4g} m / {floor.height:.4g} m = {scale:.4g} '
            f'({mount.source}; median of {len(floors)} frames that differ by {spread:.1%}; floor: '
            f'{floor.share:.0%} of the points, tilt {floor.tilt:.1f} degrees, scatter '
            f'{floor.scatter:.1%})'
        )
        applied = self._node.set_parameters([Parameter('depth.scale', value=scale)])[0]
        if not applied.successful:
            raise MsdepthError(f'{applied.reason}; measured: {result}')
        today = datetime.now(timezone.utc).strftime('%Y-%m-%d')
        try:
            path = self._kept.keep(scale, f'{today}: {result}')
        except MsdepthError as error:
            return f'{result}; applied, but not kept for the next start: {error}'
        return f'{result}; written to {path}'

    def _first_estimate(self) -> Estimate:
        """Return an image's depth; wait, as the node may have just subscribed to images."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return self._estimate()
            except MsdepthError:
                if time.monotonic() > end or not self._node.context.ok():
                    raise
                time.sleep(0.05)

    def _floors(self, estimate: Estimate, mount: Mount) -> list[Floor]:
        """Return the floor in several frames; raise MsdepthError if most frames show none."""
        floors: list[Floor] = []
        refusal: MsdepthError | None = None
        seen: set[tuple[int, int]] = set()
        end = time.monotonic() + PATIENCE
        while True:
            if estimate.stamp not in seen:
                seen.add(estimate.stamp)
                try:
                    floors.append(_floor_of(estimate, mount))
                except MsdepthError as error:
                    refusal = error
            if len(seen) == FRAMES or time.monotonic() > end or not self._node.context.ok():
                break
            time.sleep(0.02)
            estimate = self._estimate()
        if 2 * len(floors) <= len(seen) and refusal is not None:
            raise refusal
        return floors

    def _mount(self, image_frame: str) -> Mount:
        values = self._parameters.values
        mount = mount_from_values(values)
        return mount or mount_from_tf(self._node, values['base_frame'], image_frame)


def _floor_of(estimate: Estimate, mount: Mount) -> Floor:
    frame = estimate.frame
    if frame.intrinsics is None:
        raise MsdepthError('the camera is not calibrated: publish camera_info first')
    return fit_floor(point_cloud(frame.depth, frame.intrinsics), mount.up)
