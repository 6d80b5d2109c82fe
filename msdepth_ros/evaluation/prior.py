# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Fits a model's prior for the alignment with measurements, and measures its confidence."""

import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import cv2
import numpy as np

from msdepth_ros.datasets import Dataset, Frame
from msdepth_ros.evaluation.evaluation import (
    ConfidenceTally,
    Procedure,
    estimate_frame,
    true_depth,
)
from msdepth_ros.evaluation.measurements import Measured
from msdepth_ros.inference.estimator import DepthEstimator
from msdepth_ros.inference.model import Model
from msdepth_ros.metric.fitting import Residuals, fit_prior, residuals_of

_FRAMES = 40  # of each set
_FITTED_ON = 'frames held out of training, as many of each set'
_RELIABILITY_ON = (
    'each set with a prior fitted to the other sets; a third of the frames has no measurement, a '
    'third a scan row, a third 20 points'
)
_MEASURED = ('none', 'scan', 'points:20')

# A dataset, and the indices of its frames that the model never learned from.
Part = tuple[Dataset, Sequence[int]]


def describe_prior(measurable: Sequence[tuple[Model, Mapping[str, Part]]]) -> dict[str, Any]:
    """Return the keys `prior` and `reliability` of a model's YAML; {} if no frame can be compared.

    Parameters
    ----------
    measurable : the model to describe, with held-out frames by name, if possible of other cameras
        than those trained on; or several models like it, each with frames that it was not trained
        on. With only one part, the confidence is measured on the frames that the prior was fitted
        to; the YAML then says so.
    """
    with ExitStack() as stack:
        procedure = Procedure()
        opened = [
            (stack.enter_context(procedure.estimator(model)), model, parts)
            for model, parts in measurable
        ]
        found = {
            name: residuals
            for estimator, _, parts in opened
            for name, part in parts.items()
            if (residuals := _residuals(estimator, *part))
        }
        if not found:
            return {}
        prior = fit_prior([frame for each in found.values() for frame in each])
        confidence_tally = ConfidenceTally()
        for estimator, model, parts in opened:
            for name in [name for name in parts if name in found]:
                others = [frame for other, each in found.items() if other != name for frame in each]
                known = fit_prior(others, prior) if others else prior
                of_others = dataclasses.replace(model, prior=known)
                _collect(estimator, of_others, *parts[name], confidence_tally)
    on = _RELIABILITY_ON if len(found) > 1 else 'the frames that the prior was fitted on'
    reliability = confidence_tally.reliability().document()
    return {
        'prior': {**prior.document(), 'fitted_on': _FITTED_ON},
        'reliability': {'within': '25 % of the truth', 'on': on, **reliability},
    }


def _some(indices: Sequence[int]) -> list[int]:
    places = np.linspace(0, len(indices) - 1, min(_FRAMES, len(indices))).astype(int)
    return [indices[place] for place in places]


def _residuals(
    estimator: DepthEstimator, dataset: Dataset, indices: Sequence[int]
) -> list[Residuals]:
    rng = np.random.default_rng(0)
    found = []
    for index in _some(indices):
        frame = dataset[index]
        estimate = estimate_frame(estimator, frame)
        with np.errstate(divide='ignore', invalid='ignore'):
            truth = np.log(_at_cells(frame, estimate.cells.pixels()))
            one = residuals_of(np.log(estimate.depth), truth, rng)
        if one is not None:
            found.append(one)
    return found


def _collect(
    estimator: DepthEstimator,
    model: Model,
    dataset: Dataset,
    indices: Sequence[int],
    confidence_tally: ConfidenceTally,
) -> None:
    for number, index in enumerate(_some(indices)):
        frame = dataset[index]
        measured = Measured.parse(_MEASURED[number % len(_MEASURED)])
        estimate = estimate_frame(estimator, frame, measured.align_for(model, frame, index))
        confidence_tally.add(estimate, estimate.full_depth(), true_depth(frame))


def _at_cells(frame: Frame, pixels: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    u, v = (each.astype(np.float32) for each in pixels)
    return cv2.remap(frame.depth, u, v, cv2.INTER_NEAREST)
