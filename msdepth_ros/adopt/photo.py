# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The photo for the checks, as the network's input."""

from pathlib import Path

import numpy as np

from msdepth_ros.adopt.plan import Plan
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.images.sources import guessed_camera
from msdepth_ros.inference.input_map import InputMap
from msdepth_ros.inference.model import Model

_ASPECT = 0.01  # largest relative difference of the aspect ratios of photo and camera


def photo_pixels(
    photo: np.ndarray, camera: Camera | None, plan: Plan
) -> tuple[np.ndarray, Intrinsics]:
    """Return the network's input, uint8 [height, width, 3] RGB, and its intrinsics.

    Parameters
    ----------
    photo : uint8 [H, W, 3] BGR.
    camera : that took it; None, or one of another aspect ratio: a horizontal field of view of 60
        degrees is assumed.
    plan : with the network's size, and how images are fitted.
    """
    height, width = photo.shape[:2]
    if camera is None or abs(camera.width * height / (camera.height * width) - 1) > _ASPECT:
        camera = guessed_camera(width, height)
    camera = camera.for_image(width, height)
    view = InputMap(_shape(plan), (width, height), camera, camera.distorted, False, plan.recipe.fit)
    pixels = np.zeros((plan.size[1], plan.size[0], 3), np.uint8)
    view.apply(photo, 'bgr8', pixels)
    assert view.network_intrinsics is not None
    return pixels, view.network_intrinsics


def _shape(plan: Plan) -> Model:
    """Return a model with the network's input, for `InputMap`."""
    return Model(
        name='',
        onnx=Path(),
        sha256=None,
        input_name='',
        input_size=plan.size,
        channels='rgb',
        output_name='',
        output_size=plan.size,
        quantity='depth',
        grid_origin=(0.0, 0.0),
        grid_step=(1.0, 1.0),
        focal=0.0,
        depth_range=plan.recipe.depth_range,
    )
