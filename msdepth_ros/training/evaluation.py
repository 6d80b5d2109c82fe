# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measures a model file on a dataset, through the very estimator that runs on a robot."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from msdepth_ros.backends import create_backend
from msdepth_ros.camera import Camera
from msdepth_ros.errors import MsdepthError
from msdepth_ros.estimator import DepthEstimator, Settings
from msdepth_ros.model import Model
from msdepth_ros.training.datasets import Dataset
from msdepth_ros.training.metrics import EIGEN_CROP, Errors, ErrorSums


@dataclass(frozen=True)
class Evaluation:
    """The errors of a model on a dataset.

    Attributes
    ----------
    frames : how many were evaluated.
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
            'pooled': _rounded(self.pooled),
            'per_image': _rounded(self.per_image),
        }


def evaluate(
    model: Model,
    dataset: Dataset,
    indices: Sequence[int] | None = None,
    crop: str = 'none',
    median_scaling: bool = False,
    backend: str = 'onnxruntime',
    threads: int = 0,
    precision: str = 'fp32',
) -> Evaluation:
    """Run a model on a dataset's frames and compare it with their depths.

    Depths are metric by each frame's own intrinsics, at the image's full size, without the
    discontinuity filter.

    Parameters
    ----------
    indices : of the frames; None: all.
    precision : see backends.create_backend.
    crop : 'none', or 'eigen': rows 45 to 470, columns 41 to 600 of 640x480 images.
    median_scaling : scale each prediction to the true median, which forgives errors of scale.

    Raises
    ------
    MsdepthError : a frame cannot be read, or `crop` is 'eigen' and images are not 640x480.

    """
    runtime = create_backend(model, backend, threads, precision)
    estimator = DepthEstimator(model, runtime, Settings(edge_threshold=0.0))
    sums = ErrorSums()
    answered = wanted = 0
    chosen = range(len(dataset)) if indices is None else indices
    for index in tqdm(chosen, desc='evaluating', unit='image', disable=None):
        frame = dataset[index]
        camera = Camera.pinhole(*dataclasses.astuple(frame.intrinsics))
        mask = _crop_mask(crop, frame.intrinsics.width, frame.intrinsics.height)
        depth = estimator.estimate(frame.image, 'bgr8', camera).full_depth()
        truth = np.where(mask & (frame.depth > 0), frame.depth, np.nan)
        sums.add(depth, truth, median_scaling)
        wanted += int(np.isfinite(truth).sum())
        answered += int((np.isfinite(truth) & np.isfinite(depth)).sum())
    runtime.close()
    return Evaluation(len(chosen), answered / max(1, wanted), sums.pooled(), sums.per_image())


def table(evaluation: Evaluation) -> str:
    """Return an evaluation as text for people."""
    names = [entry.name for entry in dataclasses.fields(Errors)]
    lines = [' ' * 16 + ''.join(f'{name:>16}' for name in names)]
    for title, errors in (('all pixels', evaluation.pooled), ('per image', evaluation.per_image)):
        numbers = ''.join(f'{getattr(errors, name):16.4f}' for name in names)
        lines.append(f'{title:16}{numbers}')
    lines.append(
        f'{evaluation.frames} frames; depth for {100 * evaluation.coverage:.2f} % of the pixels '
        'that have a true one; sq_rel and rmse in metres'
    )
    return '\n'.join(lines)


def _crop_mask(crop: str, width: int, height: int) -> np.ndarray:
    if crop == 'none':
        return np.ones((height, width), bool)
    if crop != 'eigen':
        raise MsdepthError(f"crop is '{crop}' but must be eigen or none")
    if (width, height) != (640, 480):
        raise MsdepthError(
            f'the Eigen crop is defined on 640x480 images, these are {width}x{height}: use '
            '--crop none'
        )
    mask = np.zeros((height, width), bool)
    mask[EIGEN_CROP] = True
    return mask


def _rounded(errors: Errors) -> dict[str, float]:
    return {name: round(value, 4) for name, value in dataclasses.asdict(errors).items()}
