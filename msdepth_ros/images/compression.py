# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Images compressed as by image_transport's plugins, for a wireless link.

The formats are those of compressed_image_transport and compressed_depth_image_transport in
ros-perception/image_transport_plugins.
"""

import struct

import cv2
import numpy as np

JPEG_QUALITY = 80
_HEADER = struct.Struct('<iff')  # format (0: inverse depth), then a and b
_INVERSE_DEPTH = 0
_FARTHEST = 10.0  # metres, the plugin's default for depth_max
_STEPS = 65.0  # at the farthest depth, a step of q is 1 / 65 of it
_LARGEST = 65535
# zlib's fastest strategy for quantised depth.
_PNG = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE)
_TO_BGR = {
    'rgb8': cv2.COLOR_RGB2BGR,
    'rgba8': cv2.COLOR_RGBA2BGR,
    'bgra8': cv2.COLOR_BGRA2BGR,
}

DEPTH_FORMAT = '32FC1; compressedDepth png'


def compressed_depth(depth: np.ndarray) -> bytes:
    """Return a depth image as compressed_depth_image_transport writes a 32FC1 image.

    The data is an int32 and two float32 a, b, then a 16-bit PNG of q = a / z + b (rounded down), 0
    where invalid; b = 1 - a / farthest. One step of q is z^2 / a metres: 1.4 cm at 3 m, 15 cm at
    10 m, less than the error of any depth from one image. The farthest depth is 10 m, the plugin's
    default; it is doubled until the whole image is nearer.

    Parameters
    ----------
    depth : float32 [height, width], metres along Z, NaN invalid.
    """
    greatest = float(np.nanmax(depth, initial=0.0))
    farthest = _FARTHEST
    while farthest <= greatest < np.inf:
        farthest *= 2
    a = np.float32(_STEPS * farthest)
    b = np.float32(1) - a / np.float32(farthest)
    with np.errstate(divide='ignore', invalid='ignore'):
        inverse = a / depth + b
        inverse[~((depth > 0) & (depth < farthest))] = 0
    quantised = np.minimum(inverse, _LARGEST).astype(np.uint16)
    png = cv2.imencode('.png', quantised, _PNG)[1]
    return _HEADER.pack(_INVERSE_DEPTH, a, b) + png.tobytes()


def compressed_color(pixels: np.ndarray, encoding: str) -> tuple[bytes, str]:
    """Return an image as compressed_image_transport writes it with jpeg.

    Parameters
    ----------
    pixels : uint8 [height, width, channels], or [height, width] for mono8.
    encoding : rgb8, bgr8, rgba8, bgra8 or mono8.

    Returns
    -------
    The JPEG, and the message's `format`.
    """
    code = _TO_BGR.get(encoding)
    bgr = pixels if code is None else cv2.cvtColor(pixels, code)
    jpeg = cv2.imencode('.jpg', bgr, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))[1]
    kind = '' if encoding == 'mono8' else 'bgr8'
    return jpeg.tobytes(), f'{encoding}; jpeg compressed {kind}'


def after_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """Return uint8 [height, width, 3] after JPEG compression of a quality from 1 to 100."""
    _, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
