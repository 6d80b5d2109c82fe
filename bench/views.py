# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What depth from several views costs: processor time of one core, and memory, by camera size.

`python bench/views.py DATASET`: a dataset whose poses are known, see docs/views.md.
"""

import argparse
import time
from collections.abc import Mapping

import cv2
import numpy as np

from msdepth_ros.datasets import Frame, open_dataset
from msdepth_ros.evaluation.evaluation import Procedure, estimate_frame
from msdepth_ros.inference.estimator import DepthEstimator
from msdepth_ros.inference.frame import FrameGeometry
from msdepth_ros.inference.measured_views import measure_views
from msdepth_ros.inference.model import DEFAULT_MODEL, load_model
from msdepth_ros.metric.views import Views

_WARM_UP = 20  # frames until views are kept and everything was used once


def main() -> None:
    """Print a line for each camera size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('dataset')
    parser.add_argument('--model', default=DEFAULT_MODEL)
    parser.add_argument('--sizes', nargs='+', default=['640x480', '1920x1080'])
    arguments = parser.parse_args()
    dataset = open_dataset(arguments.dataset)
    if dataset.no_poses:
        parser.error(dataset.no_poses)
    cv2.setNumThreads(1)
    print(f'{"camera":>12} {"p50 ms":>8} {"p95 ms":>8} {"memory kB":>10}')
    for size in arguments.sizes:
        width, height = (int(side) for side in size.split('x'))
        views = Views()
        with Procedure(threads=1).estimator(load_model(arguments.model)) as estimator:
            frames = (dataset[index] for index in range(len(dataset)))
            times = [_time(estimator, views, _resized(frame, width, height)) for frame in frames]
        p50, p95 = np.percentile(times[_WARM_UP:], [50, 95]) * 1e3
        print(f'{size:>12} {p50:8.2f} {p95:8.2f} {views.memory / 1e3:10.0f}', flush=True)


def _time(estimator: DepthEstimator, views: Views, frame: Frame) -> float:
    """Return the processor time of this thread that a frame's measuring took, seconds."""
    taken = 0.0

    def align(
        depth: np.ndarray,
        geometry: FrameGeometry,
        outputs: Mapping[str, np.ndarray],
        image: np.ndarray,
    ) -> None:
        nonlocal taken
        if frame.pose is not None:
            start = time.thread_time()
            measure_views(views, depth, True, geometry, image, frame.pose)
            taken = time.thread_time() - start

    estimate_frame(estimator, frame, align)
    return taken


def _resized(frame: Frame, width: int, height: int) -> Frame:
    """Return a frame as a camera of another size would have taken it; the depth is not needed."""
    image = cv2.resize(frame.image, (width, height), interpolation=cv2.INTER_CUBIC)
    intrinsics = frame.intrinsics.resized(width, height)
    return Frame(frame.name, image, np.zeros(0), intrinsics, frame.scene, frame.pose)


if __name__ == '__main__':
    main()
