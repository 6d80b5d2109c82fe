# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Depth to learn from without a depth camera: the default model's own, aligned with measurements.

A scan row, some points, the floor or earlier views give each image its metres (docs/metres.md). The
network learns all of the aligned depth: with its certain part alone the result was worse
(docs/training_log.md).
"""

import contextlib
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from tqdm import tqdm

from msdepth_ros.datasets import Dataset, DatasetError, Frame, open_dataset
from msdepth_ros.datasets.bag_reader import BagReader, is_bag
from msdepth_ros.datasets.bag_topics import depth_topics
from msdepth_ros.evaluation.earlier_views import EarlierViews
from msdepth_ros.evaluation.evaluation import Procedure, estimate_frame
from msdepth_ros.evaluation.measurements import Measured, aligning_frame
from msdepth_ros.geometry.floor import up_from_pitch
from msdepth_ros.inference.measured_files import read_measured
from msdepth_ros.inference.model import DEFAULT_MODEL, load_model
from msdepth_ros.metric.depth_images import points_of_depth
from msdepth_ros.metric.floor import FloorPlane
from msdepth_ros.metric.sparse_depth import SparseDepth
from msdepth_ros.networks import distributed
from msdepth_ros.recordings.image_folder import ImageFolder
from msdepth_ros.recordings.measured_bag import SENSORS, MeasuredBag
from msdepth_ros.training.config import MeasuredBy, Source

_SURE = 0.8  # confidence from which an aligned depth is measured on, where nothing else is there
_CELLS = 128  # across an image: what is measured at a point counts for a cell around it


def open_source(source: Source, path: Path) -> Dataset:
    """Open one folder of a source, see `open_dataset`; what is measured is a `MeasuredDepth`.

    Raises
    ------
    DatasetError
        If it cannot be read, or has no depth and nothing is measured.
    """
    if source.measured is None:
        if path.exists() and _lacks_depth(path):
            raise DatasetError(
                f'{path} has images but no depth: record the depth aligned to them too, or say by '
                '--measured what else was recorded (docs/own_place.md)'
            )
        return open_dataset(path, source.intrinsics, split=source.split)
    return MeasuredDepth(source.measured, path, source.intrinsics, source.split)


class _Sensors(Protocol):
    """What measures the frames of a dataset."""

    def measured(self, index: int, frame: Frame) -> list[SparseDepth]:
        """Return what was measured of a frame."""

    def floor(self, index: int, frame: Frame) -> FloorPlane | None:
        """Return where a frame's floor is, None where that is not known."""


class MeasuredDepth(Dataset):
    """A recording of whose images something else than their depth was measured.

    Its frames have what errors can be measured on: the dataset's own depth where it has one, else
    what sensors measured, else the aligned depth itself. `to_learn` gives the aligned depth.

    Parameters
    ----------
    how : what was measured.
    path : a rosbag2; a dataset folder, with or without depth; any other dataset with depth.
    focal_and_centre, split : as of `open_dataset`.

    Attributes
    ----------
    has_truth : whether the dataset has depth of its own.
    compared_with : what the frames' depths are, in words.

    Raises
    ------
    DatasetError
        If the dataset cannot be read, or lacks the required measurements.
    """

    def __init__(
        self,
        how: MeasuredBy,
        path: Path,
        focal_and_centre: Sequence[float] | None = None,
        split: str | None = None,
    ) -> None:
        mount = None
        if how.camera_height is not None:
            mount = FloorPlane(up_from_pitch(how.camera_pitch), how.camera_height)
        what = Measured.parse(how.what, mount)
        self._images, self._sensors, self.has_truth = _open(
            what, how, path, focal_and_centre, split
        )
        self.names, self.intrinsics = self._images.names, self._images.intrinsics
        self.no_poses = self._images.no_poses
        if what.views and self.no_poses:
            raise DatasetError(f'views measure only where poses are known: {self.no_poses}')
        self._measures_floor = what.floor
        self._views = EarlierViews() if what.views else None
        self._by_sensors = what.scan or what.points > 0 or how.depth is not None
        self.compared_with = (
            'their own depth'
            if self.has_truth
            else 'what sensors measured of them'
            if self._by_sensors
            else 'the aligned depth where it is sure'
        )
        self._model = load_model(DEFAULT_MODEL)
        self._open = contextlib.ExitStack()
        self._estimator = self._open.enter_context(
            Procedure(threads=torch.get_num_threads()).estimator(self._model)
        )

    def close(self) -> None:
        """Close the recording, and free the model."""
        self._open.close()
        self._images.close()

    def __getitem__(self, index: int) -> Frame:
        """Return a frame to measure errors on, see `Dataset`."""
        frame = self._images[index]
        if self.has_truth:
            return frame
        if self._by_sensors:
            return replace(frame, depth=around_points(frame, self._sensors.measured(index, frame)))
        return self._aligned(index, frame, _SURE)

    def to_learn(self, index: int) -> Frame:
        """Return a frame with the aligned depth, 0 everywhere where nothing was measured of it."""
        return self._aligned(index, self._images[index])

    def _aligned(self, index: int, frame: Frame, sure: float = 0.0) -> Frame:
        sparse = self._sensors.measured(index, frame)
        plane = self._sensors.floor(index, frame) if self._measures_floor else None
        align = aligning_frame(self._model, frame, sparse, plane, self._views)
        estimate = estimate_frame(self._estimator, frame, align)
        depth = np.zeros(frame.image.shape[:2], np.float32)
        if estimate.aligned is not None and any(estimate.aligned.used.values()):
            full = estimate.full_depth()
            known = estimate.full_confidence(full_depth=full) >= sure
            depth[known] = full[known]
        return replace(frame, depth=depth)


def report_usable(
    name: str,
    dataset: MeasuredDepth,
    learned: Sequence[Frame],
    held_out: Sequence[Frame],
    path: Path,
) -> None:
    """Print how many frames of a source can be used, and what its held-out ones are compared with.

    Raises
    ------
    DatasetError
        If nothing was measured for any frame to learn from, or for any held-out frame.
    """
    some = sum(bool(frame.depth.any()) for frame in learned)
    if learned and not some:
        raise DatasetError(
            f'{path}: nothing was measured for any of the {len(learned)} images: images and '
            "sensors must have stamps of one clock, /tf_static must contain the sensor's pose, and "
            'the camera must see what the sensor measures'
        )
    if held_out and not any(frame.depth.any() for frame in held_out):
        raise DatasetError(
            f'{path}: nothing was measured for any of the {len(held_out)} held-out images, so no '
            'errors can be measured: record more, or hold out others (`blocks` in the YAML)'
        )
    if distributed.rank() == 0:
        tqdm.write(
            f'{name}: something was measured of {some} of the {len(learned)} images to learn from; '
            f'those held out are compared with {dataset.compared_with}',
            file=sys.stderr,
        )


def around_points(frame: Frame, sparse: Sequence[SparseDepth]) -> np.ndarray:
    """Return measurements as a depth image, each as wide as a cell; the nearer hides the farther.

    Returns
    -------
    float32 [H, W] of the frame's size, metres, 0 where nothing was measured.
    """
    height, width = frame.image.shape[:2]
    depth = np.zeros((height, width), np.float32)
    half = math.ceil(width / _CELLS / 2)
    for part in sparse:
        rows, columns = (np.rint(each).astype(np.intp) for each in (part.v, part.u))
        for at in np.argsort(-part.depth):
            top, left = max(0, rows[at] - half), max(0, columns[at] - half)
            cell = slice(top, rows[at] + half), slice(left, columns[at] + half)
            depth[cell] = part.depth[at]
    return depth


class _FromTruth:
    """Makes measurements from the depth of a dataset, as `msdepth evaluate --measured` does."""

    def __init__(self, what: Measured) -> None:
        self._what = what

    def measured(self, index: int, frame: Frame) -> list[SparseDepth]:
        return self._what.simulated(frame, np.random.default_rng([1, index]))

    def floor(self, index: int, frame: Frame) -> FloorPlane | None:
        return self._what.plane(frame, np.random.default_rng([2, index]))


class _FromFiles:
    """Reads depth images of the same names, as `msdepth infer --measured-depth` does."""

    def __init__(self, folder: Path | None, mount: FloorPlane | None) -> None:
        self._folder = folder
        self._mount = mount

    def measured(self, _index: int, frame: Frame) -> list[SparseDepth]:
        depth = None
        if self._folder is not None:
            depth = read_measured(self._folder / f'{frame.name}.png')
        if depth is None:
            return []
        size = frame.intrinsics.width, frame.intrinsics.height
        return [points_of_depth(depth, size, 'depth')]

    def floor(self, _index: int, _frame: Frame) -> FloorPlane | None:
        return self._mount


class _FromBag:
    """What a rosbag2 holds."""

    def __init__(self, bag: MeasuredBag, mount: FloorPlane | None) -> None:
        self._bag = bag
        self._mount = mount

    def measured(self, index: int, frame: Frame) -> list[SparseDepth]:
        return self._bag.measured(index, frame)

    def floor(self, _index: int, _frame: Frame) -> FloorPlane | None:
        return self._mount


def _open(
    what: Measured,
    how: MeasuredBy,
    path: Path,
    focal_and_centre: Sequence[float] | None,
    split: str | None,
) -> tuple[Dataset, _Sensors, bool]:
    """Return a recording's images, what measures them, and whether they have a depth."""
    if not path.exists():
        raise DatasetError(f'{path} does not exist')
    if is_bag(path):
        if how.depth is not None:
            raise DatasetError(f'{path} is a rosbag2: --measured-depth is for a folder of images')
        names = [name for name, wanted in (('scan', what.scan), ('points', what.points)) if wanted]
        bag = MeasuredBag(path, names, focal_and_centre)
        mount = (what.mount or bag.floor()) if what.floor else None
        return bag, _FromBag(bag, mount), False
    if how.depth is None and not _lacks_depth(path):
        return open_dataset(path, focal_and_centre, split=split), _FromTruth(what), True
    if what.scan or what.points:
        name = 'scan' if what.scan else 'points'
        raise DatasetError(
            f'{path}: a folder of images has no `{name}`: give a rosbag2 with '
            f'{SENSORS[name].replace("/msg/", "/")}, or, by --measured-depth DIR, depth images '
            'NAME.png (16-bit, millimetres, 0 = none) of what was measured'
        )
    if what.floor and what.mount is None:
        raise DatasetError(
            f'{path}: where the floor is, is not known: give --camera-height and --camera-pitch'
        )
    folder = None
    if how.depth is not None:
        folder = Path(how.depth)
        if not folder.is_dir():
            raise DatasetError(
                f'--measured-depth {folder} is no folder: it holds NAME.png of images'
            )
    if _lacks_depth(path):
        return ImageFolder(path, focal_and_centre), _FromFiles(folder, what.mount), False
    dataset = open_dataset(path, focal_and_centre, split=split)
    return dataset, _FromFiles(folder, what.mount), True


def _lacks_depth(path: Path) -> bool:
    """Return whether a path is a rosbag2 or a folder of images without depth."""
    if is_bag(path):
        with BagReader(path) as bag:
            return not depth_topics(bag.images())
    images = (path / 'rgb').is_dir() or any(
        (path / name).is_file() for name in ('camera.yaml', 'camera.json')
    )
    return images and not (path / 'depth').is_dir() and not (path / 'depth.txt').is_file()
