# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Random views of a frame, as in Eigen et al. 2014, with changes of colour and noise.

A view is what the network would see if the camera were rotated about its centre, and its image then
zoomed, cropped and mirrored. The rotation is exact: it is a homography of the pixels, and it
changes the depth along Z. A zoom by s gives the same image as s times the focal length. As the
network predicts depth for one focal length, the view's depth is divided by s.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from msdepth_ros.datasets import Frame
from msdepth_ros.datasets.floor_plane import TOLERANCE
from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.pinhole import Grid
from msdepth_ros.images.compression import after_jpeg
from msdepth_ros.networks.depth_network import DepthNetwork
from msdepth_ros.training.moved_view import moved

UNKNOWN = 255  # the floor label of a cell that may or may not show the floor
MAX_TILT = 20.0  # degrees
_SHIFTS = 1 << 18  # possible offsets into the precomputed noise


@dataclass(frozen=True)
class Augmentation:
    """How much views and colours vary; the defaults change nothing.

    Attributes
    ----------
    zoom : smallest and largest; 1 shows the largest part of the image with the input's aspect
        ratio.
    rotation : largest angle about the optical axis, degrees.
    tilt : largest angle about each of the image's horizontal and vertical axes, degrees.
    flip : mirror half of the views.
    colour : largest relative change of gain, of each channel and of all together.
    gamma : largest logarithm of the exponent.
    exposure : largest change in stops, of a tenth of the views.
    grey : fraction of the views without colour.
    noise : largest standard deviation, grey levels.
    blur : largest standard deviation, input pixels.
    jpeg : fraction of the views that are compressed, with a quality of 25 to 90.
    erase : fraction of the views in which a rectangle is erased.
    moved : fraction of the views from a place nearer, lower and to the side, see `moved_view`.

    Raises
    ------
    MsdepthError
        If a value is out of its range.
    """

    zoom: tuple[float, float] = (1.0, 1.0)
    rotation: float = 0.0
    tilt: float = 0.0
    flip: bool = False
    colour: float = 0.0
    gamma: float = 0.0
    exposure: float = 0.0
    grey: float = 0.0
    noise: float = 0.0
    blur: float = 0.0
    jpeg: float = 0.0
    erase: float = 0.0
    moved: float = 0.0

    def __post_init__(self) -> None:
        check_zoom(self.zoom)
        for name in ('grey', 'jpeg', 'erase', 'moved'):
            if not 0 <= getattr(self, name) <= 1:
                raise MsdepthError(f'{name} is {getattr(self, name)} but must be from 0 to 1')
        for name in ('colour', 'gamma', 'exposure', 'noise', 'blur'):
            if not 0 <= getattr(self, name) < np.inf:
                raise MsdepthError(f'{name} is {getattr(self, name)} but must be 0 or more')
        if self.colour >= 1:
            raise MsdepthError(f'colour is {self.colour} but must be below 1')
        if not 0 <= self.rotation <= 180:
            raise MsdepthError(f'rotation is {self.rotation} but must be from 0 to 180 degrees')
        if not 0 <= self.tilt <= MAX_TILT:
            raise MsdepthError(
                f'tilt is {self.tilt} but must be from 0 to {MAX_TILT:g} degrees: a camera that is '
                'tilted more sees hardly anything of the frame'
            )


def check_zoom(zoom: tuple[float, float]) -> None:
    """Check that a zoom is a range of positive numbers.

    Raises
    ------
    MsdepthError
        If it is not.
    """
    low, high = zoom
    if not 0 < low <= high < np.inf:
        raise MsdepthError(
            f'zoom is {list(zoom)} but must be smallest and largest, both positive, the smaller '
            'first'
        )


@dataclass(frozen=True)
class View:
    """One training example.

    Attributes
    ----------
    image : uint8 [height, width, 3], RGB.
    log_depth : float32 [grid.height, grid.width], ln metres at the network's focal length.
    valid : bool [grid.height, grid.width].
    teacher_image : uint8 [teacher's height, teacher's width, 3], RGB: the same view for the
        teachers, without changes of colour and noise; None: there is no teacher.
    floor : uint8 [grid.height, grid.width]: 1 where a cell shows the floor, 0 where it does not,
        UNKNOWN where that is not known.
    """

    image: np.ndarray
    log_depth: np.ndarray
    valid: np.ndarray
    teacher_image: np.ndarray | None = None
    floor: np.ndarray | None = None


class ViewMaker:
    """Makes views for one network.

    Parameters
    ----------
    image_size : (width, height) of the network's input.
    grid : the network's output cells in its input.
    focal : focal length at which the network's output is metric, input pixels.
    teacher_size : (width, height) of the teachers' image, of the same aspect ratio; None: there is
        no teacher.
    """

    def __init__(
        self,
        image_size: tuple[int, int],
        grid: Grid,
        focal: float,
        teacher_size: tuple[int, int] | None = None,
    ) -> None:
        self._size = image_size
        self._teacher_size = teacher_size
        self._grid = np.array(
            [
                [grid.step[0], 0, grid.origin[0]],
                [0, grid.step[1], grid.origin[1]],
                [0, 0, 1],
            ]
        )
        self._grid_size = (grid.width, grid.height)
        self._focal = focal

    @classmethod
    def of(cls, network: DepthNetwork, teacher_size: tuple[int, int] | None = None) -> 'ViewMaker':
        """Return the view maker for a network."""
        return cls(network.image_size, network.grid, network.focal, teacher_size)

    def whole(self, frame: Frame) -> View:
        """Return the view that the running node gives the network (`fit: crop`)."""
        return self._view(frame, self._crop(frame, 1.0, (0.5, 0.5), False), np.eye(3))

    def random(
        self, frame: Frame, how: Augmentation, rng: np.random.Generator, border: int = 0
    ) -> View:
        """Return a random view of the frame.

        Parameters
        ----------
        frame : with its ground truth.
        how : the augmentation.
        rng : of everything random.
        border : pixels along the frame's edge that do not show the scene; in half of the views
            they are replaced by the pixels next to them.
        """
        if border and rng.uniform() < 0.5:
            frame = replace(frame, image=_without_border(frame.image, border))
        if how.moved and rng.uniform() < how.moved:
            frame = moved(frame, rng) or frame
        shift = (rng.uniform(), rng.uniform())
        crop = self._crop(frame, rng.uniform(*how.zoom), shift, how.flip and rng.uniform() < 0.5)
        turn = turned(*rng.uniform(-1, 1, 3) * (how.tilt, how.tilt, how.rotation))
        view = self._view(frame, crop, turn)
        return replace(view, image=change_colours(view.image, how, rng))

    def _crop(self, frame: Frame, zoom: float, shift: Sequence[float], flip: bool) -> np.ndarray:
        """Return the 3x3 affine map from input pixels to frame pixels.

        `shift` is the place of the view in the frame: 0 is left or top, 1 is right or bottom.
        """
        (width, height), source = self._size, frame.intrinsics
        step = min(source.width / width, source.height / height) / zoom
        left = shift[0] * max(0.0, source.width - step * width)
        top = shift[1] * max(0.0, source.height - step * height)
        if flip:
            columns = [-step, 0, left + step * width - 0.5 * step - 0.5]
        else:
            columns = [step, 0, left + 0.5 * step - 0.5]
        return np.array([columns, [0, step, top + 0.5 * step - 0.5], [0, 0, 1]])

    def _view(self, frame: Frame, crop: np.ndarray, turn: np.ndarray) -> View:
        """Return the view of a camera that was rotated by `turn`, then cropped."""
        i = frame.intrinsics
        camera = np.array([[i.fx, 0, i.cx], [0, i.fy, i.cy], [0, 0, 1]])
        to_ray = turn @ np.linalg.inv(camera) @ crop  # from input pixel to the frame's axes
        image = _warped(frame.image, camera @ to_ray, self._size)
        teacher_image = None
        if self._teacher_size is not None:
            steps = np.divide(self._size, self._teacher_size)
            to_input = np.diag([*steps, 1.0])
            to_input[:2, 2] = (steps - 1) / 2
            teacher_image = _warped(frame.image, camera @ to_ray @ to_input, self._teacher_size)
        to_ray = to_ray @ self._grid
        depth = cv2.warpPerspective(
            frame.depth,
            camera @ to_ray,
            self._grid_size,
            flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=0,
        )
        columns, rows = np.arange(self._grid_size[0]), np.arange(self._grid_size[1])[:, None]
        # A ray of length 1 along the rotated optical axis has this length along the frame's axis.
        along = to_ray[2, 0] * columns + to_ray[2, 1] * rows + to_ray[2, 2]
        valid = np.isfinite(depth) & (depth > 0) & (along > 0)
        focal = np.sqrt(i.fx * i.fy) / crop[1, 1]
        metres = np.where(valid, depth, 1)
        scale = self._focal / focal / np.where(valid, along, 1)
        log_depth = np.log(metres * scale).astype(np.float32)
        floor = np.full(valid.shape, UNKNOWN, np.uint8)
        if frame.floor is not None:
            x, y, z = frame.floor @ to_ray
            slope = (x * columns + y * rows + z) / np.where(valid, along, 1)
            on = np.abs(metres * slope + 1) <= TOLERANCE
            floor[valid] = on[valid]
        return View(image, log_depth, valid, teacher_image, floor)


def _warped(bgr: np.ndarray, to_frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return an RGB image of a size; the homography maps its pixels to the frame's."""
    image = cv2.warpPerspective(
        bgr,
        to_frame,
        size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


def turned(tilt: float, pan: float, roll: float) -> np.ndarray:
    """Return the rotation from a rotated camera's optical axes to the original ones.

    Parameters
    ----------
    tilt, pan, roll : about the x, y and z axis, degrees; z is applied first, x last.

    Returns
    -------
    float64 [3, 3].
    """
    axes = np.radians([[tilt, 0, 0], [0, pan, 0], [0, 0, roll]])
    about_x, about_y, about_z = (cv2.Rodrigues(axis)[0] for axis in axes)
    return np.asarray(about_x @ about_y @ about_z)


def _without_border(image: np.ndarray, border: int) -> np.ndarray:
    inner = image[border:-border, border:-border]
    return cv2.copyMakeBorder(inner, border, border, border, border, cv2.BORDER_REPLICATE)


def change_colours(image: np.ndarray, how: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Return an image with random colours, exposure, blur, noise, erased part and JPEG.

    Parameters
    ----------
    image : uint8 [height, width, 3], RGB.
    how : the augmentation.
    rng : of everything random.

    Returns
    -------
    uint8 [height, width, 3], RGB.
    """
    if how.colour or how.gamma or how.exposure:
        levels = np.linspace(0, 1, 256)[:, None] ** np.exp(rng.uniform(-how.gamma, how.gamma))
        gain = 1 + rng.uniform(-how.colour, how.colour, 3)
        gain *= 1 + rng.uniform(-how.colour, how.colour)
        if how.exposure and rng.uniform() < 0.1:
            gain *= 2 ** rng.uniform(-how.exposure, how.exposure)
        table = np.clip(255 * levels * gain, 0, 255).astype(np.uint8)
        image = cv2.LUT(image, table[None])
    if rng.uniform() < how.grey:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if how.blur and rng.uniform() < 0.3:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.1, how.blur))
    if how.noise and rng.uniform() < 0.5:
        sigma = rng.uniform(0, how.noise)
        start = rng.integers(_SHIFTS)
        noise = _noise(image.size)[start : start + image.size]
        noise = np.float32(sigma) * noise.reshape(image.shape)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.uniform() < how.erase:
        height, width = image.shape[:2]
        h, w = (int(size * rng.uniform(0.1, 0.4)) for size in (height, width))
        y, x = rng.integers(0, height - h), rng.integers(0, width - w)
        image = image.copy()
        image[y : y + h, x : x + w] = rng.integers(0, 256, 3)
    if rng.uniform() < how.jpeg:
        image = after_jpeg(image, int(rng.integers(25, 91)))
    return image


@functools.cache
def _noise(size: int) -> np.ndarray:
    """Return normal random numbers, more than `size`: a part of them is taken, which is faster."""
    return np.random.default_rng(0).standard_normal(size + _SHIFTS, np.float32)
