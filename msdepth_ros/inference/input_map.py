# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The precomputed map from camera images to the network's input, and from cells to the camera."""

import cv2
import numpy as np

from msdepth_ros.errors import ImageError
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.geometry.pinhole import Grid, Intrinsics
from msdepth_ros.geometry.undistortion import raw_pixels
from msdepth_ros.images.encodings import ENCODINGS, ORDERS
from msdepth_ros.inference.fit import fit_window
from msdepth_ros.inference.model import Model


class InputMap:
    """Maps images of one size and calibration into a network's input.

    Rectification, crop and resize are one fixed-point map. cv2.remap cannot average. So an image
    much larger than the input is first halved (2x2 means) until a pixel of the input covers fewer
    than two of its pixels: this avoids aliasing, and is faster than one cv2.resize (INTER_AREA).

    Attributes
    ----------
    intrinsics : of the rectified camera image, at the image's own size; None without calibration.
    cells : the network's output cells, in pixels of the rectified camera image.
    network_intrinsics : of the network's input; None without calibration.
    seen : bool [cells.height, cells.width], false where the network's input has no image.
    """

    def __init__(
        self,
        model: Model,
        image_size: tuple[int, int],
        camera: Camera | None = None,
        rectify: bool = False,
        rectified: bool = False,
        fit: str = 'auto',
    ) -> None:
        """Precompute the map.

        Parameters
        ----------
        model : the network's input size, channel order and output grid.
        image_size : (width, height) of the images.
        camera : their calibration, for this image size (see Camera.for_image).
        rectify : undistort with K, D and R into P's image.
        rectified : the images are already P's. If both are false, they are K's.
        fit : 'crop', 'pad' or 'stretch', see fit.fit_window; 'auto' = as the model says.
        """
        self._image_size = image_size
        fit = model.fit if fit == 'auto' else fit
        self._channels = model.channels.upper()
        window = fit_window(fit, image_size, model.input_size)
        self._target = window.target
        network = window.network_grid(model.input_size)
        self.cells = Grid(*model.output_size, model.grid_origin, model.grid_step).within(network)
        self.intrinsics: Intrinsics | None = None
        self.network_intrinsics: Intrinsics | None = None
        if camera is not None:
            ideal = rectify or rectified
            self.intrinsics = camera.rectified_intrinsics() if ideal else camera.raw_intrinsics()
            self.network_intrinsics = self.intrinsics.sampled(network)
        target = window.target_grid()
        x, y = target.pixels()
        self.seen = _within(*self.cells.pixels(), image_size)
        if camera is not None and self.intrinsics is not None and rectify:
            x, y = raw_pixels(camera, self.intrinsics.sampled(target))
            self.seen &= _within(
                *raw_pixels(camera, self.intrinsics.sampled(self.cells)), image_size
            )
        self._sizes = _halved_sizes(image_size, min(target.step))
        self._halved: list[np.ndarray] = []
        inside = _within(x, y, image_size)
        shrink = 2 ** len(self._sizes)
        width, height = (self._sizes or [image_size])[-1]
        self._maps = cv2.convertMaps(
            _halved_position(x, inside, shrink, width),
            _halved_position(y, inside, shrink, height),
            cv2.CV_16SC2,
        )

    def apply(self, image: np.ndarray, encoding: str, network_input: np.ndarray) -> None:
        """Write an image into the network's input.

        Parameters
        ----------
        image : uint8 [height, width] or [height, width, channels], of this map's size.
        encoding : one of ENCODINGS.
        network_input : uint8 [height, width, 3], overwritten; black outside of the window.

        Raises
        ------
        ImageError
            If the image has not this map's size or the encoding's channels.
        """
        order = self._order(image, encoding)
        left, top, width, height = self._target
        target = network_input[top : top + height, left : left + width]
        if target.shape != network_input.shape:
            network_input.fill(0)
        if order == self._channels:
            self._remap(image, target)
        else:
            code = getattr(cv2, f'COLOR_{order}2{self._channels}')
            cv2.cvtColor(self._remap(image, None), code, dst=target)

    def _order(self, image: np.ndarray, encoding: str) -> str:
        order = ORDERS.get(encoding)
        if order is None:
            raise ImageError(f"encoding '{encoding}' is not one of {', '.join(ENCODINGS)}")
        width, height = self._image_size
        shape = (height, width) if order == 'GRAY' else (height, width, len(order))
        if image.shape != shape or image.dtype != np.uint8:
            raise ImageError(
                f'a {encoding} image of {width}x{height} is uint8 {shape}, not {image.dtype} '
                f'{image.shape}'
            )
        return order

    def _remap(self, image: np.ndarray, target: np.ndarray | None) -> np.ndarray:
        if self._halved and self._halved[0].shape[2:] != image.shape[2:]:
            self._halved = []
        if not self._halved:
            self._halved = [
                np.empty((height, width, *image.shape[2:]), np.uint8)
                for width, height in self._sizes
            ]
        for half in self._halved:
            height, width = half.shape[:2]
            even = image[: 2 * height, : 2 * width]
            image = cv2.resize(even, (width, height), dst=half, interpolation=cv2.INTER_AREA)
        pixels, fractions = self._maps
        return cv2.remap(image, pixels, fractions, cv2.INTER_LINEAR, target, cv2.BORDER_CONSTANT)


def _halved_sizes(image_size: tuple[int, int], step: float) -> list[tuple[int, int]]:
    """Return (width, height) after each halving, for `step` image pixels per network pixel."""
    width, height = image_size
    sizes = []
    while step >= 2 and min(width, height) >= 2:
        width, height, step = width // 2, height // 2, step / 2
        sizes.append((width, height))
    return sizes


def _halved_position(
    position: np.ndarray, inside: np.ndarray, shrink: int, length: int
) -> np.ndarray:
    """Return pixel positions along an axis that was shrunk to `length` pixels, float32.

    Positions inside the image are clipped to its pixels, so that its border is not mixed with
    black.
    """
    halved = (position + 0.5) / shrink - 0.5
    return np.where(inside, halved.clip(0, length - 1), halved).astype(np.float32)


def _within(u: np.ndarray, v: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """Return which pixel positions lie in an image, up to the outer edges of its border pixels."""
    width, height = image_size
    return (u >= -0.5) & (u <= width - 0.5) & (v >= -0.5) & (v <= height - 0.5)
