# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measures how the errors grow with worse images: exposure, blur, JPEG, noise."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import cv2
import numpy as np
from tqdm import tqdm

from msdepth_ros.datasets import Dataset
from msdepth_ros.evaluation.evaluation import (
    Procedure,
    Summary,
    Tally,
    predict,
    true_depth,
)
from msdepth_ros.images.compression import after_jpeg
from msdepth_ros.inference.model import Model

_GAMMA = 2.2  # of a camera's pixels, close to that of sRGB
_BLUR_WIDTH = 640  # width in pixels of the image that a blur is given for


def expose(image: np.ndarray, stops: float, rng: np.random.Generator) -> np.ndarray:
    """Return the image with 2^stops times the light; what is too bright becomes white."""
    light = (np.arange(256) / 255) ** _GAMMA * 2**stops
    levels = 255 * np.clip(light, 0, 1) ** (1 / _GAMMA)
    return np.rint(levels).astype(np.uint8)[image]


def blur(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Return the image with Gaussian blur; `sigma` in pixels of an image 640 pixels wide."""
    return cv2.GaussianBlur(image, (0, 0), sigma * image.shape[1] / _BLUR_WIDTH)


def compress(image: np.ndarray, quality: float, rng: np.random.Generator) -> np.ndarray:
    """Return the image after JPEG compression of a quality from 1 to 100."""
    return after_jpeg(image, round(quality))


def add_noise(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Return the image with independent Gaussian noise of `sigma` grey levels."""
    noise = rng.normal(0, sigma, image.shape).astype(np.float32)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


# Changes a uint8 BGR image with a strength and a random generator.
Change = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
CHANGES: Mapping[str, tuple[Change, float] | None] = {
    'as it is': None,
    **{f'exposure {stops:+} EV': (expose, stops) for stops in (-4, -2, -1, 1, 2)},
    **{f'blur {sigma} px': (blur, sigma) for sigma in (1, 2, 4, 8)},
    **{f'JPEG quality {quality}': (compress, quality) for quality in (50, 20, 10, 5)},
    **{f'noise {sigma} levels': (add_noise, sigma) for sigma in (5, 10, 20, 40)},
}


def disturb(image: np.ndarray, name: str, seed: int) -> np.ndarray:
    """Return a uint8 BGR image after the change of that name in CHANGES; `seed` of its noise."""
    change = CHANGES[name]
    if change is None:
        return image
    function, strength = change
    return function(image, strength, np.random.default_rng([seed, list(CHANGES).index(name)]))


def measure_robustness(model: Model, dataset: Dataset, procedure: Procedure) -> dict[str, Summary]:
    """Return the errors after each of CHANGES; parameters and exceptions as in `evaluate`."""
    tallies = {name: Tally() for name in CHANGES}
    frames = tqdm(procedure.frames(dataset), desc='disturbing', unit='image', disable=None)
    with procedure.estimator(model) as estimator:
        for index in frames:
            frame = dataset[index]
            truth = true_depth(frame, procedure.crop)
            for name in CHANGES:
                changed = replace(frame, image=disturb(frame.image, name, index))
                depth = predict(estimator, changed)
                tallies[name].add(procedure.scaled(depth, truth), truth)
    summaries = {name: tally.summary() for name, tally in tallies.items()}
    return {name: summary for name, summary in summaries.items() if summary is not None}
