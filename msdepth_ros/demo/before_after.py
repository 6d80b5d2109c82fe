# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures and errors of the demo's depth without and with measurements."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from sensor_msgs.msg import Image

from msdepth_ros.datasets import DatasetFolder
from msdepth_ros.demo.measured import ClipDepth
from msdepth_ros.demo.recorder import Recording
from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.images.pictures import colorize
from msdepth_ros.inference.backends import create_backend
from msdepth_ros.inference.estimator import DepthEstimator
from msdepth_ros.inference.model import DEFAULT_MODEL, load_model
from msdepth_ros.node.messages import image_from_msg

TITLES = {'scan': 'one row of a laser scan', 'views': 'several views'}
Truth = Callable[[int], np.ndarray]  # the true depth of the n-th image, metres, NaN where unknown


def clip_truth(clip: Path, camera: Camera | None) -> Truth:
    """Return the true depth of a rendered clip.

    Raises
    ------
    MsdepthError
        If there is none.
    """
    assert camera is not None
    return ClipDepth(clip, camera.rectified_intrinsics()).frame


def folder_truth(folder: Path) -> Truth:
    """Return the true depth of a dataset folder.

    Raises
    ------
    MsdepthError
        If it is not a dataset folder.
    """
    dataset = DatasetFolder(folder)

    def frame(number: int) -> np.ndarray:
        depth = dataset[number].depth
        return np.where(depth > 0, depth, np.float32(np.nan))

    return frame


def draw(
    recording: Recording,
    truth: Truth,
    camera: Camera | None,
    model_name: str,
    measured: str,
    out: Path,
) -> tuple[list[Path], str]:
    """Write a picture for each sample: image, depth alone, aligned depth, confidence.

    Parameters
    ----------
    recording : what was received.
    truth : the true depth of each played image.
    camera : calibration of the images.
    model_name : name or path of the model; '' = the default.
    measured : 'scan' or 'views'.
    out : folder for the pictures.

    Returns
    -------
    (paths of the pictures, mean relative errors of both depths as text).

    Raises
    ------
    MsdepthError
        If a picture cannot be written, or nothing was measured.
    """
    assert camera is not None
    numbers = {stamp: number for number, stamp in enumerate(sorted(recording.played))}
    model = load_model(model_name or DEFAULT_MODEL)
    backend = create_backend(model)
    estimator = DepthEstimator(model, backend)
    paths: list[Path] = []
    errors = []
    try:
        for stamp, sample in recording.samples.items():
            if sample.image is None or sample.depth is None or sample.confidence is None:
                continue
            image, encoding = image_from_msg(sample.image)
            before = estimator.estimate(image, encoding, camera).full_depth()
            after, sure = _pixels(sample.depth), _pixels(sample.confidence)
            true = truth(numbers[stamp])
            errors.append([float(np.nanmean(np.abs(z / true - 1))) for z in (before, after)])
            picture = np.hstack(
                [
                    _titled(image, 'camera'),
                    _titled(colorize(before), f'depth alone: {errors[-1][0]:.1%} off'),
                    _titled(colorize(after), f'with {TITLES[measured]}: {errors[-1][1]:.1%} off'),
                    _titled(_shade(sure), 'confidence'),
                ]
            )
            path = out / f'demo_{len(paths):03d}.png'
            if not cv2.imwrite(str(path), picture):
                raise MsdepthError(f'cannot write {path}: is the disk full?')
            paths.append(path)
    finally:
        backend.close()
    if not errors:
        raise MsdepthError(f'no depth with confidence arrived: see {out}/depth_node.log')
    alone, aligned = np.mean(errors, axis=0)
    return paths, f'{alone:.1%} off alone, {aligned:.1%} with {TITLES[measured]}'


def _pixels(message: Image) -> np.ndarray:
    return np.frombuffer(message.data, np.float32).reshape(message.height, message.width)


def _shade(confidence: np.ndarray) -> np.ndarray:
    """Return confidence as green (1) to red (0), NaN black, uint8 [height, width, 3] BGR."""
    sure = np.nan_to_num(confidence, nan=0.0).clip(0, 1)
    known = np.isfinite(confidence)
    channels = (np.zeros_like(sure), 220 * sure, 220 * (1 - sure))
    return (np.dstack(channels) * known[..., None]).astype(np.uint8)


def _titled(image: np.ndarray, title: str) -> np.ndarray:
    titled = np.ascontiguousarray(image[..., :3])
    cv2.rectangle(titled, (0, 0), (titled.shape[1], 36), (0, 0, 0), cv2.FILLED)
    font, line = cv2.FONT_HERSHEY_SIMPLEX, cv2.LINE_AA
    cv2.putText(titled, title, (10, 26), font, 0.7, (255, 255, 255), 1, line)
    return titled
