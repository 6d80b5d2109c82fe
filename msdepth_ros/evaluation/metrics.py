# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The error table of Eigen et al. 2014, in NumPy.

The paper prints means over all pixels of all images. Other papers print the mean over the images of
each image's errors. Both are given here.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from msdepth_ros.errors import MsdepthError

EIGEN_CROP = (slice(45, 471), slice(41, 601))  # rows, columns of a 640x480 image
NOTHING_COMPARED = (
    'no pixel has both a predicted and a true depth, so nothing can be compared: check the depths '
    'of the dataset and their unit'
)
_THRESHOLD = 1.25


@dataclass(frozen=True)
class Errors:
    """One line of the table; depths in metres.

    Attributes
    ----------
    abs_rel : mean of |z - z*| / z*.
    sq_rel : mean of (z - z*)^2 / z*, metres.
    rmse : root of the mean of (z - z*)^2, metres.
    rmse_log : root of the mean of (ln z - ln z*)^2.
    scale_invariant : root of the scale-invariant error, averaged over images: the standard
        deviation of ln z - ln z* within an image.
    delta1, delta2, delta3 : share of the pixels with max(z / z*, z* / z) < 1.25, 1.25^2, 1.25^3.
    """

    abs_rel: float
    sq_rel: float
    rmse: float
    rmse_log: float
    scale_invariant: float
    delta1: float
    delta2: float
    delta3: float


@dataclass
class ErrorSums:
    """Collects the errors of images, and averages them over pixels or over images."""

    images: list[np.ndarray] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    def add(self, depth: np.ndarray, truth: np.ndarray) -> Errors | None:
        """Add one image.

        Only pixels count where both depths are finite and positive. An image without any such pixel
        is skipped.

        Parameters
        ----------
        depth, truth : float [H, W], metres.

        Returns
        -------
        The image's own errors; None if it is skipped.
        """
        valid = _comparable(depth, truth)
        if not valid.any():
            return None
        z, z_true = depth[valid].astype(np.float64), truth[valid].astype(np.float64)
        difference = z - z_true
        log_difference = np.log(z) - np.log(z_true)
        ratio = np.exp(np.abs(log_difference))
        means = [
            np.mean(np.abs(difference) / z_true),
            np.mean(difference**2 / z_true),
            np.mean(difference**2),
            np.mean(log_difference**2),
            np.var(log_difference),
            *(np.mean(ratio < _THRESHOLD**power) for power in (1, 2, 3)),
        ]
        self.images.append(np.array(means))
        self.counts.append(len(z))
        return _errors(self.images[-1], np.sqrt(means[4]))

    def pooled(self) -> Errors:
        """Return the errors over all pixels, as the paper prints them.

        The scale-invariant error is defined within one image, so it is averaged over images.

        Raises
        ------
        MsdepthError
            If no pixel of any image counts.
        """
        means = np.average(self._rows(), axis=0, weights=self.counts)
        return _errors(means, np.sqrt(np.mean(self._rows()[:, 4])))

    def per_image(self) -> Errors:
        """Return the mean over the images of each image's errors; raises as `pooled`."""
        rows = self._rows().copy()
        rows[:, 2:5] = np.sqrt(rows[:, 2:5])
        means = rows.mean(axis=0)
        means[2:4] **= 2  # _errors takes their roots
        return _errors(means, means[4])

    def _rows(self) -> np.ndarray:
        if not self.images:
            raise MsdepthError(NOTHING_COMPARED)
        return np.stack(self.images)


def _errors(means: np.ndarray, scale_invariant: float) -> Errors:
    abs_rel, sq_rel, square, square_log, _, *deltas = (float(mean) for mean in means)
    return Errors(abs_rel, sq_rel, square**0.5, square_log**0.5, float(scale_invariant), *deltas)


def mean_log_ratio(depth: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean of ln(depth / truth); NaN if no pixel has both.

    Parameters
    ----------
    depth, truth : float [H, W], metres, NaN where there is none.
    """
    with np.errstate(divide='ignore', invalid='ignore'):
        ratio = np.log(depth / truth)
    known = np.isfinite(ratio)
    return float(ratio[known].mean()) if known.any() else math.nan


def steadiness(log_ratios: Sequence[float]) -> float | None:
    """Return the r.m.s. change of the predicted scale from frame to frame.

    Parameters
    ----------
    log_ratios : `mean_log_ratio` of each frame, in order; NaN where it is not known. It does not
        change with the true depth, so a change in it is a change of the predicted scale.

    Returns
    -------
    The r.m.s. difference of consecutive frames; 0.01 is a change by 1 %. None without any
    consecutive frames.
    """
    changes = np.diff(np.asarray(log_ratios, np.float64))
    changes = changes[np.isfinite(changes)]
    return float(np.sqrt(np.mean(changes**2))) if len(changes) else None


def median_scaled(depth: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return depth times median(truth) / median(depth), which removes an error of scale.

    The medians are over the pixels where both are finite and positive. Without any such pixel,
    depth is returned as it is.

    Parameters
    ----------
    depth, truth : float [H, W], metres.
    """
    valid = _comparable(depth, truth)
    if not valid.any():
        return depth
    median, median_true = (np.median(each[valid].astype(np.float64)) for each in (depth, truth))
    return depth * (median_true / median)


def _comparable(depth: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return where both are finite and positive."""
    valid = np.isfinite(depth) & np.isfinite(truth)
    valid &= np.where(valid, depth, 0) > 0
    valid &= np.where(valid, truth, 0) > 0
    return valid


def mean_log_depth(maps: Iterable[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return the mean log depth of each cell of (log depth, valid) maps, float32 [h, w].

    Cells that are valid in no map get the mean of all valid ones.

    Raises
    ------
    MsdepthError
        If no cell of any map is valid.
    """
    total: np.ndarray | float = 0.0
    count: np.ndarray | float = 0.0
    for log_depth, valid in maps:
        total = total + np.where(valid, log_depth, 0)
        count = count + valid
    seen = np.asarray(count) > 0
    if not seen.any():
        raise MsdepthError('no cell of any map is valid: check the depths and their unit')
    overall = np.sum(total) / np.sum(count)
    return np.where(seen, total / np.maximum(count, 1), overall).astype(np.float32)
