# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Disturbances of an image between the lens and the network."""

import cv2
import numpy as np


def compressed(image: np.ndarray, quality: int) -> np.ndarray:
    """Return uint8 [height, width, 3] after JPEG compression of a quality from 1 to 100."""
    _, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
