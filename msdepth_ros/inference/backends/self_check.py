# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compares an engine's depths with those that ONNX Runtime computes in FP32."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from msdepth_ros.inference.backends.base import Backend
from msdepth_ros.inference.backends.onnxruntime import OnnxRuntimeBackend
from msdepth_ros.inference.model import Model

CLIP = Path(__file__).resolve().parents[2] / 'clips' / 'room.mp4'
IMAGES = 4
LARGEST_MEAN_ERROR = 0.01
LARGEST_ERROR = 0.10


@dataclass(frozen=True)
class SelfCheck:
    """How far an engine's depths are from FP32, relative to those.

    Attributes
    ----------
    mean_error, max_error : over all cells of all images; infinite if a depth is not finite.
    images : how many images were compared.
    """

    mean_error: float
    max_error: float
    images: int

    @property
    def passed(self) -> bool:
        """Whether the errors are within 1 % on average and 10 % anywhere."""
        return self.mean_error <= LARGEST_MEAN_ERROR and self.max_error <= LARGEST_ERROR

    def __str__(self) -> str:
        """Return the errors for people."""
        return f'{self.mean_error:.3%} mean and {self.max_error:.3%} largest relative error'


def check_engine(
    model: Model, image: np.ndarray, depth: np.ndarray, run: Callable[[], None]
) -> SelfCheck:
    """Run an engine and ONNX Runtime on the same images.

    Parameters
    ----------
    model : the model that the engine was built of.
    image, depth : the engine's input and output buffers, as Backend has them.
    run : computes `depth` from `image`.
    """
    reference = OnnxRuntimeBackend(model)
    try:
        errors = [
            _relative_error(model, picture, image, depth, run, reference)
            for picture in check_images(*model.input_size)
        ]
    finally:
        reference.close()
    worst = np.concatenate(errors)
    return SelfCheck(float(worst.mean()), float(worst.max()), len(errors))


def check_images(width: int, height: int) -> list[np.ndarray]:
    """Return uint8 [height, width, 3] images: frames of the package's clip, else drawn ones."""
    frames = []
    video = cv2.VideoCapture(str(CLIP)) if CLIP.is_file() else None
    if video is not None:
        count = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
        for index in np.linspace(0, max(count - 1, 0), IMAGES).astype(int):
            video.set(cv2.CAP_PROP_POS_FRAMES, int(index))
            read, frame = video.read()
            if read:
                frames.append(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA))
        video.release()
    return frames or [_drawn_image(width, height, seed) for seed in range(IMAGES)]


def _drawn_image(width: int, height: int, seed: int) -> np.ndarray:
    """Return boxes of random colours before a gradient, with noise; the same for the same seed."""
    random = np.random.default_rng(seed)
    image = np.linspace(60, 200, height)[:, None, None] * random.uniform(0.6, 1.1, 3)
    image = np.repeat(image, width, axis=1)
    for _ in range(12):
        x, y = random.integers(0, width), random.integers(0, height)
        w, h = random.integers(8, width // 2), random.integers(8, height // 2)
        image[y : y + h, x : x + w] = random.uniform(0, 255, 3)
    image += random.normal(0, 6, image.shape)
    return image.clip(0, 255).astype(np.uint8)


def _relative_error(
    model: Model,
    picture: np.ndarray,
    image: np.ndarray,
    depth: np.ndarray,
    run: Callable[[], None],
    reference: Backend,
) -> np.ndarray:
    """Return |depth / FP32 depth - 1| of each cell, infinite where not finite."""
    image[:] = picture
    run()
    reference.input[:] = picture
    reference.run()
    with np.errstate(all='ignore'):
        found, exact = depth.astype(np.float64), reference.output.astype(np.float64)
        if model.quantity == 'log_depth':
            found, exact = np.exp(found), np.exp(exact)
        error = np.abs(found / exact - 1.0)  # the same for depth and for 1 / depth, if small
    return np.where(np.isfinite(error), error, np.inf).ravel()
