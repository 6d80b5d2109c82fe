# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the outputs for a radio link weigh, and what they cost, on the clip of the package.

make bench-compression
"""

import argparse
import contextlib
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from msdepth_ros.images.compression import compressed_color, compressed_depth
from msdepth_ros.images.pictures import colorize
from msdepth_ros.images.sources import DEFAULT_CLIP, ImageSource
from msdepth_ros.inference.backends import create_backend
from msdepth_ros.inference.estimator import DepthEstimator
from msdepth_ros.inference.model import DEFAULT_MODEL, load_model

RATE = 30.0  # Hz for the MB/s
Encode = Callable[[], bytes]


def outputs_of(depth: np.ndarray, image: np.ndarray) -> dict[str, tuple[int, Encode]]:
    """Return, for each compressed topic, the raw topic's bytes and what compresses it."""
    color = colorize(depth)
    return {
        'depth/image_rect/compressedDepth': (depth.nbytes, lambda: compressed_depth(depth)),
        'depth/image_color/compressed': (color.nbytes, lambda: compressed_color(color, 'bgr8')[0]),
        'rgb/image_rect_color/compressed': (
            image.nbytes,
            lambda: compressed_color(image, 'bgr8')[0],
        ),
    }


def measure(every: int) -> str:
    """Return the table, as Markdown."""
    model = load_model(DEFAULT_MODEL)
    figures: dict[str, list[tuple[int, int, float]]] = {}
    with contextlib.closing(create_backend(model)) as backend:
        estimator = DepthEstimator(model, backend)
        pictures: Any = list(ImageSource(DEFAULT_CLIP))[::every]
        for picture in tqdm(pictures, disable=None):
            frame = estimator.estimate(picture.image, 'bgr8', picture.camera)
            for topic, (raw, encode) in outputs_of(frame.full_depth(), picture.image).items():
                started = time.process_time()
                size = len(encode())
                figures.setdefault(topic, []).append((raw, size, time.process_time() - started))
    height, width = pictures[0].image.shape[:2]
    lines = [
        f'| {width}x{height} | KB | of the raw one | MB/s at {RATE:.0f} Hz | ms of one core |',
        '| --- | --- | --- | --- | --- |',
    ]
    for topic, values in figures.items():
        raw, size, seconds = (statistics.median(column) for column in zip(*values, strict=True))
        lines.append(
            f'| `{topic}` | {size / 1e3:.0f} | {size / raw:.1%} | {size * RATE / 1e6:.1f} '
            f'| {1e3 * seconds:.1f} |'
        )
    return '\n'.join(lines) + '\n'


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', type=Path, help='Markdown file to write the table to')
    parser.add_argument('--every', type=int, default=8, help='frames of the clip, one of so many')
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    table = measure(arguments.every)
    print(table, end='')
    if arguments.out:
        arguments.out.write_text(table)


if __name__ == '__main__':
    main()
