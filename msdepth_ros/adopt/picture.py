# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The picture of an adopted network's prediction for one photo."""

import cv2
import numpy as np

from msdepth_ros.images.pictures import FARTHEST, NEAREST, colorize

_HEIGHT = 360  # pixels of each part
_BAR = 28
_TEXT = (235, 235, 235)


def draw_check(pixels: np.ndarray, depth: np.ndarray, metric: bool, title: str) -> np.ndarray:
    """Return the network's input beside its depth, uint8 [H, W, 3] BGR.

    Parameters
    ----------
    pixels : uint8 [h, w, 3] RGB.
    depth : float32 [h, w], NaN invalid (black); metres, or up to a factor.
    metric : whether it is in metres; otherwise the colours are scaled to its range.
    title : of the line of text below.
    """
    known = depth[np.isfinite(depth) & (depth > 0)]
    near, far = np.percentile(known, [2, 98]) if known.size else (NEAREST, FARTHEST)
    scaled = depth
    if not metric and far > near > 0:
        with np.errstate(invalid='ignore', divide='ignore'):
            level = np.log(depth / near) / np.log(far / near)
            scaled = (NEAREST * (FARTHEST / NEAREST) ** level.clip(0, 1)).astype(np.float32)
    width = round(_HEIGHT * pixels.shape[1] / pixels.shape[0])
    photo = cv2.resize(pixels[..., ::-1].copy(), (width, _HEIGHT), interpolation=cv2.INTER_AREA)
    colored = cv2.resize(colorize(scaled), (width, _HEIGHT), interpolation=cv2.INTER_NEAREST)
    bar = np.full((_BAR, 2 * width, 3), 24, np.uint8)
    unit = 'm' if metric else '(no unit yet)'
    text = f'{title}: near (warm) {near:.2f} to far (cold) {far:.2f} {unit}'
    cv2.putText(bar, text, (8, 19), cv2.FONT_HERSHEY_SIMPLEX, 0.45, _TEXT, 1, cv2.LINE_AA)
    return np.vstack([np.hstack([photo, colored]), bar])
