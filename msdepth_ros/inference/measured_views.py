# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What earlier views tell of the image that a network has just seen."""

import numpy as np

from msdepth_ros.inference.frame import FrameGeometry
from msdepth_ros.metric.sparse_depth import SparseDepth
from msdepth_ros.metric.views import Views


def measure_views(
    views: Views,
    depth: np.ndarray,
    metric: bool,
    geometry: FrameGeometry,
    image: np.ndarray,
    pose: np.ndarray,
) -> SparseDepth | None:
    """Measure depths by earlier views, and keep this one for the next images.

    Parameters
    ----------
    depth : float32 [height, width], what the network predicts.
    metric : whether that is metres; else depths are looked for without it.
    geometry : how it lies on the camera image.
    image : uint8 [height, width, 3], the network's input.
    pose : float64 [4, 4], camera (optical frame) to a fixed frame, metres.

    Returns
    -------
    The points; None without calibration.
    """
    camera, network = geometry.intrinsics, geometry.network_intrinsics
    if camera is None or network is None:
        return None
    log_depth = None
    if metric:
        known = geometry.seen & (depth > 0) & np.isfinite(depth)
        log_depth = np.log(np.where(known, depth, np.float32(np.nan)))
    return views.measure(image, network, log_depth, camera.sampled(geometry.cells), camera, pose)
