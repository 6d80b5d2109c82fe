# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pinhole images and regular grids of cells in them.

Pixel centres lie on integers: an image of width W covers u from -0.5 to W - 0.5.
"""

import math
from dataclasses import dataclass

import numpy as np

_GUESSED_FIELD_OF_VIEW = math.radians(60)


@dataclass(frozen=True)
class Intrinsics:
    """The intrinsics of a pinhole image, in pixels: u = fx * X / Z + cx, v = fy * Y / Z + cy.

    X, Y, Z are in the optical frame (REP-103).
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    @property
    def focal(self) -> float:
        """The geometric mean of fx and fy, in pixels."""
        return math.sqrt(self.fx * self.fy)

    def focal_length(self, of: str) -> float:
        """Return one focal length in pixels, 'geometric_mean' or 'mean' of fx and fy, or 'fx'."""
        return {'mean': (self.fx + self.fy) / 2, 'fx': self.fx}.get(of, self.focal)

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
        """Return this grid in the image of `outer`; its own pixels are the cells of `outer`."""
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


def guessed_intrinsics(width: int, height: int) -> Intrinsics:
    """Return intrinsics with a horizontal field of view of 60 degrees, for uncalibrated images."""
    focal = width / 2 / math.tan(_GUESSED_FIELD_OF_VIEW / 2)
    return Intrinsics(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)
