# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Cameras and fits computed from their definitions, with NumPy and OpenCV's point functions."""

import math
from dataclasses import replace

import cv2
import numpy as np

from msdepth_ros.geometry.camera import Camera

INPUT_WIDTH, INPUT_HEIGHT = 304, 228
CELLS_X, CELLS_Y = 4 * np.arange(74) + 5, 4 * np.arange(55) + 5  # the oracle's, network pixels
LENSES = {
    'none': ('plumb_bob', (0.0,) * 5),
    'plumb_bob': ('plumb_bob', (-0.28, 0.09, 0.0012, -0.0008, 0.0)),
    'rational_polynomial': (
        'rational_polynomial',
        (0.1, -0.05, 0.0004, 0.0003, 0.01, 0.3, -0.02, 0.005),
    ),
    'equidistant': ('equidistant', (0.02, -0.01, 0.004, -0.001)),
}
READOUTS = {
    'whole': (False, (0, 0)),
    'roi': (True, (1, 1)),
    'binning': (False, (2, 2)),
    'roi and binning': (True, (2, 3)),
}
# A wall 3 m ahead, turned 25 degrees to the right and leaning 20 degrees back: n . X = 3.
WALL = np.array([math.sin(0.436) * math.cos(0.35), math.sin(0.35), math.cos(0.436)])
WALL /= WALL[2]


def camera_of(size, lens='none', readout='whole'):
    """Return a camera off centre, whose P differs from its K and which delivers images of `size`.

    With a region of interest the sensor is a quarter larger, with binning so many times larger.
    """
    cut, binning = READOUTS[readout]
    read = tuple(length * max(1, b) for length, b in zip(size, binning))
    width, height = (length + length // 4 for length in read) if cut else read
    focal = 0.8 * max(width, height)
    name, d = LENSES[lens]
    k = (focal, 0.0, 0.51 * width, 0.0, 1.02 * focal, 0.48 * height, 0.0, 0.0, 1.0)
    p = (0.95 * focal, 0.0, 0.5 * width, 0.0, 0.0, focal, 0.5 * height, 0.0, 0.0, 0.0, 1.0, 0.0)
    camera = Camera(width, height, k, d, name, p=p, binning=binning)
    return replace(camera, roi=(width // 10, height // 8, *read)) if cut else camera


def matrix_of(camera, rectified):
    """Return P's or K's (fx, fy, cx, cy) in the delivered image, as PinholeCameraModel does."""
    full = (
        (camera.p[0], camera.p[5], camera.p[2], camera.p[6])
        if rectified
        else (camera.k[0], camera.k[4], camera.k[2], camera.k[5])
    )
    (x, y, _, _), (bx, by) = camera.roi, (max(1, b) for b in camera.binning)
    return full[0] / bx, full[1] / by, (full[2] - x) / bx, (full[3] - y) / by


def rays(matrix, u, v):
    """Return the rays [..., 3] with Z = 1 of pixels of a pinhole image (fx, fy, cx, cy)."""
    fx, fy, cx, cy = matrix
    return np.stack(np.broadcast_arrays((u - cx) / fx, (v - cy) / fy, 1.0), axis=-1)


def wall_depth(matrix, u, v):
    """Return Z where the rays of pixels meet the wall."""
    return 3 / (rays(matrix, u, v) @ WALL)


def off_wall(points):
    """Return the distance of points [..., 3] from the wall, metres."""
    return np.abs(points.astype(np.float64) @ WALL - 3) / np.linalg.norm(WALL)


def raw_pixels(camera, directions):
    """Return the pixels [N, 2] of the delivered image where the lens shows rays [N, 3]."""
    fx, fy, cx, cy = matrix_of(camera, rectified=False)
    k = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    d, zero = np.array(camera.d), np.zeros(3)
    lens = cv2.fisheye if camera.distortion_model == 'equidistant' else cv2
    return lens.projectPoints(directions[:, None], zero, zero, k, d)[0][:, 0]


def undistorted(camera, pixels):
    """Return OpenCV's ray [N, 3] with Z = 1 of pixels [N, 2] of the delivered image."""
    fx, fy, cx, cy = matrix_of(camera, rectified=False)
    k, d = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), np.array(camera.d)
    ending = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 50, 1e-9)
    points = np.ascontiguousarray(pixels, np.float64)[:, None]
    if camera.distortion_model == 'equidistant':
        slopes = cv2.fisheye.undistortPoints(points, k, d)
    else:  # iterated to the end, which OpenCV 4 offers under another name
        undistort = getattr(cv2, 'undistortPointsIter', cv2.undistortPoints)
        slopes = undistort(points, k, d, R=np.eye(3), P=np.eye(3), criteria=ending)
    return np.concatenate([slopes[:, 0], np.ones((len(pixels), 1))], axis=1)


class Fit:
    """Where network pixels lie in the camera image: as the documentation defines each fit."""

    def __init__(self, fit, size):
        width, height = size
        full, whole = (0, 0, INPUT_WIDTH, INPUT_HEIGHT), (0, 0, width, height)
        scale = (max if fit == 'crop' else min)(INPUT_WIDTH / width, INPUT_HEIGHT / height)
        if fit == 'stretch':
            self.source, self.target = whole, full
        elif fit == 'crop':
            w, h = round(INPUT_WIDTH / scale), round(INPUT_HEIGHT / scale)
            self.source, self.target = ((width - w) // 2, (height - h) // 2, w, h), full
        else:
            w, h = round(width * scale), round(height * scale)
            left, top = (INPUT_WIDTH - w) // 2, (INPUT_HEIGHT - h) // 2
            self.source, self.target = whole, (left, top, w, h)
        self.step = np.array(self.source[2:]) / self.target[2:]

    def camera_pixels(self, x, y):
        """Return (u, v) in the rectified camera image of network pixels (x, y)."""
        (x0, y0, _, _), (left, top, _, _) = self.source, self.target
        u = x0 + (x - left + 0.5) * self.step[0] - 0.5
        return u, y0 + (y - top + 0.5) * self.step[1] - 0.5


def wall_bound(valid, matrix, placed, u, v, z):
    """Return how far off the wall interpolated depth z of camera pixels may lie, and where it may.

    1 / Z = WALL . ray / 3 is linear in the pixel and is what is interpolated: the bound is 0. But
    nothing tells the slope at a cell that has no valid neighbour on an axis: up to half a cell's
    change of 1 / Z is missing there. `valid`: bool, the cells; `placed`: a Fit.
    """
    around = np.pad(valid, 1)
    beside = around[1:-1, :-2] | around[1:-1, 2:]
    alone = ~beside | ~(around[:-2, 1:-1] | around[2:, 1:-1])
    first_u, first_v = placed.camera_pixels(CELLS_X[0], CELLS_Y[0])
    column = np.rint((u - first_u) / (4 * placed.step[0])).astype(int)
    row = np.rint((v - first_v) / (4 * placed.step[1])).astype(int)
    alone = alone[row.clip(0, len(CELLS_Y) - 1), column.clip(0, len(CELLS_X) - 1)]
    change = np.abs(WALL[:2]) / 3 * 4 * placed.step / np.array(matrix[:2])
    return np.where(alone, z**2 * change.sum() / 2, 0), alone
