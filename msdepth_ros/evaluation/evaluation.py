# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measures a model file on a dataset, through the very estimator that runs on a robot."""

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
_APART = 8  # pixels between those whose confidence is compared


@dataclass(frozen=True)
class Summary:
    """The errors of a model on some frames.

    Attributes
    ----------
    frames : how many have a depth to compare.
    coverage : share of the pixels with a true depth for which the model gave a depth.
    pooled : errors over all pixels of all frames, as the paper prints them.
    per_image : mean over frames of each frame's errors.
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
    """One frame's own errors; `index` is its place in the dataset."""

    index: int
    name: str
    errors: Errors


@dataclass(frozen=True)
class Evaluation(Summary):
    """The errors of a model on a dataset.

    Attributes
    ----------
    near : those of the true depths nearer than was asked for; None where it was not, or there are
        none.
    scenes : those of each scene, by its name, where it was asked for.
    each : those of each frame.
    reliability : what the confidence promises, and what is found.
    views : the points that earlier views gave; None where they were not asked for.
    navigation : what a robot would hit, where it was asked for and a floor is seen.
    steadiness : of a sequence with poses, how much the scale wanders from frame to frame, see
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
        """Return everything but each frame as plain values, rounded to four decimals."""
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
        self._answered = self._wanted = 0

    def add(self, depth: np.ndarray, truth: np.ndarray) -> Errors | None:
        """Add float [H, W] depths, metres, NaN where there is none; return the frame's errors."""
        wanted = np.isfinite(truth)
        self._wanted += int(wanted.sum())
        self._answered += int((wanted & np.isfinite(depth)).sum())
        return self._sums.add(depth, truth)

    def summary(self) -> Summary | None:
        """Return what was collected, None where nothing could be compared."""
        if not self._sums.images:
            return None
        sums, coverage = self._sums, self._answered / self._wanted
        return Summary(len(sums.images), coverage, sums.pooled(), sums.per_image())


class Sureness:
    """Collects how sure depths are, and how many of them are right."""

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
        """Return what was promised and found."""
        return Reliability.measure(np.concatenate(self._confidence), np.concatenate(self._right))


@dataclass(frozen=True)
class Procedure:
    """How a model is run, and how its depth is compared with the true depth.

    Attributes
    ----------
    indices : the frames' indices in the dataset; None = all.
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
        """Give an estimator of metric depth without the flying-pixel filter; free it afterwards.

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
    """Run a model on a dataset's frames and compare it with their true depth.

    The depth is metric by each frame's own intrinsics, in the image's full size, without the
    flying-pixel filter.

    Parameters
    ----------
    procedure : frames, comparison and runtime.
    near : also summarise true depths below this, metres; 0 = do not.
    by_scene : also summarise each scene.
    measured : what is measured of each frame and aligned with; None = nothing.
    navigation : collects also the obstacles that a robot would hit; a new one for each call.

    Raises
    ------
    MsdepthError
        If a frame cannot be read, the crop is 'eigen' and images are not 640x480, nothing can be
        compared, or views are to measure frames without poses.
    """
    tally, near_tally = Tally(), Tally()
    scenes: dict[str, Tally] = defaultdict(Tally)
    each = []
    sureness = Sureness()
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
            estimate = answer(estimator, frame, align)
            depth, truth = estimate.full_depth(), true_depth(frame, procedure.crop)
            sureness.add(estimate, depth, truth)
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
        reliability=sureness.reliability(),
        views=views.errors() if views else None,
        navigation=navigation.errors() if navigation is not None else None,
        steadiness=None if dataset.no_poses else steadiness(log_ratios),
    )


def predict(estimator: DepthEstimator, frame: Frame) -> np.ndarray:
    """Return the depth of a frame's image: float32 [H, W], metres, NaN where there is none."""
    return answer(estimator, frame).full_depth()


def answer(estimator: DepthEstimator, frame: Frame, align: Align | None = None) -> DepthFrame:
    """Return the estimate of a frame's image, aligned with what was measured."""
    camera = Camera.pinhole(*dataclasses.astuple(frame.intrinsics))
    return estimator.estimate(frame.image, 'bgr8', camera, align=align)


def true_depth(frame: Frame, crop: str = 'none') -> np.ndarray:
    """Return a frame's own depth: float32 [H, W], metres, NaN where invalid or cropped away.

    Raises
    ------
    MsdepthError
        If `crop` is unknown, or 'eigen' and the frame is not 640x480.
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
        raise MsdepthError('no pixel has both a depth and a true depth: there is no error')
    return summary
