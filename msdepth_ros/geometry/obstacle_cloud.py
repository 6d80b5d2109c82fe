# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The clouds that a costmap reads, from the depth on the network's grid."""

from dataclasses import dataclass

import numpy as np

from msdepth_ros.geometry.cloud import limit_range, point_cloud, pull_in_range, reduced
from msdepth_ros.geometry.obstacles import Confirmation, find_obstacles
from msdepth_ros.geometry.pinhole import Intrinsics


@dataclass(frozen=True)
class ObstacleOptions:
    """What is taken for an obstacle.

    Attributes
    ----------
    min_height : metres above the floor.
    max_range, min_range : metres from the camera; 0 = no least range.
    depth_error : relative error of depth (standard deviation) where nothing better is known.
    memory : seconds; an obstacle counts if one was seen near it so long before. 0 = all count.
    voxel_size : metres, one point for each cube; 0 = all points.
    """

    min_height: float = 0.05
    max_range: float = 4.5
    depth_error: float = 0.3
    memory: float = 1.0
    min_range: float = 0.0
    voxel_size: float = 0.0


class ObstacleCloud:
    """Makes the cloud of obstacles and drops, frame after frame."""

    def __init__(self) -> None:
        self._confirmation = Confirmation()

    def points(
        self,
        depth: np.ndarray,
        intrinsics: Intrinsics,
        height: float,
        up: np.ndarray,
        stamp: float,
        options: ObstacleOptions,
        beyond: np.ndarray | None = None,
        error: np.ndarray | None = None,
        sure: np.ndarray | None = None,
        floor: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return float32 [count, 3], metres in the optical frame; there may be none.

        Parameters
        ----------
        depth, intrinsics, height, up, beyond, floor : as for `find_obstacles`.
        stamp : the image's time in seconds.
        options : ObstacleOptions.
        error : float32 like `depth`, std. deviation of its logarithm; None = as the options say.
        sure : bool like `depth`, where an obstacle counts at once; None = nowhere.
        """
        found = find_obstacles(
            depth,
            intrinsics,
            height,
            up,
            error=options.depth_error if error is None else error,
            beyond=beyond,
            min_height=options.min_height,
            farthest=options.max_range,
            floor=floor,
        )
        confirmed = self._confirmation.confirm(
            found.depth, intrinsics.fx, stamp, options.memory, sure
        )
        points = point_cloud(confirmed, intrinsics)
        limit_range(points, options.min_range, options.max_range)
        return reduced(points, options.voxel_size, organized=False)


def free_points(
    depth: np.ndarray,
    intrinsics: Intrinsics,
    max_range: float,
    voxel_size: float = 0.0,
    beyond: np.ndarray | None = None,
) -> np.ndarray:
    """Return the points whose rays are free, float32 [count, 3]: all, the far ones pulled in.

    Parameters are those of `pull_in_range` and `reduced`.
    """
    points = pull_in_range(point_cloud(depth, intrinsics), intrinsics, max_range, beyond)
    return reduced(points, voxel_size, organized=False)
