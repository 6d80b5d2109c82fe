# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Depth measured with earlier views, for the image that the network has just seen."""

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
    """Measure depth with earlier views, and keep this view for the next images.

    Parameters
    ----------
    views : the earlier views.
    depth : float32 [height, width], the network's prediction.
    metric : whether it is in metres; otherwise it is not used.
    geometry : of that prediction.
    image : uint8 [height, width, 3], the network's input.
    pose : float64 [4, 4], from the camera's optical frame to a fixed frame, metres.

    Returns
    -------
    The measured points; None without calibration.
    """
    camera, network = geometry.intrinsics, geometry.network_intrinsics
    if camera is None or network is None:
        return None
    log_depth = None
    if metric:
        known = geometry.seen & (depth > 0) & np.isfinite(depth)
        log_depth = np.log(np.where(known, depth, np.float32(np.nan)))
    return views.measure(image, network, log_depth, camera.sampled(geometry.cells), camera, pose)
