# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A depth frame written to files: npy, 16-bit png, coloured png, ply, and its confidence."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np

from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.cloud import dense_points, point_cloud
from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.images.pictures import colorize
from msdepth_ros.inference.frame import DepthFrame

_MILLIMETRES = 1000.0
_MAX_UINT16 = 65535


class DepthFiles:
    """Writes depth frames in one or more formats, to files named after the image.

    Parameters
    ----------
    folder : where to write; created if it is missing.
    formats : of FORMATS, separated by commas.

    Raises
    ------
    MsdepthError
        If a format is not known.
    """

    def __init__(self, folder: Path, formats: str) -> None:
        self.folder = folder
        self._formats = [name for name in formats.split(',') if name]
        if not self._formats or not set(self._formats) <= set(FORMATS):
            raise MsdepthError(
                f"--format '{formats}' must be some of {','.join(FORMATS)}, separated by commas"
            )

    def paths(self, name: str) -> list[Path]:
        """Return the paths of one image's files, in the order of the formats."""
        return [self.folder / f'{name}{FORMATS[format][0]}' for format in self._formats]

    def write(self, name: str, frame: DepthFrame) -> None:
        """Write the files of one image.

        Raises
        ------
        MsdepthError
            If a file cannot be written, or a cloud has no calibration.
        """
        depth = frame.full_depth()  # once: it is most of the work
        for format, path in zip(self._formats, self.paths(name), strict=True):
            content = FORMATS[format][1](frame, depth)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            except OSError as error:
                raise MsdepthError(
                    f'cannot write {error.filename or path}: {error.strerror}'
                ) from error


def npy_bytes(depth: np.ndarray) -> bytes:
    """Return an array as the bytes of a .npy file."""
    with BytesIO() as file:
        np.save(file, depth)
        return file.getvalue()


def png_bytes(image: np.ndarray) -> bytes:
    """Return uint8 or uint16 [height, width(, 3 BGR)] as a PNG."""
    return cv2.imencode('.png', image)[1].tobytes()


def millimetres(depth: np.ndarray) -> np.ndarray:
    """Return depth in uint16 millimetres, 0 where it is NaN or too far for 16 bits.

    Parameters
    ----------
    depth : float32 of any shape, metres.
    """
    values = np.nan_to_num(depth * _MILLIMETRES).round()
    values[values > _MAX_UINT16] = 0
    return values.astype(np.uint16)


def ply_bytes(depth: np.ndarray, intrinsics: Intrinsics, colors: np.ndarray) -> bytes:
    """Return a coloured cloud, in the optical frame, as the bytes of a binary PLY file.

    Parameters
    ----------
    depth : float32 [height, width], metres, NaN invalid.
    intrinsics : of `depth`.
    colors : uint8 [height, width, 3] RGB.
    """
    points = dense_points(point_cloud(depth, intrinsics, colors))
    vertex = np.dtype([('xyz', '<f4', 3), ('rgb', 'u1', 3)])
    vertices = np.empty(len(points), vertex)
    vertices['xyz'] = points[:, :3]
    packed = np.ascontiguousarray(points[:, 3]).view(np.uint32)
    vertices['rgb'] = np.stack([packed >> shift & 255 for shift in (16, 8, 0)], axis=-1)
    properties = [f'property float {axis}' for axis in 'xyz']
    properties += [f'property uchar {color}' for color in ('red', 'green', 'blue')]
    header = ['ply', 'format binary_little_endian 1.0', f'element vertex {len(vertices)}']
    header += [*properties, 'end_header\n']
    return '\n'.join(header).encode() + vertices.tobytes()


def _ply(frame: DepthFrame, _: np.ndarray) -> bytes:
    if frame.intrinsics is None:
        raise MsdepthError('a point cloud needs a calibration: give --camera-info')
    return ply_bytes(frame.depth, frame.intrinsics, frame.colors())


# For each format, the suffix of the file, and its content from the frame and its full depth.
FORMATS: dict[str, tuple[str, Callable[[DepthFrame, np.ndarray], bytes]]] = {
    'npy': ('.npy', lambda _, depth: npy_bytes(depth)),
    'png': ('.png', lambda _, depth: png_bytes(millimetres(depth))),
    'color': ('_color.png', lambda _, depth: png_bytes(colorize(depth))),
    'ply': ('.ply', _ply),
    'confidence': (
        '_confidence.npy',
        lambda frame, depth: npy_bytes(frame.full_confidence(full_depth=depth)),
    ),
}
