# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The clouds for a costmap, from the depth on the network's grid."""

from dataclasses import dataclass

import numpy as np

from msdepth_ros.geometry.cloud import limit_range, point_cloud, pull_in_range, reduced
from msdepth_ros.geometry.obstacles import Confirmation, find_obstacles
from msdepth_ros.geometry.pinhole import Intrinsics


@dataclass(frozen=True)
class ObstacleOptions:
    """What counts as an obstacle.

    Attributes
    ----------
    min_height : metres above the floor.
    max_range, min_range : metres from the camera; min_range 0: no limit.
    depth_error : standard deviation of the logarithm of depth, where nothing better is known.
    memory : seconds; an obstacle counts if an earlier frame, at most that old, had one near it.
        0: all count.
    voxel_size : metres, one point for each voxel; 0: all points.
    """

    min_height: float = 0.05
    max_range: float = 4.5
    depth_error: float = 0.3
    memory: float = 1.0
    min_range: float = 0.0
    voxel_size: float = 0.0


class ObstacleCloud:
    """Makes the cloud of obstacles and drops; remembers the last frame to confirm them."""

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
        """Return the points of obstacles and drops, float32 [count, 3], metres, optical frame.

        Parameters
        ----------
        depth, intrinsics, height, up, beyond, floor : as for `find_obstacles`.
        stamp : the image's time in seconds.
        options : what counts as an obstacle.
        error : float32 [height, width], standard deviation of the logarithm of depth; None =
            `options.depth_error`.
        sure : bool [height, width], where an obstacle counts at once; None: nowhere.
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
    """Return the points up to which a costmap may clear, float32 [count, 3], optical frame, metres.

    These are all points, the ones beyond `max_range` moved to it. The parameters are those of
    `pull_in_range` and `reduced`.
    """
    points = pull_in_range(point_cloud(depth, intrinsics), intrinsics, max_range, beyond)
    return reduced(points, voxel_size, organized=False)
