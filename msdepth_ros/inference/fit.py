# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How a rectified camera image is fitted into the network's input: crop, pad or stretch."""

from dataclasses import dataclass

from msdepth_ros.geometry.pinhole import Grid

FITS = ('crop', 'pad', 'stretch')


@dataclass(frozen=True)
class Window:
    """Which part of the camera image the network sees, and where in its input.

    `source` is resized to `target` with half-pixel centres. The rest of the network's input (only
    with 'pad') is black.

    Attributes
    ----------
    source : (x, y, width, height), whole pixels of the camera image.
    target : (x, y, width, height), whole pixels of the network's input.
    """

    source: tuple[int, int, int, int]
    target: tuple[int, int, int, int]

    def target_grid(self) -> Grid:
        """Return the pixels of `target` as a grid in the camera image.

        Pixel p of W is at u = x0 + (p + 0.5) * w / W - 0.5; rows likewise.
        """
        (x, y, w, h), (_, _, width, height) = self.source, self.target
        step = (w / width, h / height)
        origin = (x + 0.5 * step[0] - 0.5, y + 0.5 * step[1] - 0.5)
        return Grid(width, height, origin, step)

    def network_grid(self, input_size: tuple[int, int]) -> Grid:
        """Return all pixels of the network's input as a grid in the camera image."""
        left, top, _, _ = self.target
        return Grid(*input_size, (float(-left), float(-top)), (1.0, 1.0)).within(self.target_grid())


def fit_window(fit: str, camera_size: tuple[int, int], input_size: tuple[int, int]) -> Window:
    """Fit a camera image into the network's input.

    - 'crop': the largest centred rectangle of the network's aspect ratio; the rest is not seen.
    - 'pad': the whole image, centred, with black bars.
    - 'stretch': the whole image, with another aspect ratio (then fx != fy, and the network sees
      shapes that it was not trained on).

    Rectangles are rounded to whole pixels. The window has the rounded numbers, so that geometry
    stays exact.

    Parameters
    ----------
    fit : one of FITS.
    camera_size, input_size : (width, height), pixels.

    Raises
    ------
    ValueError
        If `fit` is not one of FITS.
    """
    (camera_w, camera_h), (input_w, input_h) = camera_size, input_size
    whole = (0, 0, camera_w, camera_h)
    full = (0, 0, input_w, input_h)
    if fit == 'stretch':
        return Window(whole, full)
    wider = camera_w * input_h > input_w * camera_h
    if fit == 'crop':
        w = max(1, round(camera_h * input_w / input_h)) if wider else camera_w
        h = camera_h if wider else max(1, round(camera_w * input_h / input_w))
        return Window(((camera_w - w) // 2, (camera_h - h) // 2, w, h), full)
    if fit == 'pad':
        w = input_w if wider else max(1, round(input_h * camera_w / camera_h))
        h = max(1, round(input_w * camera_h / camera_w)) if wider else input_h
        return Window(whole, ((input_w - w) // 2, (input_h - h) // 2, w, h))
    raise ValueError(f"fit is '{fit}' but must be one of {', '.join(FITS)}")
