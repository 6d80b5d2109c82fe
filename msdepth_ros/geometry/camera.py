# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The camera model of sensor_msgs/CameraInfo, and pinhole intrinsics of images made from it.

Pixel centres lie on integers: an image of width W covers u from -0.5 to W - 0.5.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from msdepth_ros.errors import CalibrationError
from msdepth_ros.geometry.camera_check import check_camera

_IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
_ASPECT_TOLERANCE = 0.01


@dataclass(frozen=True)
class Intrinsics:
    """A pinhole image: u = fx * X / Z + cx, v = fy * Y / Z + cy, in pixels, optical frame."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    def resized(self, width: int, height: int) -> 'Intrinsics':
        """Return the intrinsics after resizing the whole image with half-pixel centres."""
        sx, sy = width / self.width, height / self.height
        return Intrinsics(
            width,
            height,
            self.fx * sx,
            self.fy * sy,
            (self.cx + 0.5) * sx - 0.5,
            (self.cy + 0.5) * sy - 0.5,
        )

    def sampled(self, grid: 'Grid') -> 'Intrinsics':
        """Return the intrinsics of an image whose pixels are the cells of a grid in this one."""
        return Intrinsics(
            grid.width,
            grid.height,
            self.fx / grid.step[0],
            self.fy / grid.step[1],
            (self.cx - grid.origin[0]) / grid.step[0],
            (self.cy - grid.origin[1]) / grid.step[1],
        )

    def matrix(self) -> np.ndarray:
        """Return the 3x3 float64 camera matrix."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]], np.float64)

    def ray_slopes(self) -> tuple[np.ndarray, np.ndarray]:
        """Return X/Z for each column (float32 [width]) and Y/Z for each row (float32 [height])."""
        x = (np.arange(self.width) - self.cx) / self.fx
        y = (np.arange(self.height) - self.cy) / self.fy
        return x.astype(np.float32), y.astype(np.float32)


@dataclass(frozen=True)
class Grid:
    """A regular grid of cells in an image: cell (i, j) is centred on origin + (i, j) * step.

    `origin` and `step` are (x, y) in pixels of that image.
    """

    width: int
    height: int
    origin: tuple[float, float]
    step: tuple[float, float]

    def within(self, outer: 'Grid') -> 'Grid':
        """Return this grid in the image that `outer` lies in, if its own image is `outer`."""
        return Grid(
            self.width,
            self.height,
            (
                outer.origin[0] + outer.step[0] * self.origin[0],
                outer.origin[1] + outer.step[1] * self.origin[1],
            ),
            (outer.step[0] * self.step[0], outer.step[1] * self.step[1]),
        )

    def pixels(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the pixel (u, v) of each cell's centre, float64 [height, width] each."""
        u = self.origin[0] + self.step[0] * np.arange(self.width)
        v = self.origin[1] + self.step[1] * np.arange(self.height)
        return tuple(np.meshgrid(u, v))

    def strided(self, stride: int) -> 'Grid':
        """Return the grid of every stride-th cell, from cell (0, 0) on."""
        return Grid(
            -(-self.width // stride),
            -(-self.height // stride),
            self.origin,
            (self.step[0] * stride, self.step[1] * stride),
        )


@dataclass(frozen=True)
class Camera:
    """A camera calibration, field by field as sensor_msgs/CameraInfo defines it.

    `k`, `r`, `p` are row-major 3x3, 3x3 and 3x4; `d` the distortion coefficients. `roi` is
    (x_offset, y_offset, width, height) in full-resolution pixels, all 0 = the full image;
    `binning` (x, y), 0 or 1 = none. Hashable, so that a change is seen by comparison.
    """

    width: int
    height: int
    k: tuple[float, ...]
    d: tuple[float, ...] = ()
    distortion_model: str = 'plumb_bob'
    r: tuple[float, ...] = _IDENTITY
    p: tuple[float, ...] = ()
    roi: tuple[int, int, int, int] = (0, 0, 0, 0)
    binning: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        if len(self.k) != 9 or len(self.r) != 9 or len(self.p) not in (0, 12):
            raise CalibrationError(
                'a calibration has 9 numbers in K, 9 in R and 12 in P, this one has '
                f'{len(self.k)}, {len(self.r)} and {len(self.p)}'
            )

    @classmethod
    def pinhole(
        cls, width: int, height: int, fx: float, fy: float, cx: float, cy: float
    ) -> 'Camera':
        """Return an ideal camera without distortion."""
        k = (fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0)
        p = (fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0)
        return cls(width, height, k, (0.0,) * 5, 'plumb_bob', _IDENTITY, p)

    @classmethod
    def from_yaml(cls, path: str | Path) -> 'Camera':
        """Read a calibration in the format of camera_calibration (camera_calibration_parsers).

        Raises
        ------
        CalibrationError
            If the file cannot be read or is not such a calibration.
        """
        try:
            document = yaml.safe_load(Path(path).read_text(encoding='utf-8'))
        except (OSError, ValueError, yaml.YAMLError) as error:
            reason = ' '.join(str(error).split())
            raise CalibrationError(
                f'cannot read the camera calibration {path}: {reason}'
            ) from error
        try:
            camera = cls(
                width=int(document['image_width']),
                height=int(document['image_height']),
                k=_numbers(document['camera_matrix']),
                d=_numbers(document.get('distortion_coefficients', {'data': []})),
                distortion_model=str(document.get('distortion_model', 'plumb_bob')),
                r=_numbers(document.get('rectification_matrix', {'data': _IDENTITY})),
                p=_numbers(document.get('projection_matrix', {'data': []})),
            )
            camera.check()
        except CalibrationError as error:
            raise CalibrationError(f'{path}: {error}') from error
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise CalibrationError(
                f'{path} is not a calibration of camera_calibration (image_width, image_height, '
                f'camera_matrix: {{data: [9 numbers]}}, ...): {error!r}'
            ) from error
        return camera

    def to_yaml(self, name: str = 'camera') -> str:
        """Return the calibration as text in the format of camera_calibration."""

        def matrix(rows: int, cols: int, data: tuple[float, ...]) -> dict[str, Any]:
            return {'rows': rows, 'cols': cols, 'data': list(data)}

        document = {
            'image_width': self.width,
            'image_height': self.height,
            'camera_name': name,
            'camera_matrix': matrix(3, 3, self.k),
            'distortion_model': self.distortion_model,
            'distortion_coefficients': matrix(1, len(self.d), self.d),
            'rectification_matrix': matrix(3, 3, self.r),
            'projection_matrix': matrix(3, 4, self.p or _projection(self.k)),
        }
        return yaml.safe_dump(document, sort_keys=False, default_flow_style=None)

    def check(self) -> None:
        """Raise CalibrationError unless metric geometry can be computed from this calibration."""
        check_camera(self)

    @property
    def distorted(self) -> bool:
        """Whether raw images of this camera need rectification."""
        return any(self.d)

    @property
    def delivered_size(self) -> tuple[int, int]:
        """(width, height) of the images that the camera delivers: after ROI and binning."""
        _, _, roi_width, roi_height = self.roi
        bx, by = (max(1, b) for b in self.binning)
        return (roi_width or self.width) // bx, (roi_height or self.height) // by

    def for_image(self, width: int, height: int) -> 'Camera':
        """Return this calibration for an image of the given size, ROI and binning applied.

        ROI and binning change the numbers as image_geometry's PinholeCameraModel does:
        cx' = (cx - x_offset) / binning_x. An image of another size but of the same aspect
        (within 1 %) is taken as a resized one.

        Raises
        ------
        CalibrationError
            If the aspect differs, so that the image cannot be of this calibration.
        """
        delivered = self.delivered_size
        camera = self._cropped_and_binned(*delivered)
        if (width, height) == delivered:
            return camera
        sx, sy = width / delivered[0], height / delivered[1]
        if abs(sx / sy - 1) > _ASPECT_TOLERANCE:
            raise CalibrationError(
                f'the image is {width}x{height} but the calibration is for '
                f'{delivered[0]}x{delivered[1]}, another aspect: publish the camera_info of this '
                'image, or calibrate the camera at this size'
            )
        return replace(
            camera,
            width=width,
            height=height,
            k=_scaled(camera.k, 3, sx, sy),
            p=_scaled(camera.p, 4, sx, sy),
        )

    def _cropped_and_binned(self, width: int, height: int) -> 'Camera':
        x, y, _, _ = self.roi
        bx, by = (max(1, b) for b in self.binning)
        if (x, y, bx, by) == (0, 0, 1, 1) and (width, height) == (self.width, self.height):
            return self

        def change(matrix: tuple[float, ...], columns: int) -> tuple[float, ...]:
            if not matrix:
                return matrix
            m = np.array(matrix).reshape(3, columns)
            m[0, 2] -= x
            m[1, 2] -= y
            m[0] /= bx
            m[1] /= by
            return tuple(m.ravel().tolist())

        return replace(
            self,
            width=width,
            height=height,
            k=change(self.k, 3),
            p=change(self.p, 4),
            roi=(0, 0, 0, 0),
            binning=(0, 0),
        )

    def raw_intrinsics(self) -> Intrinsics:
        """Return K's intrinsics: those of the raw image, but for its distortion."""
        return Intrinsics(self.width, self.height, self.k[0], self.k[4], self.k[2], self.k[5])

    def rectified_intrinsics(self) -> Intrinsics:
        """Return P's intrinsics: those of the rectified image (K's where P is not given)."""
        if not self.p or self.p[0] == 0.0:
            return self.raw_intrinsics()
        return Intrinsics(self.width, self.height, self.p[0], self.p[5], self.p[2], self.p[6])


def _numbers(matrix: Any) -> tuple[float, ...]:
    return tuple(float(number) for number in matrix['data'])


def _projection(k: tuple[float, ...]) -> tuple[float, ...]:
    return (*k[0:3], 0.0, *k[3:6], 0.0, *k[6:9], 0.0)


def _scaled(matrix: tuple[float, ...], columns: int, sx: float, sy: float) -> tuple[float, ...]:
    """Return K (3 columns) or P (4 columns) for an image resized with half-pixel centres."""
    if not matrix:
        return matrix
    m = np.array(matrix).reshape(3, columns)
    m[0] *= sx
    m[1] *= sy
    m[0, 2] += 0.5 * (sx - 1)
    m[1, 2] += 0.5 * (sy - 1)
    return tuple(m.ravel().tolist())
