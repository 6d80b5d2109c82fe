# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a camera image to metric depth, without ROS."""

import functools
import time
from dataclasses import dataclass, field

import numpy as np

from msdepth_ros.errors import CalibrationError, ImageError
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.geometry.flying_pixels import remove_flying_pixels
from msdepth_ros.geometry.pinhole import Grid, Intrinsics
from msdepth_ros.geometry.undistortion import Undistortion
from msdepth_ros.geometry.upsampling import Upsampler
from msdepth_ros.inference.backends.base import Backend
from msdepth_ros.inference.input_map import InputMap
from msdepth_ros.inference.model import Model

RECTIFY = ('auto', 'on', 'off')
_NEAREST = 1e-3  # metres; nearer is nothing, and inverse depth stays within single precision


@dataclass(frozen=True)
class Settings:
    """What may change from frame to frame.

    Attributes
    ----------
    rectify : 'on' undistorts the image with K, D, R into P's image; 'off' takes it as P's
        already; 'auto' is 'on' where D is not zero, else the image is K's as it is.
    fit : 'crop', 'pad' or 'stretch', see fit.fit_window.
    min_depth, max_depth : metres; outside is NaN. 0 = the model's own limit.
    scale : factor on the depth, after the focal-length scaling.
    edge_threshold : relative depth jump that counts as a discontinuity; 0 = none does.
    """

    rectify: str = 'auto'
    fit: str = 'crop'
    min_depth: float = 0.0
    max_depth: float = 0.0
    scale: float = 1.0
    edge_threshold: float = 0.15


@dataclass
class DepthFrame:
    """The depth of one image, on the network's own grid.

    Attributes
    ----------
    depth : float32 [height, width], metres along Z, NaN where invalid or unseen.
    cells : Grid, where its cells lie in the rectified camera image.
    camera_intrinsics : of the rectified camera image, None without calibration (then `depth` has
        the scale of the camera that the model was trained for).
    prepare_time, infer_time : seconds spent before and in the network.
    """

    depth: np.ndarray
    cells: Grid
    camera_intrinsics: Intrinsics | None
    prepare_time: float
    infer_time: float
    _image: np.ndarray = field(repr=False)
    _encoding: str = field(repr=False)
    _undistortion: Undistortion | None = field(repr=False)
    _upsampler: Upsampler = field(repr=False)
    _network_input: np.ndarray = field(repr=False)
    _model: Model = field(repr=False)
    _edge_threshold: float = field(repr=False)
    _depth_range: tuple[float, float] = field(repr=False)

    @property
    def intrinsics(self) -> Intrinsics | None:
        """Intrinsics of `depth` as an image of its own, None without calibration."""
        return self.camera_intrinsics and self.camera_intrinsics.sampled(self.cells)

    @property
    def camera_shape(self) -> tuple[int, int]:
        """(height, width) of the camera image."""
        return self._upsampler.shape

    def full_depth(self, out: np.ndarray | None = None) -> np.ndarray:
        """Return the depth at the camera's size: float32 [height, width], metres, NaN invalid.

        Pixel for pixel that of the rectified camera image. Written into `out` if it is given.
        """
        return self._upsampler(self.depth, self._edge_threshold, self._depth_range, out)

    def rectified_image(self) -> tuple[np.ndarray, str]:
        """Return the camera image that `full_depth` lies on pixel for pixel, and its encoding.

        It is the image that was estimated, rectified where that was needed.
        """
        image = self._image if self._undistortion is None else self._undistortion.image(self._image)
        return image, self._encoding

    def colors(self) -> np.ndarray:
        """Return each cell's colour, uint8 [height, width, 3] RGB."""
        (x0, y0), (dx, dy) = self._model.grid_origin, self._model.grid_step
        height, width = self.depth.shape
        image_height, image_width, _ = self._network_input.shape
        rows = _nearest_pixels(height, y0, dy, image_height)
        columns = _nearest_pixels(width, x0, dx, image_width)
        picked = self._network_input.take(rows, axis=0).take(columns, axis=1)
        return picked if self._model.channels == 'rgb' else picked[..., ::-1]


class DepthEstimator:
    """Runs a depth network on images of a calibrated camera.

    Maps are made when the image size, the calibration or the settings change, and kept. Not
    thread-safe: use it on the thread that made the backend.
    """

    def __init__(self, model: Model, backend: Backend, settings: Settings | None = None) -> None:
        self.model = model
        self.backend = backend
        self.settings = settings or Settings()
        self._key: object = None
        self._map: InputMap
        self._upsampler: Upsampler
        self._undistortion: Undistortion | None = None

    def estimate(
        self, image: np.ndarray, encoding: str, camera: Camera | None = None
    ) -> DepthFrame:
        """Estimate the depth of one image.

        Parameters
        ----------
        image : uint8 [height, width, channels] or [height, width]; rows may be padded (strides).
        encoding : 'rgb8', 'bgr8', 'rgba8', 'bgra8' or 'mono8'.
        camera : the image's calibration; None = no metric scale, no intrinsics.

        Raises
        ------
        ImageError
            If the image does not fit its encoding.
        CalibrationError
            If the calibration is not usable or not of this image.
        BackendError
            If the network fails.
        """
        start = time.perf_counter()
        if image.ndim < 2 or not image.size:
            raise ImageError(f'an array of shape {image.shape} is no image')
        self._update_map((image.shape[1], image.shape[0]), camera)
        self._map.apply(image, encoding, self.backend.input)
        prepared = time.perf_counter()
        self.backend.run()
        inferred = time.perf_counter()
        return DepthFrame(
            self._metric(self.backend.output),
            self._map.cells,
            self._map.intrinsics,
            prepared - start,
            inferred - prepared,
            image,
            encoding,
            self._undistortion,
            self._upsampler,
            self.backend.input.copy(),  # the next frame overwrites it
            self.model,
            self.settings.edge_threshold,
            self._depth_range(),
        )

    def _update_map(self, image_size: tuple[int, int], camera: Camera | None) -> None:
        key = (image_size, camera, self.settings.rectify, self.settings.fit)
        if key == self._key:
            return
        sized = None
        if camera is not None:
            camera.check()
            sized = camera.for_image(*image_size)
        rectify, rectified = _rectification(self.settings.rectify, sized)
        self._map = InputMap(self.model, image_size, sized, rectify, rectified, self.settings.fit)
        self._upsampler = Upsampler(self._map.cells, image_size)
        self._undistortion = None
        if rectify and sized is not None and self._map.intrinsics is not None:
            self._undistortion = Undistortion(sized, self._map.intrinsics)
        self._key = key

    def _depth_range(self) -> tuple[float, float]:
        """Return the (nearest, farthest) depth in metres that is not NaN."""
        low, high = self.model.depth_range
        near, far = self.settings.min_depth or low, self.settings.max_depth or high
        return max(near, _NEAREST), max(far, _NEAREST)

    def _metric(self, answer: np.ndarray) -> np.ndarray:
        """Return the network's answer as a new array of metres, NaN where invalid.

        The network was trained at one focal length f0 (in network pixels): the same pixels taken
        with a focal length f are f / f0 times as far.
        """
        model, settings = self.model, self.settings
        scale = settings.scale
        if self._map.focal is not None and model.focal > 0:
            scale *= self._map.focal / model.focal
        with np.errstate(divide='ignore', invalid='ignore', over='ignore'):
            if model.quantity == 'log_depth':
                depth = np.exp(answer) * np.float32(scale)
            elif model.quantity == 'inverse_depth':
                depth = np.float32(scale) / answer
            else:
                depth = answer * np.float32(scale)
            low, high = self._depth_range()
            depth[~((depth >= low) & (depth <= high) & self._map.seen)] = np.nan
            return remove_flying_pixels(depth, settings.edge_threshold)


@functools.lru_cache(maxsize=16)
def _nearest_pixels(cells: int, origin: float, step: float, pixels: int) -> np.ndarray:
    """Return, along one axis, the pixel nearest to each cell's centre."""
    return np.rint(origin + step * np.arange(cells)).astype(np.intp).clip(0, pixels - 1)


def _rectification(rectify: str, camera: Camera | None) -> tuple[bool, bool]:
    """Return (the image must be rectified, it is rectified already)."""
    if rectify not in RECTIFY:
        raise CalibrationError(f"rectify is '{rectify}' but must be one of {', '.join(RECTIFY)}")
    if camera is None:
        return False, False
    if rectify == 'auto':
        return camera.distorted, False
    return rectify == 'on', rectify == 'off'
