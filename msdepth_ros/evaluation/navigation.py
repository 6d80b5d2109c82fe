# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measures how well the depth shows obstacles to a robot, and how many false ones it shows.

The floor is divided into cells. The true depth and the camera's mount define which cells within
RANGE metres hold something that a robot ROBOT metres high would hit: the true cells. The estimated
depth marks cells as the node and the shipped costmaps do, up to TOP metres above the floor. Counted
are the true cells that are marked, and the marked cells that are far from everything there.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from msdepth_ros.datasets import Frame
from msdepth_ros.evaluation.measurements import true_floor, with_mount_error
from msdepth_ros.geometry.cloud import point_cloud
from msdepth_ros.geometry.flying_pixels import remove_flying_pixels
from msdepth_ros.geometry.obstacles import Confirmation, find_obstacles
from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.inference.frame import DepthFrame
from msdepth_ros.metric.floor import FloorPlane

ROBOT = 0.3  # metres, its height
TOP = 2.0  # metres, max_obstacle_height of config/nav2_costmap.yaml
RANGE = 4.0  # metres
CELL = 0.05  # metres
TOLERANCE = 0.3  # metres; a marked cell farther than this from all true obstacles is false
BANDS = ((0.0, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 4.0))  # metres
CLIP_RATE = 10.0  # Hz
_MEMORY = 1.0  # seconds, the default of obstacles.memory
_HEIGHTS = (0.08, 2.0)  # lowest and highest camera above the floor, metres
EDGE_THRESHOLD = 0.10  # as config/navigation.yaml has it
_DEPTH_ERROR = 0.3  # the default of obstacles.depth_error
_TRUE_ERROR = 0.03  # relative error of the true depth
_TRUE_POINTS = 3  # fewest points in a true cell
_TRUE_WIDTH = 320  # pixels that the true depth is shrunk to


@dataclass(frozen=True)
class Band:
    """The obstacles found between two distances from the camera.

    Attributes
    ----------
    near, far : the distances, metres.
    true_cells : mean number of true cells per frame.
    recall : share of the true cells that are marked or next to a marked cell; NaN without true
        cells.
    false_cells : mean number per frame of marked cells more than TOLERANCE from all true obstacles.
    """

    near: float
    far: float
    true_cells: float
    recall: float
    false_cells: float


@dataclass(frozen=True)
class NavigationErrors:
    """The obstacles found on some frames.

    Attributes
    ----------
    frames : number of frames that show a floor.
    floorless : number of frames that show no floor, and are left out.
    all : the whole range.
    bands : the range by distance.
    steady : the whole range, with only the obstacles that an earlier frame confirms. The node
        publishes these. The frames are taken as CLIP_RATE Hz video.
    median_false, worst_false : median and largest number of false cells of a frame.
    """

    frames: int
    floorless: int
    all: Band
    bands: Sequence[Band]
    steady: Band
    median_false: float
    worst_false: int

    def document(self) -> dict[str, Any]:
        """Return everything as plain values, rounded to four decimals; NaN becomes None."""

        def plain(value: Any) -> Any:
            if isinstance(value, dict):
                return {name: plain(each) for name, each in value.items()}
            if isinstance(value, (list, tuple)):
                return [plain(each) for each in value]
            if isinstance(value, float):
                return None if np.isnan(value) else round(value, 4)
            return value

        return plain(dataclasses.asdict(self))


class NavigationTally:
    """Collects frames into NavigationErrors.

    Parameters
    ----------
    mount : the floor in the camera's optical frame, for all frames. None: from each frame's true
        depth.
    """

    def __init__(self, mount: FloorPlane | None = None) -> None:
        self._mount = mount
        self._floorless = 0
        self._counts: list[np.ndarray] = []
        self._steady: list[np.ndarray] = []
        self._confirmation = Confirmation()

    def add(self, estimate: DepthFrame, frame: Frame, index: int) -> None:
        """Compare one frame; `index` seeds the error of the mount that the estimate is given."""
        true_plane = self._mount or true_floor(frame, _HEIGHTS)
        if true_plane is None or estimate.intrinsics is None:
            self._floorless += 1
            return
        plane = self._mount or with_mount_error(true_plane, np.random.default_rng([2, index]))
        hit, standing = _true_cells(frame, true_plane)
        depth, intrinsics = _obstacle_depth(estimate, frame, plane), estimate.intrinsics
        stamp = len(self._counts) / CLIP_RATE
        steady = self._confirmation.confirm(depth, intrinsics.fx, stamp, _MEMORY)
        for counts, each in ((self._counts, depth), (self._steady, steady)):
            marked = _cells(each, intrinsics, plane, TOP) > 0
            counts.append(_compared(hit, standing, marked))

    def errors(self) -> NavigationErrors | None:
        """Return the errors of all frames; None if no frame shows a floor."""
        if not self._counts:
            return None
        counts = np.array(self._counts, np.float64)  # [frames, bands, 3]
        false = counts[..., 2].sum(axis=1)
        return NavigationErrors(
            len(counts),
            self._floorless,
            _band(0.0, RANGE, counts.sum(axis=1)),
            [_band(*ends, counts[:, k]) for k, ends in enumerate(BANDS)],
            _band(0.0, RANGE, np.array(self._steady, np.float64).sum(axis=1)),
            float(np.median(false)),
            int(false.max()),
        )


def navigation_table(errors: NavigationErrors) -> str:
    """Return errors as text."""
    lines = [
        f'obstacles of a robot {ROBOT:g} m high, in cells of {100 * CELL:g} cm; '
        f'{errors.frames} frames, {errors.floorless} more show no floor',
        f'{"distance":12}{"true cells":>12}{"recall":>9}{"false cells":>13}   per frame',
    ]
    names = [f'{band.near:g} to {band.far:g} m' for band in (*errors.bands, errors.all)]
    for name, band in zip([*names, 'seen twice'], (*errors.bands, errors.all, errors.steady)):
        lines.append(f'{name:12}{band.true_cells:12.1f}{band.recall:9.3f}{band.false_cells:13.1f}')
    lines.append(
        f'false cells of single frames: median {errors.median_false:g}, most {errors.worst_false}'
    )
    return '\n'.join(lines)


def _band(near: float, far: float, counts: np.ndarray) -> Band:
    true, found, false = counts.sum(axis=0)
    frames = len(counts)
    recall = float(found / true) if true else float('nan')
    return Band(near, far, float(true / frames), recall, float(false / frames))


def _true_cells(frame: Frame, plane: FloorPlane) -> tuple[np.ndarray, np.ndarray]:
    """Return the cells that the robot would hit, and the cells where anything stands, bool."""
    small = frame.shrunk(_TRUE_WIDTH)
    depth = np.where(small.depth > 0, small.depth, np.float32(np.nan)).astype(np.float32)
    found = find_obstacles(
        depth, small.intrinsics, plane.height, plane.up, _TRUE_ERROR, farthest=0.0
    )
    hit, standing = (_cells(found.depth, small.intrinsics, plane, top) for top in (ROBOT, TOP))
    return hit >= _TRUE_POINTS, standing > 0


def _obstacle_depth(estimate: DepthFrame, frame: Frame, plane: FloorPlane) -> np.ndarray:
    """Return the estimated depth of obstacles where the true depth is known, NaN elsewhere."""
    assert estimate.intrinsics is not None
    depth = remove_flying_pixels(estimate.depth.copy(), EDGE_THRESHOLD)
    measured = estimate.aligned is not None and estimate.aligned.measured
    error = estimate.std if measured else _DEPTH_ERROR
    floor = estimate.outputs.get('floor')
    found = find_obstacles(
        depth, estimate.intrinsics, plane.height, plane.up, error, floor=floor, farthest=0.0
    )
    u, v = estimate.cells.pixels()
    rows = np.rint(v).astype(np.intp).clip(0, frame.depth.shape[0] - 1)
    columns = np.rint(u).astype(np.intp).clip(0, frame.depth.shape[1] - 1)
    found.depth[~(frame.depth[rows, columns] > 0)] = np.nan
    return found.depth


def _cells(depth: np.ndarray, intrinsics: Intrinsics, plane: FloorPlane, top: float) -> np.ndarray:
    """Return the number of points below `top` in each cell, int [ahead, aside]."""
    points = point_cloud(depth, intrinsics)[np.isfinite(depth)].astype(np.float64)
    points = points[points @ plane.up + plane.height < top]
    ahead = np.array([0.0, 0.0, 1.0]) - plane.up[2] * plane.up
    ahead /= np.linalg.norm(ahead)
    aside = np.cross(plane.up, ahead)
    reach = RANGE + TOLERANCE
    half = round(reach / CELL)
    row = np.floor(points @ ahead / CELL).astype(np.intp)
    column = np.floor(points @ aside / CELL).astype(np.intp) + half
    inside = (row >= 0) & (row < half) & (column >= 0) & (column < 2 * half)
    counts = np.zeros((half, 2 * half), np.int64)
    np.add.at(counts, (row[inside], column[inside]), 1)
    return counts


def _compared(hit: np.ndarray, standing: np.ndarray, marked: np.ndarray) -> np.ndarray:
    """Return the true cells, the found ones and the false ones of each band, int [bands, 3]."""
    rows, columns = hit.shape
    ahead = (np.arange(rows) + 0.5) * CELL
    aside = (np.arange(columns) + 0.5) * CELL - columns / 2 * CELL
    distance = np.hypot(ahead[:, None], aside)
    beside = cv2.dilate(marked.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    if standing.any():
        away = cv2.distanceTransform(
            (~standing).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE
        )
        false = marked & (away * CELL > TOLERANCE)
    else:
        false = marked
    result = []
    for near, far in BANDS:
        within = (distance >= near) & (distance < far)
        result.append([(part & within).sum() for part in (hit, hit & beside, false)])
    return np.array(result)
