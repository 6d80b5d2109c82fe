# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a frame to the points that stand in a robot's way."""

from typing import Any

import numpy as np

from msdepth_ros.geometry.cloud import limit_range, point_cloud, reduced
from msdepth_ros.geometry.obstacles import Confirmation, find_obstacles
from msdepth_ros.inference.frame import DepthFrame
from msdepth_ros.node.scale.mount import Mount


class ObstacleCloud:
    """Makes the cloud of obstacles and drops, frame after frame."""

    def __init__(self) -> None:
        self._confirmation = Confirmation()

    def points(
        self, frame: DepthFrame, stamp: float, mount: Mount, values: dict[str, Any]
    ) -> np.ndarray:
        """Return float32 [count, 3], metres in the optical frame; there may be none.

        `stamp` is the image's time in seconds; `values` are the node's parameters.
        """
        intrinsics = frame.intrinsics
        assert intrinsics is not None
        farthest = values['obstacles.max_range']
        found = find_obstacles(
            frame.depth,
            intrinsics,
            mount.height,
            mount.up,
            error=values['obstacles.depth_error'],
            beyond=frame.beyond,
            min_height=values['obstacles.min_height'],
            farthest=farthest,
        )
        depth = self._confirmation.confirm(
            found.depth, intrinsics.fx, stamp, values['obstacles.memory']
        )
        points = limit_range(point_cloud(depth, intrinsics), values['points.min_range'], farthest)
        return reduced(points, values['points.voxel_size'], organized=False)
