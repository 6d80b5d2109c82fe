# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Small dataset folders for tests."""

from pathlib import Path

import cv2
import numpy as np

from msdepth_ros.geometry.camera import Camera

WIDTH, HEIGHT = 160, 120


def write_folder(folder: Path, count: int, scale: float = 1000.0) -> Path:
    """Write `count` pairs: image i is a ramp with a bright square, its depth is i + 1 metres."""
    (folder / 'rgb').mkdir(parents=True)
    (folder / 'depth').mkdir()
    ramp = np.linspace(0, 200, WIDTH).astype(np.uint8)
    for index in range(count):
        image = np.dstack([np.tile(ramp, (HEIGHT, 1))] * 3)
        image[10 * index : 10 * index + 20, 40:60] = (255, 80, 0)
        depth = np.full((HEIGHT, WIDTH), scale * (1 + index % 5), np.uint16)
        depth[:5, :5] = 0
        cv2.imwrite(str(folder / 'rgb' / f'{index:04}.png'), image)
        cv2.imwrite(str(folder / 'depth' / f'{index:04}.png'), depth)
    camera = Camera.pinhole(WIDTH, HEIGHT, 130.0, 130.0, 79.5, 59.5)
    text = camera.to_yaml()
    if scale != 1000.0:
        text += f'depth_scale: {scale}\n'
    (folder / 'camera.yaml').write_text(text)
    return folder
