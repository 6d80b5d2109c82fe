# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Depth as a picture for eyes."""

import cv2
import numpy as np

NEAREST = 0.3  # metres, the warm end
FARTHEST = 10.0  # metres, the cold end


def colorize(depth: np.ndarray) -> np.ndarray:
    """Return uint8 [height, width, 3] BGR: near is warm, far is cold, NaN is black.

    The colour follows the logarithm of depth (float32, metres) between NEAREST and FARTHEST, the
    same in every frame, so that a colour always means the same distance.
    """
    level = np.log(depth / np.float32(FARTHEST)) * np.float32(255 / np.log(NEAREST / FARTHEST))
    known = np.isfinite(level)
    level = np.where(known, level, 0).clip(0, 255).astype(np.uint8)
    picture = cv2.applyColorMap(level, cv2.COLORMAP_TURBO)
    picture[~known] = 0
    return picture
