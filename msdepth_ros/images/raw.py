# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Raw encodings that must be converted for the network: Bayer, packed YUV, RGB565, 16 bits."""

import cv2
import numpy as np

from msdepth_ros.errors import ImageError
from msdepth_ros.images.encodings import CHANNELS, Encoding, Kind
from msdepth_ros.images.stretch import Stretch

_PACKED_YUV = {
    'uyvy': cv2.COLOR_YUV2BGR_UYVY, 'yuyv': cv2.COLOR_YUV2BGR_YUY2, 'yvyu': cv2.COLOR_YUV2BGR_YVYU,
}  # fmt: skip
_BAYER = {  # OpenCV names a Bayer pattern by its second row's second and third pixel
    'rggb': cv2.COLOR_BayerBG2BGR, 'bggr': cv2.COLOR_BayerRG2BGR,
    'gbrg': cv2.COLOR_BayerGR2BGR, 'grbg': cv2.COLOR_BayerGB2BGR,
}  # fmt: skip


def converted(
    rows: np.ndarray, width: int, encoding: Encoding, big_endian: bool, stretch: Stretch
) -> tuple[np.ndarray, str]:
    """Convert an encoding that is not planar to 8-bit colour or grey.

    Parameters
    ----------
    rows : uint8 [height, bytes per row], without row padding.
    width : pixels.
    encoding : of these rows.
    big_endian : the byte order of 16-bit values.
    stretch : that of the stream, for 16-bit values.

    Returns
    -------
    uint8 [height, width(, channels)]; and their encoding, one of `encodings.ENCODINGS`.

    Raises
    ------
    ImageError
        If a packed YUV image has an odd width, or a Bayer image is too small.
    """
    values = np.ascontiguousarray(rows)
    if encoding.deep:
        deep = values.view('>u2' if big_endian else '<u2').astype(np.uint16, copy=False)
        values = stretch.eight_bit(deep)
    if encoding.kind is Kind.BAYER:
        return demosaiced(values, encoding.name), 'bgr8'
    if encoding.kind is Kind.RGB565:
        pairs = values.view('>u2' if big_endian else '<u2').astype(np.uint16, copy=False)
        pixels = pairs.view(np.uint8).reshape(len(rows), width, 2)
        return cv2.cvtColor(pixels, cv2.COLOR_BGR5652BGR), 'bgr8'
    if encoding.kind is Kind.PACKED_YUV:
        if width % 2:
            raise ImageError(
                f'a {encoding.name} image must have an even width, not {width}x{len(rows)}'
            )
        pairs = values.reshape(len(rows), width, 2)
        if encoding.name == 'vyuy':
            pairs, name = np.ascontiguousarray(pairs[..., ::-1]), 'yvyu'
        else:
            name = encoding.name
        return cv2.cvtColor(pairs, _PACKED_YUV[name]), 'bgr8'
    channels = CHANNELS[encoding.name]
    return values.reshape((len(rows), width, channels)[: 2 + (channels > 1)]), encoding.name


def demosaiced(mosaic: np.ndarray, pattern: str) -> np.ndarray:
    """Demosaic a Bayer image.

    Parameters
    ----------
    mosaic : uint8 [height, width].
    pattern : the filters of the upper left 2x2 pixels, as `rggb`.

    Returns
    -------
    uint8 [height, width, 3] BGR.

    Raises
    ------
    ImageError
        If it is too small.
    """
    try:
        return cv2.cvtColor(mosaic, _BAYER[pattern])
    except cv2.error as error:
        height, width = mosaic.shape
        raise ImageError(f'OpenCV cannot convert a Bayer image of {width}x{height}') from error
