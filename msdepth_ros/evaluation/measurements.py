# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measurements of the frames of a dataset, to align depth with.

They are simulated from the true depth, with noise of 2 % and 3 % of them wrong by half, or made by
earlier frames. So any dataset can show how large the errors are with measurements.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from msdepth_ros.datasets import Frame
from msdepth_ros.datasets.floor_plane import floor_plane
from msdepth_ros.errors import MsdepthError
from msdepth_ros.evaluation.earlier_views import EarlierViews
from msdepth_ros.inference.aligning import aligning
from msdepth_ros.inference.estimator import Align
from msdepth_ros.inference.frame import FrameGeometry
from msdepth_ros.inference.model import Model
from msdepth_ros.metric.floor import FloorPlane
from msdepth_ros.metric.metres import Metres
from msdepth_ros.metric.sparse_depth import SparseDepth

CHOICES = 'none, scan, points:N, floor, views'
_POINTS = 20  # where no number is given
_NOISE = 0.02  # standard deviation of ln(depth)
_WRONG_SHARE, _WRONG_FACTORS = 0.03, (0.5, 1.5)
_SIGMA = 0.03  # standard deviation of ln(depth) that the alignment is given
_BEAM = math.radians(0.5)  # between two beams of a laser scan
_HEIGHTS = (0.2, 2.0)  # lowest and highest camera above the floor, metres
_MOUNT_ERROR = math.radians(1.0), 0.01  # standard deviations: of `up`; of the height, metres


@dataclass(frozen=True)
class Measured:
    """What is measured of each frame of a dataset.

    Attributes
    ----------
    scan : one scan of a laser scanner in the plane of the camera's middle row.
    points : number of random points.
    floor : the floor, from the mount of the camera.
    mount : the floor in the camera's optical frame, for all frames. None: from each frame's true
        depth.
    views : points from earlier frames, by the poses of the dataset. These are not simulated.
    """

    scan: bool = False
    points: int = 0
    floor: bool = False
    mount: FloorPlane | None = None
    views: bool = False

    @classmethod
    def parse(cls, text: str, mount: FloorPlane | None = None) -> 'Measured':
        """Read the option --measured: some of CHOICES, separated by commas.

        Raises
        ------
        MsdepthError
            If a part of `text` is none of CHOICES.
        """
        scan = floor = views = False
        points = 0
        for name in text.replace(' ', '').split(','):
            kind, _, number = name.partition(':')
            if name == 'scan':
                scan = True
            elif name == 'floor':
                floor = True
            elif name == 'views':
                views = True
            elif name == 'points':
                points = _POINTS
            elif kind == 'points' and number.isdecimal() and int(number) > 0:
                points = int(number)
            elif name != 'none':
                raise MsdepthError(
                    f"--measured is '{text}' but must be some of {CHOICES}, separated by commas"
                )
        return cls(scan, points, floor, mount, views)

    def __bool__(self) -> bool:
        return self.scan or self.floor or self.views or self.points > 0

    def align_for(
        self, model: Model, frame: Frame, index: int, views: EarlierViews | None = None
    ) -> Align:
        """Return the function that aligns the depth of one frame with its measurements.

        Parameters
        ----------
        model : the model of the depth.
        frame : the frame, with its true depth.
        index : of the frame. It seeds the noise, so the same frame always has the same noise.
        views : the earlier frames, if they measure, too.
        """
        rng = np.random.default_rng([1, index])
        sparse = self.simulated(frame, rng)
        plane = self.plane(frame, rng) if self.floor else None
        return aligning_frame(model, frame, sparse, plane, views)

    def simulated(self, frame: Frame, rng: np.random.Generator) -> list[SparseDepth]:
        """Return what sensors measure of a frame, made from its true depth."""
        sparse = []
        if self.scan:
            sparse.append(simulated_scan(frame, rng))
        if self.points:
            sparse.append(simulated_points(frame, self.points, rng))
        return sparse

    def plane(self, frame: Frame, rng: np.random.Generator) -> FloorPlane | None:
        """Return where the floor is, by the mount or by a frame's true depth; None: not seen."""
        return self.mount or true_mount(frame, rng)


def aligning_frame(
    model: Model,
    frame: Frame,
    sparse: Sequence[SparseDepth],
    plane: FloorPlane | None,
    views: EarlierViews | None,
) -> Align:
    """Return what aligns a model's depth of a frame with what was measured of it.

    Parameters
    ----------
    sparse : what sensors measured.
    plane : the floor by the mount; None: it measures nothing.
    views : what was seen before; None: it measures nothing.
    """

    def measure(
        depth: np.ndarray, geometry: FrameGeometry, image: np.ndarray
    ) -> Sequence[SparseDepth]:
        if views is None:
            return sparse
        seen = views.measure(frame, depth, model.metric == 'metric', geometry, image)
        return [*sparse, *seen]

    return aligning(Metres(model.prior, model.metric), measure, plane)


def simulated_scan(frame: Frame, rng: np.random.Generator) -> SparseDepth:
    """Return the scan of a laser scanner that turns in the plane of the camera's middle row."""
    i = frame.intrinsics
    left, right = (math.atan((edge - i.cx) / i.fx) for edge in (-0.5, i.width - 0.5))
    u = np.rint(i.fx * np.tan(np.arange(left, right, _BEAM)) + i.cx).astype(np.intp)
    u = np.unique(u.clip(0, i.width - 1))
    v = np.full_like(u, round(min(max(i.cy, 0), i.height - 1)))
    return _measured(frame, u, v, rng, 'scan')


def simulated_points(frame: Frame, count: int, rng: np.random.Generator) -> SparseDepth:
    """Return measurements at random pixels that have a true depth."""
    rows, columns = np.nonzero(frame.depth > 0)
    some = rng.choice(len(rows), min(count, len(rows)), replace=False)
    return _measured(frame, columns[some], rows[some], rng, 'points')


def true_mount(frame: Frame, rng: np.random.Generator) -> FloorPlane | None:
    """Return the true floor with the error of a mount; None if the frame shows no floor."""
    plane = true_floor(frame, _HEIGHTS)
    return None if plane is None else with_mount_error(plane, rng)


def true_floor(frame: Frame, heights: tuple[float, float]) -> FloorPlane | None:
    """Return the floor in the true depth; None if the frame shows none.

    Parameters
    ----------
    frame : the frame, with its true depth.
    heights : lowest and highest camera above the floor, metres.
    """
    plane = floor_plane(frame, heights)
    if plane is None or not plane.any():
        return None
    height = 1 / float(np.linalg.norm(plane))
    return FloorPlane(plane * height, height)


def with_mount_error(plane: FloorPlane, rng: np.random.Generator) -> FloorPlane:
    """Return a plane with a random error as large as that of a mount measured by hand."""
    direction, above = _MOUNT_ERROR
    up = plane.up + rng.normal(0, direction, 3)
    return FloorPlane(up / np.linalg.norm(up), plane.height + float(rng.normal(0, above)))


def _measured(
    frame: Frame, u: np.ndarray, v: np.ndarray, rng: np.random.Generator, source: str
) -> SparseDepth:
    depth = frame.depth[v, u]
    factor = np.exp(rng.normal(0, _NOISE, len(depth)))
    wrong = rng.random(len(depth)) < _WRONG_SHARE
    factor[wrong] *= rng.choice(_WRONG_FACTORS, int(wrong.sum()))
    known = depth > 0
    sigma = np.full(len(depth), _SIGMA, np.float32)
    return SparseDepth(u, v, depth * factor, sigma, source)[known]
