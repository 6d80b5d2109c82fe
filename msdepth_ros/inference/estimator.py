# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a camera image to metric depth, without ROS."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from msdepth_ros.calibration import log_doubts
from msdepth_ros.errors import CalibrationError, ImageError
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.geometry.flying_pixels import remove_flying_pixels
from msdepth_ros.geometry.pinhole import guessed_intrinsics
from msdepth_ros.geometry.undistortion import Undistortion
from msdepth_ros.geometry.upsampling import Upsampler
from msdepth_ros.inference.backends.base import Backend
from msdepth_ros.inference.frame import DepthFrame, FrameGeometry
from msdepth_ros.inference.input_map import InputMap
from msdepth_ros.inference.model import DEPTH, IMAGE, INTRINSICS, Model
from msdepth_ros.metric.confidence import probability
from msdepth_ros.metric.metres import Aligned

RECTIFY = ('auto', 'on', 'off')
# Corrects a frame's depth by measurements. Arguments: the depth, float32 [height, width]; its
# geometry; the model's further outputs; the network's input, uint8 [height, width, 3]. Returns
# None if the depth cannot be metric.
Align = Callable[[np.ndarray, FrameGeometry, Mapping[str, np.ndarray], np.ndarray], Aligned | None]
_NEAREST = 1e-3  # metres; nearer depth is invalid: its inverse might overflow float32


@dataclass(frozen=True)
class Settings:
    """What may change from frame to frame.

    Attributes
    ----------
    rectify : 'on': the image is undistorted with K, D, R into P's image; 'off': the image is
        already P's; 'auto': 'on' if D is not zero, otherwise the image is K's.
    fit : 'crop', 'pad' or 'stretch', see fit.fit_window; 'auto' = as the model says.
    min_depth, max_depth : metres; depth outside is NaN. 0: the model's own limit.
    scale : factor on the depth, after the focal-length scaling.
    edge_threshold : smallest relative depth jump that counts as a discontinuity; 0: none.
    min_confidence : depth with a lower confidence is NaN; 0: all depth is kept.
    """

    rectify: str = 'auto'
    fit: str = 'auto'
    min_depth: float = 0.0
    max_depth: float = 0.0
    scale: float = 1.0
    edge_threshold: float = 0.15
    min_confidence: float = 0.0


class DepthEstimator:
    """Runs a depth network on images of a calibrated camera.

    Its maps are computed again only if the image size, the calibration or the settings change. Not
    thread-safe: use it on the thread that created the backend.
    """

    def __init__(self, model: Model, backend: Backend, settings: Settings | None = None) -> None:
        """`settings` are for frames without settings of their own."""
        self.model = model
        self.backend = backend
        self._settings = settings or Settings()
        self._key: object = None
        self._judged = False
        self._map: InputMap
        self._geometry: FrameGeometry

    def estimate(
        self,
        image: np.ndarray,
        encoding: str,
        camera: Camera | None = None,
        settings: Settings | None = None,
        align: Align | None = None,
    ) -> DepthFrame:
        """Estimate the depth of one image.

        Parameters
        ----------
        image : uint8 [height, width, channels] or [height, width]; rows may be padded (strides).
        encoding : 'rgb8', 'bgr8', 'rgba8', 'bgra8' or 'mono8'.
        camera : the image's calibration; None: no metric scale, no intrinsics.
        settings : for this frame; None: the estimator's own.
        align : corrects the depth by measurements, after the scaling and before invalid cells are
            set to NaN; None: the depth stays the network's, in its unit.

        Raises
        ------
        ImageError
            If the image does not agree with its encoding.
        CalibrationError
            If the calibration cannot be used, or is not for this image.
        BackendError
            If the network fails.
        """
        settings = settings or self._settings
        if image.ndim < 2 or not image.size:
            raise ImageError(
                f'an image is [height, width] or [height, width, channels], not {image.shape}'
            )
        self._update_map((image.shape[1], image.shape[0]), camera, settings)
        inputs, outputs = self.backend.inputs, self.backend.outputs
        self._map.apply(image, encoding, inputs[IMAGE])
        start = time.perf_counter()
        self.backend.run()
        infer_time = time.perf_counter() - start
        depth_range = self._depth_range(settings)
        with np.errstate(divide='ignore', invalid='ignore', over='ignore'):
            depth = self._metric(outputs[DEPTH], settings.scale)
            aligned = align(depth, self._geometry, outputs, inputs[IMAGE]) if align else None
            if aligned is None:
                std = np.full(depth.shape, self.model.prior.std, np.float32)
                if align and self.model.metric != 'metric':
                    depth.fill(np.nan)
            else:
                std = aligned.std
                if aligned.measured:
                    depth = np.exp(aligned.log_depth)
            if settings.min_confidence > 0:
                depth[probability(std) < settings.min_confidence] = np.nan
            low, high = depth_range
            beyond = (depth > high) & self._geometry.seen
            depth[~((depth >= low) & (depth <= high) & self._geometry.seen)] = np.nan
            depth = remove_flying_pixels(depth, settings.edge_threshold)
        return DepthFrame(
            depth=depth,
            beyond=beyond,
            outputs={role: outputs[role].copy() for role in self.model.further_outputs},
            geometry=self._geometry,
            image=image,
            encoding=encoding,
            network_input=inputs[IMAGE].copy(),  # the next frame overwrites it
            channels=self.model.channels,
            edge_threshold=settings.edge_threshold,
            depth_range=depth_range,
            infer_time=infer_time,
            std=std,
            aligned=aligned,
        )

    def _update_map(
        self, image_size: tuple[int, int], camera: Camera | None, settings: Settings
    ) -> None:
        key = (image_size, camera, settings.rectify, settings.fit)
        if key == self._key:
            return
        sized = None
        if camera is not None:
            camera.check()
            sized = camera.for_image(*image_size)
            if not (camera.width or self._judged):  # without a size it could not be judged before
                self._judged = True
                log_doubts(sized, f'the calibration, for images of {sized.width}x{sized.height}')
        model = self.model
        rectify, rectified = _rectification(settings.rectify, sized)
        self._map = InputMap(model, image_size, sized, rectify, rectified, settings.fit)
        undistortion = None
        if rectify and sized is not None and self._map.intrinsics is not None:
            undistortion = Undistortion(sized, self._map.intrinsics)
        (x0, y0), (dx, dy) = model.grid_origin, model.grid_step
        self._geometry = FrameGeometry(
            cells=self._map.cells,
            intrinsics=self._map.intrinsics,
            network_intrinsics=self._map.network_intrinsics,
            seen=self._map.seen,
            nearest_rows=_nearest_pixels(model.output_size[1], y0, dy, model.input_size[1]),
            nearest_columns=_nearest_pixels(model.output_size[0], x0, dx, model.input_size[0]),
            upsampler=Upsampler(self._map.cells, image_size),
            undistortion=undistortion,
        )
        if INTRINSICS in self.backend.inputs:
            known = self._map.network_intrinsics or guessed_intrinsics(*model.input_size)
            self.backend.inputs[INTRINSICS][:] = known.matrix()
        self._key = key

    def _depth_range(self, settings: Settings) -> tuple[float, float]:
        """Return the (nearest, farthest) valid depth, metres."""
        low, high = self.model.depth_range
        near, far = settings.min_depth or low, settings.max_depth or high
        return max(near, _NEAREST), max(far, _NEAREST)

    def _metric(self, prediction: np.ndarray, scale: float) -> np.ndarray:
        """Return the network's prediction as a new array, metres along Z.

        The network was trained at one focal length f0 (in network pixels): if the same pixels were
        taken with a focal length f, they are f / f0 times as far.
        """
        model, camera = self.model, self._geometry.network_intrinsics
        if camera is not None and model.focal > 0:
            scale *= camera.focal_length(model.focal_from) / model.focal
        if model.quantity == 'log_depth':
            depth = np.exp(prediction)
            depth *= np.float32(scale)
            return depth
        if model.quantity == 'inverse_depth':
            return np.float32(scale) / prediction
        return prediction * np.float32(scale)


def _nearest_pixels(cells: int, origin: float, step: float, pixels: int) -> np.ndarray:
    """Return, along one axis, the pixel nearest to each cell's centre."""
    return np.rint(origin + step * np.arange(cells)).astype(np.intp).clip(0, pixels - 1)


def _rectification(rectify: str, camera: Camera | None) -> tuple[bool, bool]:
    """Return (whether the image must be rectified, whether it already is)."""
    if rectify not in RECTIFY:
        raise CalibrationError(f"rectify is '{rectify}' but must be one of {', '.join(RECTIFY)}")
    if camera is None:
        return False, False
    if rectify == 'auto':
        return camera.distorted, False
    return rectify == 'on', rectify == 'off'
