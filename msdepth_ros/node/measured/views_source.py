# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Depth from earlier views of the moving camera, with poses from odometry or TF."""

from typing import Any

from nav_msgs.msg import Odometry

from msdepth_ros.inference.measured_views import measure_views
from msdepth_ros.metric.poses import PoseError
from msdepth_ros.metric.sparse_depth import SparseDepth
from msdepth_ros.metric.views import Views
from msdepth_ros.node.measured.camera_poses import CameraPoses
from msdepth_ros.node.measured.sources import Request, Source, UnusableError
from msdepth_ros.node.measured.transforms import Transforms


class ViewsSource(Source):
    """Measures points that earlier images show from other positions."""

    name = 'views'
    topics = {'odom': Odometry}  # noqa: RUF012
    queue = 50  # odometry is published faster than images

    def __init__(self, transforms: Transforms) -> None:
        self._views = Views()
        self._poses = CameraPoses(transforms)
        self._origin: object = None

    def hear(self, topic: str, message: Any) -> None:
        """Add an odometry message."""
        self._poses.hear(message)

    def measure(self, request: Request) -> tuple[SparseDepth, float]:
        """Return the measured points."""
        try:
            matrix, origin = self._poses.at(request.stamp, request.frame, request.values)
        except PoseError as error:
            raise UnusableError(str(error)) from error
        if origin != self._origin:
            self._views.clear()
            self._origin = origin
        sparse = measure_views(
            self._views, request.depth, request.metric, request.geometry, request.image, matrix
        )
        if sparse is None:
            raise UnusableError('no calibration')
        if not len(sparse):
            raise UnusableError(self._views.reason)
        return sparse, 0.0
