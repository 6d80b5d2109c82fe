# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The depth of one image, and its geometry: where each cell lies in the image."""

import functools
from dataclasses import dataclass

import cv2
import numpy as np

from msdepth_ros.geometry.pinhole import Grid, Intrinsics
from msdepth_ros.geometry.undistortion import Undistortion
from msdepth_ros.geometry.upsampling import Upsampler
from msdepth_ros.metric.confidence import probability
from msdepth_ros.metric.metres import Aligned


@dataclass(frozen=True)
class FrameGeometry:
    """How cells, camera image and network input are related; the same for many frames.

    Attributes
    ----------
    cells : the network's output cells, in pixels of the rectified camera image.
    intrinsics : of the rectified camera image; None without calibration.
    network_intrinsics : of the network's input; None without calibration.
    seen : bool [cells.height, cells.width], false where the network's input has no image.
    nearest_rows, nearest_columns : int [cells.height] and [cells.width], the pixel of the network's
        input nearest to the centre of each row and column of cells.
    upsampler : from cells to the camera's pixels.
    undistortion : from the camera image to the rectified one; None if they are the same.
    """

    cells: Grid
    intrinsics: Intrinsics | None
    network_intrinsics: Intrinsics | None
    seen: np.ndarray
    nearest_rows: np.ndarray
    nearest_columns: np.ndarray
    upsampler: Upsampler
    undistortion: Undistortion | None


@dataclass
class DepthFrame:
    """The depth of one image, on the network's own grid.

    Attributes
    ----------
    depth : float32 [height, width], metres along Z, NaN where invalid or not seen. Without
        calibration it has the scale of the camera that the model was trained for.
    beyond : bool [height, width], where `depth` is NaN because it is above the range.
    outputs : float32 [height, width] each, the model's further outputs by role ('floor',
        'confidence').
    geometry : where each cell lies in the image.
    image, encoding : the camera image.
    network_input : uint8 [height, width, 3], the network's input.
    channels : 'rgb' or 'bgr', the order of its last axis.
    edge_threshold : of the frame's settings, used by `full_depth`.
    depth_range : (nearest, farthest) valid depth, metres.
    infer_time : seconds spent in the network.
    std : float32 [height, width], standard deviation of the logarithm of `depth`.
    aligned : the correction by measurements; None: not asked for.
    """

    depth: np.ndarray
    beyond: np.ndarray
    outputs: dict[str, np.ndarray]
    geometry: FrameGeometry
    image: np.ndarray
    encoding: str
    network_input: np.ndarray
    channels: str
    edge_threshold: float
    depth_range: tuple[float, float]
    infer_time: float
    std: np.ndarray
    aligned: Aligned | None = None

    @property
    def cells(self) -> Grid:
        """The cells of `depth`, in pixels of the rectified camera image."""
        return self.geometry.cells

    @property
    def camera_intrinsics(self) -> Intrinsics | None:
        """Intrinsics of the rectified camera image, None without calibration."""
        return self.geometry.intrinsics

    @property
    def intrinsics(self) -> Intrinsics | None:
        """Intrinsics of `depth` as an image of its own, None without calibration."""
        return self.camera_intrinsics and self.camera_intrinsics.sampled(self.cells)

    @property
    def camera_shape(self) -> tuple[int, int]:
        """(height, width) of the camera image."""
        return self.geometry.upsampler.shape

    def full_depth(self, out: np.ndarray | None = None) -> np.ndarray:
        """Return the depth of each pixel of the rectified camera image.

        Parameters
        ----------
        out : float32 [height, width], written and returned; None: a new array.

        Returns
        -------
        float32 [height, width], metres along Z, NaN invalid.
        """
        upsample = self.geometry.upsampler
        return upsample(self.depth, self.edge_threshold, self.depth_range, out)

    def full_beyond(self) -> np.ndarray:
        """Return `beyond` for each pixel of the rectified image, bool [height, width].

        Each pixel has the value of its cell.
        """
        return self.geometry.upsampler.nearest(self.beyond)

    @functools.cached_property
    def confidence(self) -> np.ndarray:
        """The probability that the depth is within 25 % of the truth, float32 [height, width].

        NaN where there is no depth.
        """
        return np.where(np.isnan(self.depth), np.float32(np.nan), probability(self.std))

    def full_confidence(
        self, out: np.ndarray | None = None, full_depth: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the confidence of each pixel of `full_depth`.

        Parameters
        ----------
        out : float32 [height, width], written and returned; None: a new array.
        full_depth : the result of `full_depth()`, if it is at hand; None: it is computed.

        Returns
        -------
        float32 [height, width], NaN where there is no depth.
        """
        full = np.empty(self.camera_shape, np.float32) if out is None else out
        depth = self.full_depth() if full_depth is None else full_depth
        # Resizing and rounding the place to whole pixels takes half the time of an affine map.
        size = [round(step * n) for step, n in zip(self.cells.step, self.std.shape[::-1])]
        certain = cv2.resize(probability(self.std), size, interpolation=cv2.INTER_LINEAR)
        certain = cv2.copyMakeBorder(certain, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
        left, top = (
            round(at - (step - 1) / 2) - 1 for at, step in zip(self.cells.origin, self.cells.step)
        )
        certain = certain[max(-top, 0) :, max(-left, 0) :]
        part = full[max(top, 0) :, max(left, 0) :]
        height, width = np.minimum(certain.shape, part.shape)
        full.fill(np.nan)
        part[:height, :width] = certain[:height, :width]
        np.copyto(full, np.float32(np.nan), where=np.isnan(depth))
        return full

    def rectified_image(self) -> tuple[np.ndarray, str]:
        """Return the image with the pixels of `full_depth`, [height, width(, 3)], and its encoding.

        It is the camera image, rectified if it was not.
        """
        undistortion = self.geometry.undistortion
        image = self.image if undistortion is None else undistortion.image(self.image)
        return image, self.encoding

    def colors(self) -> np.ndarray:
        """Return each cell's colour, uint8 [height, width, 3] RGB."""
        geometry = self.geometry
        rows = self.network_input.take(geometry.nearest_rows, axis=0)
        picked = rows.take(geometry.nearest_columns, axis=1)
        return picked if self.channels == 'rgb' else picked[..., ::-1]
