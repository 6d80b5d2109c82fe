# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compares an engine's depth with that of ONNX Runtime in FP32."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from msdepth_ros.inference.backends.base import Backend
from msdepth_ros.inference.backends.onnxruntime import OnnxRuntimeBackend
from msdepth_ros.inference.model import INTRINSICS, Model

CLIP = Path(__file__).resolve().parents[2] / 'clips' / 'room.mp4'
IMAGES = 4
LARGEST_MEAN_ERROR = 0.01
LARGEST_ERROR = 0.10
LARGEST_FLIPPED = 0.01  # largest fraction of cells (edge of the sky) that are NaN in only one


@dataclass(frozen=True)
class SelfCheck:
    """The relative error of an engine's depth against FP32.

    Attributes
    ----------
    mean_error, max_error : over all cells of all images; infinite if a depth is not finite.
    images : number of images that were compared.
    """

    mean_error: float
    max_error: float
    images: int

    @property
    def passed(self) -> bool:
        """Whether the errors are within 1 % on average and 10 % anywhere."""
        return self.mean_error <= LARGEST_MEAN_ERROR and self.max_error <= LARGEST_ERROR

    def __str__(self) -> str:
        """Return the errors as text for users."""
        return f'{self.mean_error:.3%} mean and {self.max_error:.3%} largest relative error'


def check_engine(
    model: Model,
    inputs: dict[str, np.ndarray],
    outputs: dict[str, np.ndarray],
    run: Callable[[], None],
) -> SelfCheck:
    """Run an engine and ONNX Runtime on the same images.

    Parameters
    ----------
    model : from which the engine was built.
    inputs, outputs : the engine's buffers by role, see `Backend`.
    run : computes `outputs` from `inputs`.
    """
    reference = OnnxRuntimeBackend(model)
    try:
        errors = [
            _errors(model, picture, inputs, outputs, run, reference)
            for picture in check_images(*model.input_size)
        ]
    finally:
        reference.close()
    worst = np.concatenate(errors)
    return SelfCheck(float(worst.mean()), float(worst.max()), len(errors))


def check_images(width: int, height: int) -> list[np.ndarray]:
    """Return uint8 [height, width, 3] images: frames of the package's clip, or drawn ones."""
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
    """Return an image of random boxes on a gradient, with noise; the same for the same seed."""
    random = np.random.default_rng(seed)
    image = np.linspace(60, 200, height)[:, None, None] * random.uniform(0.6, 1.1, 3)
    image = np.repeat(image, width, axis=1)
    for _ in range(12):
        x, y = random.integers(0, width), random.integers(0, height)
        w, h = random.integers(8, width // 2), random.integers(8, height // 2)
        image[y : y + h, x : x + w] = random.uniform(0, 255, 3)
    image += random.normal(0, 6, image.shape)
    return image.clip(0, 255).astype(np.uint8)


def _errors(
    model: Model,
    picture: np.ndarray,
    inputs: dict[str, np.ndarray],
    outputs: dict[str, np.ndarray],
    run: Callable[[], None],
    reference: Backend,
) -> np.ndarray:
    """Return the error of each cell of each output; infinite where it is not finite.

    For depth it is |depth / FP32 depth - 1|, for a probability the absolute error. A cell that is
    NaN in both has error 0. If FP32 has NaN cells, a few may be NaN in one of the two only.
    """
    width, height = model.input_size
    for buffers in (inputs, reference.inputs):
        buffers['image'][:] = picture
        if INTRINSICS in buffers:
            centre = (width - 1) / 2, (height - 1) / 2
            focal = model.focal or float(width)
            buffers[INTRINSICS][:] = [[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1]]
    run()
    reference.run()
    errors = []
    with np.errstate(all='ignore'):
        for role, array in outputs.items():
            found, exact = array.astype(np.float64), reference.outputs[role].astype(np.float64)
            if role == 'depth' and model.quantity == 'log_depth':
                found, exact = np.exp(found), np.exp(exact)
            # The relative error is the same for depth and for 1 / depth, if small.
            error = np.abs(found / exact - 1.0) if role == 'depth' else np.abs(found - exact)
            masked, is_masked = np.isnan(exact), np.isnan(found)
            error[masked & is_masked] = 0.0
            flipped = masked != is_masked
            if masked.any() and flipped.mean() <= LARGEST_FLIPPED:
                error[flipped] = 0.0
            errors.append(np.where(np.isfinite(error), error, np.inf).ravel())
    return np.concatenate(errors)
