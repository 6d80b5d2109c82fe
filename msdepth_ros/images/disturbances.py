# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What befalls an image between the lens and the network."""

import cv2
import numpy as np


def compressed(image: np.ndarray, quality: int) -> np.ndarray:
    """Return a uint8 image of three channels after JPEG of a quality from 1 to 100."""
    _, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
