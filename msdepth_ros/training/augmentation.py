# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Random views of a frame, as Eigen et al. 2014 make them, with photometric noise on top.

A view is what the network's input would show after a rotation, a zoom and a shift of the camera
image. Zooming by s is the same picture as a camera of s times the focal length, and the network
predicts depth for one focal length, so the depth it must answer is divided by s.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from msdepth_ros.camera import Grid
from msdepth_ros.training.datasets import Frame


@dataclass(frozen=True)
class Augmentation:
    """How far views and colours may stray; the defaults change nothing.

    Attributes
    ----------
    zoom : smallest and largest; 1 shows the largest part of the image that has the input's aspect.
    rotation : largest angle about the optical axis, degrees.
    flip : mirror half of the views.
    colour : largest relative gain of each colour channel, and of all of them together.
    gamma : largest logarithm of the exponent.
    grey : share of views without colour.
    noise : largest standard deviation, grey levels.
    blur : largest standard deviation, input pixels.
    erase : share of views in which a rectangle is blotted out.

    """

    zoom: tuple[float, float] = (1.0, 1.0)
    rotation: float = 0.0
    flip: bool = False
    colour: float = 0.0
    gamma: float = 0.0
    grey: float = 0.0
    noise: float = 0.0
    blur: float = 0.0
    erase: float = 0.0


@dataclass(frozen=True)
class View:
    """What a network is trained on.

    Attributes
    ----------
    image : uint8 [height, width, 3], RGB.
    log_depth : float32 [grid.height, grid.width], ln metres at the network's focal length.
    valid : bool, same shape.

    """

    image: np.ndarray
    log_depth: np.ndarray
    valid: np.ndarray


class ViewMaker:
    """Makes views for one network.

    Parameters
    ----------
    image_size : (width, height) of the network's input.
    grid : the network's output cells in its input.
    focal : focal length at which the network's output is metric, input pixels.
    border : pixels (of the frame) along the edge that hold no scene; their depth is not used.

    """

    def __init__(
        self, image_size: tuple[int, int], grid: Grid, focal: float, border: int = 0
    ) -> None:
        self._size = image_size
        self._grid = np.array(
            [
                [grid.step[0], 0, grid.origin[0]],
                [0, grid.step[1], grid.origin[1]],
                [0, 0, 1],
            ]
        )
        self._grid_size = (grid.width, grid.height)
        self._focal = focal
        self._border = border

    def whole(self, frame: Frame) -> View:
        """Return the view that the running node gives the network (`fit: crop`)."""
        return self._view(frame, self._to_frame(frame, 1.0, 0.0, (0.5, 0.5), False))

    def random(self, frame: Frame, how: Augmentation, rng: np.random.Generator) -> View:
        """Return a random view of the frame."""
        zoom = rng.uniform(*how.zoom)
        angle = rng.uniform(-how.rotation, how.rotation)
        shift = (rng.uniform(), rng.uniform())
        flip = how.flip and rng.uniform() < 0.5
        affine = self._to_frame(frame, zoom, angle, shift, flip)
        if self._border and rng.uniform() < 0.5:
            frame = Frame(frame.name, self._without_border(frame), frame.depth, frame.intrinsics)
        view = self._view(frame, affine)
        return View(change_colours(view.image, how, rng), view.log_depth, view.valid)

    def _to_frame(
        self, frame: Frame, zoom: float, angle: float, shift: Sequence[float], flip: bool
    ) -> np.ndarray:
        """Return the 3x3 affine map from input pixels to frame pixels.

        `shift` places the view within the room that zooming leaves: 0 left or top, 1 right or
        bottom.
        """
        (width, height), source = self._size, frame.intrinsics
        step = min(source.width / width, source.height / height) / zoom
        centre = np.array(
            [
                source.width / 2 + (shift[0] - 0.5) * max(0.0, source.width - step * width),
                source.height / 2 + (shift[1] - 0.5) * max(0.0, source.height - step * height),
            ]
        )
        c, s = step * np.cos(np.radians(angle)), step * np.sin(np.radians(angle))
        turn = np.array([[-c, -s], [-s, c]]) if flip else np.array([[c, -s], [s, c]])
        middle = np.array([(width - 1) / 2, (height - 1) / 2])
        affine = np.eye(3)
        affine[:2, :2] = turn
        affine[:2, 2] = centre - 0.5 - turn @ middle
        return affine

    def _view(self, frame: Frame, affine: np.ndarray) -> View:
        step = float(np.hypot(affine[0, 0], affine[1, 0]))
        image = cv2.warpAffine(
            frame.image,
            affine[:2],
            self._size,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        depth = frame.depth
        if self._border:
            b = self._border
            depth = np.zeros_like(depth)
            depth[b:-b, b:-b] = frame.depth[b:-b, b:-b]
        depth = cv2.warpAffine(
            depth,
            (affine @ self._grid)[:2],
            self._grid_size,
            flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=0,
        )
        valid = np.isfinite(depth) & (depth > 0)
        focal = np.sqrt(frame.intrinsics.fx * frame.intrinsics.fy) / step
        log_depth = np.log(np.where(valid, depth, 1)) + np.float32(np.log(self._focal / focal))
        return View(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), log_depth, valid)

    def _without_border(self, frame: Frame) -> np.ndarray:
        b = self._border
        return cv2.copyMakeBorder(frame.image[b:-b, b:-b], b, b, b, b, cv2.BORDER_REPLICATE)


def change_colours(image: np.ndarray, how: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Return a copy of a uint8 RGB image with random colours, exposure, noise, blur and a blot."""
    if how.colour or how.gamma:
        levels = np.linspace(0, 1, 256)[:, None] ** np.exp(rng.uniform(-how.gamma, how.gamma))
        gain = 1 + rng.uniform(-how.colour, how.colour, 3)
        gain *= 1 + rng.uniform(-how.colour, how.colour)
        table = np.clip(255 * levels * gain, 0, 255).astype(np.uint8)
        image = cv2.LUT(image, table[None])
    if rng.uniform() < how.grey:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if how.blur and rng.uniform() < 0.3:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.1, how.blur))
    if how.noise and rng.uniform() < 0.5:
        sigma = rng.uniform(0, how.noise)
        noisy = image + rng.normal(0, sigma, image.shape).astype(np.float32)
        image = np.clip(noisy, 0, 255).astype(np.uint8)
    if rng.uniform() < how.erase:
        height, width = image.shape[:2]
        h, w = (int(size * rng.uniform(0.1, 0.4)) for size in (height, width))
        y, x = rng.integers(0, height - h), rng.integers(0, width - w)
        image = image.copy()
        image[y : y + h, x : x + w] = rng.integers(0, 256, 3)
    return image
