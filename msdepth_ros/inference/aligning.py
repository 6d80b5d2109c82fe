# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Aligns a frame's depth with what was measured of it, and with the floor."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from msdepth_ros.inference.estimator import Align
from msdepth_ros.inference.frame import FrameGeometry
from msdepth_ros.metric.floor import FloorPlane, measure_floor
from msdepth_ros.metric.metres import Aligned, Metres
from msdepth_ros.metric.sparse_depth import SparseDepth

# Returns what was measured of a frame. Gets the depth, how it lies on the image, and the network's
# input, as `Align` does.
Measure = Callable[[np.ndarray, FrameGeometry, np.ndarray], Sequence[SparseDepth]]


def aligning(metres: Metres, measure: Measure, floor: FloorPlane | None) -> Align:
    """Return a function that aligns a frame's depth with measurements.

    Parameters
    ----------
    metres : which aligns.
    measure : returns what was measured of the frame.
    floor : the floor by the camera's mount; None: not known.
    """

    def align(
        depth: np.ndarray,
        geometry: FrameGeometry,
        outputs: Mapping[str, np.ndarray],
        image: np.ndarray,
    ) -> Aligned | None:
        sparse = list(measure(depth, geometry, image))
        if floor is not None and geometry.intrinsics is not None:
            camera, shows = geometry.intrinsics, outputs.get('floor')
            sparse.append(measure_floor(depth, geometry.cells, camera, floor, shows))
        return metres.align(depth, geometry.cells, sparse)

    return align
