# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""YUV images with luma and chroma in separate planes."""

from dataclasses import dataclass

import cv2
import numpy as np

from msdepth_ros.errors import ImageError

_ALIGNMENTS = (2, 16, 32, 64, 128, 256)  # to which drivers round up width and height of buffers


@dataclass(frozen=True)
class _Layout:
    """Where the chroma lies: one chroma pair for `across` x `down` luma pixels, U or V first."""

    across: int
    down: int
    interleaved: bool
    u_first: bool

    def chroma(self, stride: int, rows: int) -> tuple[int, int]:
        """Return (stride, rows) of a chroma plane, given those of the luma plane."""
        samples = -(-stride // self.across)
        return samples * (2 if self.interleaved else 1), -(-rows // self.down)

    def size(self, stride: int, rows: int) -> int:
        """Return the bytes of an image, given stride and rows of its luma plane."""
        chroma_stride, chroma_rows = self.chroma(stride, rows)
        return stride * rows + chroma_stride * chroma_rows * (1 if self.interleaved else 2)


_LAYOUTS = {
    'nv12': _Layout(2, 2, True, True), 'nv21': _Layout(2, 2, True, False),
    'nv16': _Layout(2, 1, True, True), 'nv61': _Layout(2, 1, True, False),
    'nv24': _Layout(1, 1, True, True), 'nv42': _Layout(1, 1, True, False),
    'i420': _Layout(2, 2, False, True), 'yv12': _Layout(2, 2, False, False),
    'i422': _Layout(2, 1, False, True), 'yv16': _Layout(2, 1, False, False),
    'i444': _Layout(1, 1, False, True), 'yv24': _Layout(1, 1, False, False),
}  # fmt: skip
_WHOLE = {'nv12': cv2.COLOR_YUV2BGR_NV12, 'nv21': cv2.COLOR_YUV2BGR_NV21}


def planar_to_bgr(name: str, width: int, height: int, step: int, data: np.ndarray) -> np.ndarray:
    """Return a planar YUV image as uint8 [height, width, 3] BGR (ITU-R BT.601, 16 to 235).

    Drivers do not agree on what `step` means here. It is used if it agrees with the length of the
    data; otherwise the stride and the number of rows are those of the image, or these rounded up to
    the alignment of a buffer, whichever agrees.

    Parameters
    ----------
    name : of the layout, as nv12 or i420.
    width, height : pixels.
    step : of the message, bytes.
    data : uint8 [count], may be longer than the image.

    Raises
    ------
    ImageError
        If there are fewer bytes than the image has.
    """
    layout = _LAYOUTS[name]
    stride, rows = _place(name, width, height, step, data.size)
    luma = np.ndarray((height, width), np.uint8, data, strides=(stride, 1))
    chroma_stride, chroma_rows = layout.chroma(stride, rows)
    shape = -(-height // layout.down), -(-width // layout.across)
    start, second = stride * rows, stride * rows + chroma_stride * chroma_rows
    if layout.interleaved:
        pairs = np.ndarray((*shape, 2), np.uint8, data, start, (chroma_stride, 2, 1))
        if name in _WHOLE and width % 2 == height % 2 == 0:
            return cv2.cvtColorTwoPlane(luma, pairs, _WHOLE[name])
        first, other = pairs[..., 0], pairs[..., 1]
    else:
        first, other = (
            np.ndarray(shape, np.uint8, data, offset, (chroma_stride, 1))
            for offset in (start, second)
        )
    u, v = (first, other) if layout.u_first else (other, first)
    return _from_planes(luma, u, v, layout)


def _from_planes(luma: np.ndarray, u: np.ndarray, v: np.ndarray, layout: _Layout) -> np.ndarray:
    """Return three planes as BGR, converted by way of YUYV: half of 4:4:4's chroma is dropped."""
    height, width = luma.shape
    yuyv = np.empty((height, width + width % 2, 2), np.uint8)
    yuyv[:, :width, 0] = luma
    yuyv[:, width:, 0] = luma[:, -1:]
    for place, plane in enumerate((u, v)):
        columns = plane[:, ::2] if layout.across == 1 else plane
        rows = np.repeat(columns, 2, axis=0)[:height] if layout.down == 2 else columns
        yuyv[:, place::2, 1] = rows
    return np.ascontiguousarray(cv2.cvtColor(yuyv, cv2.COLOR_YUV2BGR_YUY2)[:, :width])


def _place(name: str, width: int, height: int, step: int, count: int) -> tuple[int, int]:
    """Return the stride and the number of rows of the luma plane."""
    layout = _LAYOUTS[name]
    aligned = [-(-width // unit) * unit for unit in _ALIGNMENTS]
    strides = [stride for stride in (step, width, *aligned) if stride >= width]
    heights = [height, *(-(-height // unit) * unit for unit in _ALIGNMENTS)]
    for rows in heights:
        for stride in strides:
            if layout.size(stride, rows) == count:
                return stride, rows
    for stride in strides[:2]:
        if layout.size(stride, height) <= count:
            return stride, height
    if layout.size(width, height) <= count:
        return width, height
    raise ImageError(
        f'data has {count} bytes but a {name} image of {width}x{height} needs '
        f'{layout.size(width, height)}'
    )
