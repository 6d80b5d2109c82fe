# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures for people: depth as colours; an image, its depth and its cloud side by side."""

import math

import cv2
import numpy as np

NEAREST = 0.3  # metres, the warm end
FARTHEST = 10.0  # metres, the cold end
_BACKGROUND = (24, 24, 24)
_LINES = (70, 70, 70)
_TEXT = (200, 200, 200)
_MARGIN = 0.5  # metres around the points


def colorize(depth: np.ndarray) -> np.ndarray:
    """Return depth as colours: near is warm, far is cold, NaN is black.

    The colour follows the logarithm of depth between NEAREST and FARTHEST, so that a colour means
    the same distance in every frame.

    Parameters
    ----------
    depth : float32 [height, width], metres.

    Returns
    -------
    uint8 [height, width, 3] BGR.
    """
    level = np.log(depth / np.float32(FARTHEST)) * np.float32(255 / np.log(NEAREST / FARTHEST))
    known = np.isfinite(level)
    level = np.where(known, level, 0).clip(0, 255).astype(np.uint8)
    picture = cv2.applyColorMap(level, cv2.COLORMAP_TURBO)
    picture[~known] = 0
    return picture


def side_by_side(image: np.ndarray, depth: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return image, coloured depth and cloud from above as one picture.

    Parameters
    ----------
    image : uint8 [height, width, 3] BGR.
    depth : float32 [height, width], metres, NaN invalid; resized to the image.
    points : float32 [..., 4], x, y, z and packed rgb, as cloud.point_cloud returns them.

    Returns
    -------
    uint8 [height, 2 * width + height, 3] BGR.
    """
    height, width = image.shape[:2]
    colored = cv2.resize(colorize(depth), (width, height), interpolation=cv2.INTER_NEAREST)
    return np.hstack([image, colored, bird_eye_view(points, height)])


def bird_eye_view(points: np.ndarray, size: int) -> np.ndarray:
    """Draw points from above: the camera is at the bottom and looks up, with a line every metre.

    Parameters
    ----------
    points : float32 [..., 4], x, y, z in the optical frame in metres, and packed rgb.
    size : width and height of the picture, pixels.

    Returns
    -------
    uint8 [size, size, 3] BGR.
    """
    picture = np.full((size, size, 3), _BACKGROUND, np.uint8)
    valid = points[np.isfinite(points[..., 2])]
    reach = 1.0 if not len(valid) else float(np.percentile(valid[:, 2], 99)) + _MARGIN
    scale = size / reach
    for metre in range(1, math.ceil(reach)):
        row = size - round(metre * scale)
        cv2.line(picture, (0, row), (size, row), _LINES)
        cv2.putText(picture, f'{metre} m', (4, row - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.4, _TEXT)
    if len(valid):
        column = np.rint(size / 2 + valid[:, 0] * scale).astype(int)
        row = np.rint(size - valid[:, 2] * scale).astype(int)
        packed = np.ascontiguousarray(valid[:, 3]).view(np.uint32)
        colors = np.stack([packed & 255, packed >> 8 & 255, packed >> 16 & 255], axis=-1)
        for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
            inside = (column + dx >= 0) & (column + dx < size) & (row + dy >= 0) & (row + dy < size)
            picture[row[inside] + dy, column[inside] + dx] = colors[inside]
    cv2.drawMarker(picture, (size // 2, size - 6), _TEXT, cv2.MARKER_TRIANGLE_UP, 10)
    return picture
