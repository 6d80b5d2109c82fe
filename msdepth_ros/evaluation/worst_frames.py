# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Draws the frames with the largest errors."""

import re
from pathlib import Path

import cv2
import numpy as np

from msdepth_ros.datasets import Dataset
from msdepth_ros.errors import MsdepthError
from msdepth_ros.evaluation.evaluation import FrameErrors, predict, true_depth
from msdepth_ros.inference.estimator import DepthEstimator

_STRIP = 28  # pixels; height of the text above a picture
_WIDTH = 480  # pixels of each panel
_LARGEST = np.log(2)  # |ln z - ln z*| that is drawn in full colour
_SPARSE = 0.3  # share of valid pixels below which points are drawn larger


def write_worst(
    worst: list[FrameErrors],
    dataset: Dataset,
    estimator: DepthEstimator,
    out: Path,
    crop: str = 'none',
) -> list[Path]:
    """Write image, truth, prediction and error of frames side by side; return the files.

    Parameters
    ----------
    worst : the frames, the worst first.
    dataset : the dataset that they are of.
    estimator : predicts their depth again.
    out : folder, created if missing. The files in it are numbered from 1.
    crop : as in `evaluate`. Outside the crop the picture shows no truth.

    Raises
    ------
    MsdepthError
        If the folder cannot be written to.
    """
    paths = []
    for rank, entry in enumerate(worst, 1):
        frame = dataset[entry.index]
        truth, depth = true_depth(frame, crop), predict(estimator, frame)
        errors = entry.errors
        title = f'{entry.name}: abs_rel {errors.abs_rel:.3f}  rmse {errors.rmse:.2f} m  '
        title += f'delta1 {errors.delta1:.3f}'
        path = out / f'{rank:02}_{re.sub(r"[^A-Za-z0-9._-]+", "_", entry.name)}.jpg'
        try:
            out.mkdir(parents=True, exist_ok=True)
            picture = compare(frame.image, truth, depth, title)
            path.write_bytes(cv2.imencode('.jpg', picture)[1].tobytes())
        except OSError as error:
            raise MsdepthError(f'cannot write {path}: {error}') from error
        paths.append(path)
    return paths


def compare(image: np.ndarray, truth: np.ndarray, depth: np.ndarray, title: str) -> np.ndarray:
    """Return image, truth, prediction and error side by side, each with a line of text above.

    Near depth has warm colours and far depth cold ones, with one logarithmic scale for truth and
    prediction. The error ln z - ln z* is blue where the prediction is too near, white where it is
    right, and red where it is too far. Pixels without a value are black.

    Parameters
    ----------
    image : uint8 [H, W, 3], BGR.
    truth, depth : float32 [H, W], metres, NaN where there is none.
    title : written above the image.

    Returns
    -------
    uint8 [h, 4 w, 3], BGR.
    """
    ranges = [_range(truth), _range(depth)]
    scale = (min(near for near, _ in ranges), max(far for _, far in ranges))
    height = round(_WIDTH * image.shape[0] / image.shape[1])
    titles = [
        f'{name}: {near:.2f} m to {far:.2f} m'
        for name, (near, far) in zip(('truth', 'prediction, same colours'), ranges, strict=True)
    ]
    panels = [
        (title, image),
        (titles[0], _colored(truth, scale)),
        (titles[1], _colored(depth, scale)),
        ('error: blue too near, red too far, full at twice', _error(depth, truth)),
    ]
    sparse = np.isfinite(truth).sum() < _SPARSE * truth.size
    shown = []
    for index, (text, picture) in enumerate(panels):
        if sparse and index in (1, 3):
            picture = cv2.dilate(picture, np.ones((5, 5), np.uint8))
        resized = cv2.resize(picture, (_WIDTH, height), interpolation=cv2.INTER_AREA)
        strip = np.full((_STRIP, _WIDTH, 3), 24, np.uint8)
        cv2.putText(strip, text, (6, 19), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (220, 220, 220), 1, 16)
        shown.append(np.vstack([strip, resized]))
    return np.hstack(shown)


def _range(depth: np.ndarray) -> tuple[float, float]:
    """Return the 1st and the 99th percentile of the depths."""
    known = depth[np.isfinite(depth)]
    return float(np.percentile(known, 1)), float(np.percentile(known, 99))


def _colored(depth: np.ndarray, scale: tuple[float, float]) -> np.ndarray:
    """Return depth in colours; `scale` is the nearest and the farthest depth."""
    low, high = np.log(scale)
    level = (high - np.log(depth)) / max(high - low, 1e-6)
    known = np.isfinite(level)
    level = (255 * np.where(known, level, 0)).clip(0, 255).astype(np.uint8)
    picture = cv2.applyColorMap(level, cv2.COLORMAP_TURBO)
    picture[~known] = 0
    return picture


def _error(depth: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return ln depth - ln truth as blue, white and red."""
    error = (np.log(depth) - np.log(truth)) / _LARGEST
    known = np.isfinite(error)
    error = np.where(known, error, 0).clip(-1, 1)[..., None]
    far, near = np.array([40, 40, 220]), np.array([220, 90, 30])
    picture = 255 + np.abs(error) * (np.where(error > 0, far, near) - 255)
    picture[~known] = 0
    return picture.astype(np.uint8)
