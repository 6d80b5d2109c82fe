# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measures everything but the network that turns a camera image into depth and points, on one core.

`make bench-geometry` runs it. The network is replaced by a backend that answers a smooth scene at
once. Where sensor_msgs_py is installed, building a cloud's message is compared with its
create_cloud on the same points.

Times are wall-clock milliseconds as minimum / median of many runs; on a machine that does other
work as well the minimum, and the time that the core really worked (cpu), are what counts.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

for variable in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'):
    os.environ[variable] = '1'

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from msdepth_ros.geometry.camera import Camera  # noqa: E402
from msdepth_ros.geometry.cloud import point_cloud  # noqa: E402
from msdepth_ros.inference.backends.base import Backend  # noqa: E402
from msdepth_ros.inference.estimator import DepthEstimator  # noqa: E402
from msdepth_ros.inference.model import DEFAULT_MODEL, Model, load_model  # noqa: E402
from msdepth_ros.node.messages import cloud_msg  # noqa: E402

SIZES = ((320, 240), (640, 480), (1280, 720), (1920, 1080), (3840, 2160))
LENS = (-0.25, 0.07, 0.0005, -0.0003, 0.0)  # so that the map rectifies, too
WARM_UP = 5
Times = dict[str, float]


class SceneBackend(Backend):
    """Answers the same scene to every image: a slope with two steps in depth, in no time."""

    name, device, precision = 'scene', 'none', 'fp32'

    def __init__(self, model: Model) -> None:
        """Draw the scene on the model's grid, in metres."""
        super().__init__(model)
        (width, height), (cells_x, cells_y) = model.input_size, model.output_size
        self.inputs = {'image': np.zeros((height, width, 3), np.uint8)}
        x, y = np.meshgrid(np.linspace(0, 1, cells_x), np.linspace(0, 1, cells_y))
        scene = 4 - 2 * y + 0.3 * np.sin(9 * x)
        scene[(x > 0.3) & (x < 0.5) & (y > 0.4)] *= 0.5
        depth = scene.astype(np.float32)
        if model.quantity == 'log_depth':
            depth = np.log(depth)
        elif model.quantity == 'inverse_depth':
            depth = np.reciprocal(depth)
        self.outputs = {'depth': depth}

    def run(self) -> None:
        """Do nothing: the answer is there."""

    def close(self) -> None:
        """Do nothing."""


def measure(run: Callable[[], Any], runs: int) -> Times:
    """Return the minimum and median wall time and the median CPU time of a call, in ms."""
    for _ in range(WARM_UP):
        run()
    times = np.empty((runs, 2))
    for row in times:
        begin, cpu = time.perf_counter(), time.thread_time()
        run()
        row[:] = time.perf_counter() - begin, time.thread_time() - cpu
    times *= 1e3
    return {
        'min': float(times[:, 0].min()),
        'median': float(np.median(times[:, 0])),
        'cpu': float(np.median(times[:, 1])),
    }


def measure_geometry(model: Model, size: tuple[int, int], runs: int) -> dict[str, Times]:
    """Measure each step and all of them for images of (width, height)."""
    width, height = size
    focal, center = 0.8 * width, (width / 2, height / 2)
    pinhole = Camera.pinhole(width, height, focal, focal, *center)
    camera = Camera(width, height, pinhole.k, LENS, 'plumb_bob', p=pinhole.p)
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    depth = np.empty((height, width), np.float32)  # as the node keeps it, frame after frame
    estimator = DepthEstimator(model, SceneBackend(model))

    def map_and_validate() -> None:
        estimator.estimate(image, 'bgr8', camera)

    frame = estimator.estimate(image, 'bgr8', camera)
    intrinsics = frame.intrinsics
    assert intrinsics is not None

    def cloud() -> None:
        cloud_msg(point_cloud(frame.depth, intrinsics, frame.colors()), Header())

    def whole() -> None:
        map_and_validate()
        frame.full_depth(depth)
        cloud()

    return {
        'map, validate': measure(map_and_validate, runs),
        'upsample': measure(lambda: frame.full_depth(depth), runs),
        'cloud': measure(cloud, runs),
        'whole': measure(whole, runs),
    }


def measure_clouds(runs: int) -> dict[str, Times] | str:
    """Compare building the message of 640x480 coloured points with create_cloud."""
    try:
        from sensor_msgs_py.point_cloud2 import create_cloud
    except ImportError:
        return 'sensor_msgs_py is not installed: create_cloud is not compared'
    width, height = 640, 480
    camera = Camera.pinhole(width, height, 500, 500, 320, 240).raw_intrinsics()
    rng = np.random.default_rng(0)
    depth = rng.uniform(1, 5, (height, width)).astype(np.float32)
    colors = rng.integers(0, 256, (height, width, 3), np.uint8)
    points = point_cloud(depth, camera, colors)
    fields = cloud_msg(points, Header()).fields
    as_list = points.reshape(-1, 4).tolist()
    ours = cloud_msg(points, Header())
    theirs = create_cloud(Header(), fields, points)
    assert ours.data == theirs.data
    few = max(3, runs // 20)
    return {
        'cloud_msg, array': measure(lambda: cloud_msg(points, Header()), runs),
        'create_cloud, array': measure(lambda: create_cloud(Header(), fields, points), runs),
        'create_cloud, list of points': measure(
            lambda: create_cloud(Header(), fields, as_list), few
        ),
    }


def text(times: Times) -> str:
    """Return times for people."""
    return f'{times["min"]:.2f} / {times["median"]:.2f}, cpu {times["cpu"]:.2f}'


def table(model: Model, runs: int, results: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    grid = 'x'.join(map(str, model.output_size))
    lines = [
        f'{model.name}, grid {grid}, one core, {runs} runs, ms; of the steps the minima:',
        '',
        '| image | map, validate | upsample | cloud | all: minimum | all: median |',
        '| --- ' * 6 + '|',
    ]
    for size in SIZES:
        name = 'x'.join(map(str, size))
        steps = results[name]
        cells = [f'{steps[step]["min"]:.2f}' for step in ('map, validate', 'upsample', 'cloud')]
        cells += [f'{steps["whole"][key]:.2f}' for key in ('min', 'median')]
        lines.append(f'| {name} | {" | ".join(cells)} |')
    return '\n'.join(lines) + '\n'


def main() -> int:
    """Measure, print tables, and write JSON or Markdown if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument('--model', default=DEFAULT_MODEL, help='whose grid is used')
    parser.add_argument('--runs', type=int, default=200)
    parser.add_argument('--json', help='write the figures to this file')
    parser.add_argument('--out', type=Path, help='write a Markdown table to this file')
    options = parser.parse_args()
    cv2.setNumThreads(1)
    if hasattr(os, 'sched_setaffinity'):
        os.sched_setaffinity(0, [max(os.sched_getaffinity(0))])
    model = load_model(options.model)
    grid = 'x'.join(map(str, model.output_size))
    print(f'{model.name}, grid {grid}; ms as minimum / median of {options.runs} runs, one core')
    results: dict[str, Any] = {'model': model.name, 'python': platform.python_version()}
    for size in SIZES:
        name = 'x'.join(map(str, size))
        results[name] = measure_geometry(model, size, options.runs)
        line = '   '.join(f'{step} {text(times)}' for step, times in results[name].items())
        print(f'{name:>9}   {line}', flush=True)
    clouds = results['cloud of 640x480'] = measure_clouds(options.runs)
    if isinstance(clouds, str):
        print(clouds)
    else:
        own = clouds['cloud_msg, array']['min']
        for name, times in clouds.items():
            print(f'{name:>28}   {text(times)}   {times["min"] / own:.1f} times')
    if options.out:
        options.out.write_text(table(model, options.runs, results), encoding='utf-8')
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=2), encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main())
