# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measures a model file on a dataset, with the same estimator that runs on a robot."""

import contextlib
import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tqdm import tqdm

from msdepth_ros.datasets import Dataset, Frame
from msdepth_ros.errors import MsdepthError
from msdepth_ros.evaluation.earlier_views import EarlierViews, PointErrors
from msdepth_ros.evaluation.measurements import Measured
from msdepth_ros.evaluation.metrics import (
    EIGEN_CROP,
    NOTHING_COMPARED,
    Errors,
    ErrorSums,
    mean_log_ratio,
    median_scaled,
    steadiness,
)
from msdepth_ros.evaluation.navigation import NavigationErrors, NavigationTally
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.inference.backends import create_backend
from msdepth_ros.inference.estimator import Align, DepthEstimator, Settings
from msdepth_ros.inference.frame import DepthFrame
from msdepth_ros.inference.model import Model
from msdepth_ros.metric.confidence import WITHIN, Reliability

NO_SCENE = '(no scene)'
_APART = 8  # pixels between the pixels whose confidence is compared


@dataclass(frozen=True)
class Summary:
    """The errors of a model on some frames.

    Attributes
    ----------
    frames : number of frames with a depth to compare.
    coverage : of the pixels with a true depth, the share for which the model gave a depth.
    pooled : errors over all pixels of all frames, as the paper prints them.
    per_image : mean over the frames of each frame's errors.
    """

    frames: int
    coverage: float
    pooled: Errors
    per_image: Errors

    def document(self) -> dict[str, Any]:
        """Return everything as plain values, rounded to four decimals."""
        return {
            'frames': self.frames,
            'coverage': round(self.coverage, 4),
            'pooled': rounded(self.pooled),
            'per_image': rounded(self.per_image),
        }


@dataclass(frozen=True)
class FrameErrors:
    """The errors of one frame; `index` is its place in the dataset."""

    index: int
    name: str
    errors: Errors


@dataclass(frozen=True)
class Evaluation(Summary):
    """The errors of a model on a dataset.

    Attributes
    ----------
    near : errors where the true depth is below `near` of `evaluate`. None if no pixel is, or if
        that was not asked for.
    scenes : errors of each scene, by its name, if that was asked for.
    each : errors of each frame.
    reliability : the share of right depths that the confidence promises, and the share found.
    views : the points that earlier views gave, if that was asked for.
    navigation : the obstacles that a robot would hit, if that was asked for and a floor was seen.
    steadiness : of a sequence with poses: how much the scale changes from frame to frame, see
        `metrics.steadiness`.
    """

    near: Summary | None = None
    scenes: Mapping[str, Summary] = field(default_factory=dict)
    each: Sequence[FrameErrors] = ()
    reliability: Reliability | None = None
    views: PointErrors | None = None
    navigation: NavigationErrors | None = None
    steadiness: float | None = None

    def document(self) -> dict[str, Any]:
        """Return everything but `each` as plain values, rounded to four decimals."""
        document = super().document()
        if self.near is not None:
            document['near'] = self.near.document()
        if self.scenes:
            document['scenes'] = {name: part.document() for name, part in self.scenes.items()}
        if self.reliability is not None:
            document['reliability'] = self.reliability.document()
        if self.views is not None:
            document['views'] = self.views.document()
        if self.navigation is not None:
            document['navigation'] = self.navigation.document()
        if self.steadiness is not None:
            document['steadiness'] = round(self.steadiness, 4)
        return document

    def worst(self, count: int) -> list[FrameErrors]:
        """Return the frames with the largest relative errors, the worst first."""
        return sorted(self.each, key=lambda frame: -frame.errors.abs_rel)[:count]


class Tally:
    """Collects the errors of frames into a Summary."""

    def __init__(self) -> None:
        self._sums = ErrorSums()
        self._predicted = self._known = 0

    def add(self, depth: np.ndarray, truth: np.ndarray) -> Errors | None:
        """Add float [H, W] depths, metres, NaN where there is none; return the frame's errors."""
        known = np.isfinite(truth)
        self._known += int(known.sum())
        self._predicted += int((known & np.isfinite(depth)).sum())
        return self._sums.add(depth, truth)

    def summary(self) -> Summary | None:
        """Return the errors of all frames; None if no pixel could be compared."""
        if not self._sums.images:
            return None
        sums, coverage = self._sums, self._predicted / self._known
        return Summary(len(sums.images), coverage, sums.pooled(), sums.per_image())


class ConfidenceTally:
    """Collects the confidence of depths, and how many of them are right."""

    def __init__(self) -> None:
        self._confidence: list[np.ndarray] = []
        self._right: list[np.ndarray] = []

    def add(self, frame: DepthFrame, depth: np.ndarray, truth: np.ndarray) -> None:
        """Add some pixels of a frame; depth and truth are float [H, W], metres."""
        some = (slice(_APART // 2, None, _APART),) * 2
        confidence = frame.full_confidence()[some]
        with np.errstate(divide='ignore', invalid='ignore'):
            off = np.abs(np.log(depth[some] / truth[some]))
        known = np.isfinite(off) & np.isfinite(confidence)
        self._confidence.append(confidence[known])
        self._right.append(off[known] < WITHIN)

    def reliability(self) -> Reliability:
        """Return the share of right depths that the confidence promised, and the share found."""
        return Reliability.measure(np.concatenate(self._confidence), np.concatenate(self._right))


@dataclass(frozen=True)
class Procedure:
    """How a model is run, and how its depth is compared with the true depth.

    Attributes
    ----------
    indices : the frames' indices in the dataset; None: all.
    crop : 'none', or 'eigen': rows 45 to 470, columns 41 to 600 of 640x480 images.
    median_scaling : scale each prediction to the true median, so that errors of scale do not count.
    backend, threads, precision : see `create_backend`.
    """

    indices: Sequence[int] | None = None
    crop: str = 'none'
    median_scaling: bool = False
    backend: str = 'onnxruntime'
    threads: int = 0
    precision: str = 'fp32'

    def frames(self, dataset: Dataset) -> Sequence[int]:
        """Return the indices of the frames to use."""
        return range(len(dataset)) if self.indices is None else self.indices

    def scaled(self, depth: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """Return `depth`, scaled to the true median if `median_scaling` is set."""
        return median_scaled(depth, truth) if self.median_scaling else depth

    @contextlib.contextmanager
    def estimator(self, model: Model) -> Iterator[DepthEstimator]:
        """Yield an estimator of metric depth without the flying-pixel filter; close it afterwards.

        Raises
        ------
        BackendError
            If the model cannot run with this backend and precision.
        """
        runtime = create_backend(model, self.backend, self.threads, self.precision)
        try:
            yield DepthEstimator(model, runtime, Settings(edge_threshold=0.0))
        finally:
            runtime.close()


def evaluate(
    model: Model,
    dataset: Dataset,
    procedure: Procedure = Procedure(),
    near: float = 0.0,
    by_scene: bool = False,
    measured: Measured | None = None,
    navigation: NavigationTally | None = None,
) -> Evaluation:
    """Run a model on the frames of a dataset, and compare its depths with the true ones.

    Each frame's own intrinsics make the depths metric. They are compared at the full size of the
    image, without the flying-pixel filter.

    Parameters
    ----------
    model : the model to measure.
    dataset : frames with their true depths.
    procedure : which frames, how they are compared, and the runtime.
    near : also summarise the true depths below this, metres; 0: do not.
    by_scene : also summarise each scene.
    measured : the measurements that each depth is aligned with; None: no alignment.
    navigation : also collects the obstacles that a robot would hit. Give a new one to each call.

    Raises
    ------
    MsdepthError
        If a frame cannot be read, `crop` is 'eigen' and an image is not 640x480, no pixel can be
        compared, or `measured` has views and the frames have no poses.
    """
    tally, near_tally = Tally(), Tally()
    scenes: dict[str, Tally] = defaultdict(Tally)
    each = []
    confidence_tally = ConfidenceTally()
    log_ratios: list[float] = []
    views = None
    if measured and measured.views:
        if dataset.no_poses:
            raise MsdepthError(f'views measure only where poses are known: {dataset.no_poses}')
        views = EarlierViews()
    frames = tqdm(procedure.frames(dataset), desc='evaluating', unit='image', disable=None)
    with procedure.estimator(model) as estimator:
        for index in frames:
            frame = dataset[index]
            align = measured.align_for(model, frame, index, views) if measured else None
            estimate = estimate_frame(estimator, frame, align)
            depth, truth = estimate.full_depth(), true_depth(frame, procedure.crop)
            confidence_tally.add(estimate, depth, truth)
            if navigation is not None:
                navigation.add(estimate, frame, index)
            log_ratios.append(mean_log_ratio(depth, truth))
            depth = procedure.scaled(depth, truth)
            errors = tally.add(depth, truth)
            if errors is not None:
                each.append(FrameErrors(index, frame.name, errors))
            if near:
                near_tally.add(depth, np.where(truth < near, truth, np.nan))
            if by_scene:
                scenes[frame.scene or NO_SCENE].add(depth, truth)
    summaries = {name: part.summary() for name, part in sorted(scenes.items())}
    return Evaluation(
        **vars(_compared(tally)),
        near=near_tally.summary(),
        scenes={name: part for name, part in summaries.items() if part is not None},
        each=each,
        reliability=confidence_tally.reliability(),
        views=views.errors() if views else None,
        navigation=navigation.errors() if navigation is not None else None,
        steadiness=None if dataset.no_poses else steadiness(log_ratios),
    )


def predict(estimator: DepthEstimator, frame: Frame) -> np.ndarray:
    """Return the depth of a frame's image: float32 [H, W], metres, NaN where there is none."""
    return estimate_frame(estimator, frame).full_depth()


def estimate_frame(
    estimator: DepthEstimator, frame: Frame, align: Align | None = None
) -> DepthFrame:
    """Return the estimate of a frame's image, aligned with measurements if `align` is given."""
    camera = Camera.pinhole(*dataclasses.astuple(frame.intrinsics))
    return estimator.estimate(frame.image, 'bgr8', camera, align=align)


def true_depth(frame: Frame, crop: str = 'none') -> np.ndarray:
    """Return a frame's true depth: float32 [H, W], metres, NaN where invalid or outside the crop.

    Raises
    ------
    MsdepthError
        If `crop` is not known, or is 'eigen' and the frame is not 640x480.
    """
    if crop not in ('none', 'eigen'):
        raise MsdepthError(f"crop is '{crop}' but must be eigen or none")
    mask = frame.depth > 0
    if crop == 'eigen':
        height, width = mask.shape
        if (width, height) != (640, 480):
            raise MsdepthError(
                f'the Eigen crop is defined on 640x480 images, these are {width}x{height}: use '
                '--crop none'
            )
        inside = np.zeros_like(mask)
        inside[EIGEN_CROP] = True
        mask &= inside
    return np.where(mask, frame.depth, np.float32(np.nan))


def rounded(errors: Errors) -> dict[str, float]:
    """Return errors as plain values, rounded to four decimals."""
    return {name: round(value, 4) for name, value in dataclasses.asdict(errors).items()}


def _compared(tally: Tally) -> Summary:
    summary = tally.summary()
    if summary is None:
        raise MsdepthError(NOTHING_COMPARED)
    return summary
