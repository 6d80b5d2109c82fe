# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The moving picture of the README: camera, depth, and the cloud seen from beside the camera.

python bench/moving_picture.py --out docs/images/demo.webp
"""

import argparse
import contextlib
import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from msdepth_ros.geometry.cloud import point_cloud
from msdepth_ros.images.pictures import colorize
from msdepth_ros.images.sources import DEFAULT_CLIP, ImageSource
from msdepth_ros.inference.backends import create_backend
from msdepth_ros.inference.estimator import DepthEstimator
from msdepth_ros.inference.model import DEFAULT_MODEL, load_model

PANEL = (320, 240)  # width and height of each of the three
BACKGROUND = (24, 24, 24)
PIVOT = 2.3  # metres ahead, that the view of the cloud turns about
SWAY = math.radians(28)  # to each side
TILT = math.radians(14)
BACK = 0.6  # metres that the view stands behind the camera
SPLAT = 4  # pixels of a point
MOST_BYTES = 1 << 20


def cloud_view(points: np.ndarray, colors: np.ndarray, yaw: float) -> np.ndarray:
    """Draw points from a camera that has turned about the pivot.

    Points are float32 [count, 3] in the optical frame, colours uint8 [count, 3] BGR; returns uint8
    [240, 320, 3] BGR.
    """
    turn, _ = cv2.Rodrigues(np.array([0.0, yaw, 0.0]))
    tilt, _ = cv2.Rodrigues(np.array([TILT, 0.0, 0.0]))
    pivot = np.array([0.0, 0.0, PIVOT])
    seen = (points - pivot) @ (tilt @ turn).T + pivot + (0.0, 0.0, BACK)
    width, height = PANEL
    focal = 0.9 * width
    kept = seen[:, 2] > 0.2
    seen, colors = seen[kept], colors[kept]
    u = np.rint(focal * seen[:, 0] / seen[:, 2] + width / 2).astype(int)
    v = np.rint(focal * seen[:, 1] / seen[:, 2] + height / 2).astype(int)
    picture = np.full((height, width, 3), BACKGROUND, np.uint8)
    order = np.argsort(-seen[:, 2])  # the nearest last, over the others
    u, v, colors = u[order], v[order], colors[order]
    offsets = range(-(SPLAT // 2), SPLAT - SPLAT // 2)
    for dx in offsets:
        for dy in offsets:
            x, y = u + dx, v + dy
            inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
            picture[y[inside], x[inside]] = colors[inside]
    return picture


def frames(estimator: DepthEstimator, every: int) -> Iterator[np.ndarray]:
    """Yield each picture, uint8 [240, 960, 3] BGR."""
    source = ImageSource(DEFAULT_CLIP)
    shown = [picture for number, picture in enumerate(source) if number % every == 0]
    for number, picture in enumerate(shown):
        frame = estimator.estimate(picture.image, 'bgr8', picture.camera)
        assert frame.intrinsics is not None
        points = point_cloud(frame.depth, frame.intrinsics).reshape(-1, 3)
        colors = frame.colors().reshape(-1, 3)[:, ::-1]
        valid = np.isfinite(points[:, 2])
        yaw = SWAY * math.sin(2 * math.pi * number / len(shown))
        panels = (
            cv2.resize(picture.image, PANEL, interpolation=cv2.INTER_AREA),
            cv2.resize(colorize(frame.full_depth()), PANEL, interpolation=cv2.INTER_NEAREST),
            cloud_view(points[valid], colors[valid], yaw),
        )
        yield np.hstack(panels)


def main() -> None:
    """Write the moving picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', type=Path, default=Path('out/demo.webp'))
    parser.add_argument('--every', type=int, default=4, help='frames of the clip, one of so many')
    parser.add_argument('--quality', type=int, default=55)
    arguments = parser.parse_args()
    model = load_model(DEFAULT_MODEL)
    with contextlib.closing(create_backend(model)) as backend:
        pictures = [
            Image.fromarray(np.ascontiguousarray(picture[..., ::-1]))
            for picture in frames(DepthEstimator(model, backend), arguments.every)
        ]
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    pictures[0].save(
        arguments.out,
        save_all=True,
        append_images=pictures[1:],
        duration=round(1000 * arguments.every / 30),
        loop=0,
        quality=arguments.quality,
        method=4,
    )
    size = arguments.out.stat().st_size
    print(f'{arguments.out}: {len(pictures)} frames, {size / 1e6:.2f} MB')
    if size > MOST_BYTES:
        raise SystemExit('over 1 MB: take fewer frames (--every), or a lower --quality')


if __name__ == '__main__':
    main()
