# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recorded images in order, with their calibration: a video, an image folder, a dataset folder."""

import functools
import itertools
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from msdepth_ros.calibration import read_camera
from msdepth_ros.errors import CalibrationError, ImageError, MsdepthError
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.geometry.pinhole import guessed_intrinsics
from msdepth_ros.images.exif import turned
from msdepth_ros.images.files import Photo, read_photos
from msdepth_ros.images.listing import IMAGE_SUFFIXES, list_images
from msdepth_ros.images.stretch import Stretch
from msdepth_ros.images.videos import read_video, video_facts
from msdepth_ros.resources import user_path

DEFAULT_CLIP = Path(__file__).resolve().parents[1] / 'clips' / 'room.mp4'
_URL = re.compile(r'[a-z][a-z0-9+.-]*://', re.IGNORECASE)


@dataclass(frozen=True)
class Picture:
    """One image of a source.

    Attributes
    ----------
    name : unique in the source: the file's path below the folder, without suffix; with a number
        for a frame of a video or an animation.
    image : uint8 [height, width, 3] BGR, upright.
    camera : its calibration: as given, from the file beside it, or a pinhole camera with the focal
        length from its EXIF data; None: not known.
    note : what a user should know about it, in one line without its name; '' = nothing.
    """

    name: str
    image: np.ndarray
    camera: Camera | None
    note: str = ''


class ImageSource:
    """Iterates over the pictures of an image, a folder, a dataset folder (rgb/) or a video.

    Attributes
    ----------
    files : paths of the images, in order; empty for a video.
    rate : frames per second of a video; 0: not known.
    camera : from the camera.yaml in the folder, or from the YAML of the same name beside the image
        or video; None: there is none.

    Parameters
    ----------
    path : what to read.
    camera : calibration of all pictures; None: the file beside them.
    without : a folder of results, which is skipped.

    Raises
    ------
    MsdepthError
        If there is nothing that can be read.
    """

    def __init__(
        self, path: str | Path, camera: Camera | None = None, without: Path | None = None
    ) -> None:
        if _URL.match(str(path)):
            raise MsdepthError(
                f'{path} is a URL: download it first (`curl -O URL`) and give the file; for a live '
                'stream, use the node with a camera driver that publishes it'
            )
        self._path = user_path(str(path))
        if not self._path.exists():
            raise MsdepthError(f'{self._path} does not exist: give an image, a folder or a video')
        self.files: list[Path] = []
        self.rate = 0.0
        self._count = 0
        self._folder = self._path.parent
        if self._path.is_dir():
            self._folder = self._path / 'rgb' if (self._path / 'rgb').is_dir() else self._path
            self.files = list_images(self._folder, without)
            if not self.files:
                raise MsdepthError(
                    f'no images in {self._folder}: it must hold {", ".join(IMAGE_SUFFIXES)}'
                )
        elif self._path.suffix.lower() in IMAGE_SUFFIXES or _is_image(self._path):
            self.files = [self._path]
        else:
            facts = video_facts(self._path)
            self.rate, self._count = facts.rate, facts.count
        if camera is None:
            folder = self._path.is_dir()
            beside = self._path / 'camera.yaml' if folder else self._path.with_suffix('.yaml')
            camera = read_camera(beside) if beside.is_file() else None
        self.camera = camera
        self._stretch = Stretch()

    def __len__(self) -> int:
        """Return the number of images; 0: not known of a video. An animation counts as 1."""
        return len(self.files) or self._count

    def __iter__(self) -> Iterator[Picture]:
        """Yield the pictures; raises ImageError at the first that cannot be read."""

        def refuse(error: MsdepthError) -> None:
            raise error

        return self.pictures(refuse)

    def pictures(self, on_error: Callable[[MsdepthError], None]) -> Iterator[Picture]:
        """Yield the pictures that can be read; `on_error` is called for each of the others."""
        for path in self.files:
            try:
                yield from self._from_file(path)
            except (ImageError, CalibrationError) as error:
                on_error(error)
        if not self.files:
            try:
                for index, image in enumerate(read_video(self._path)):
                    yield Picture(f'{self._path.stem}_{index:06d}', image, self.camera)
            except ImageError as error:
                on_error(error)

    def _from_file(self, path: Path) -> Iterator[Picture]:
        name = str(path.relative_to(self._folder).with_suffix(''))
        photos = read_photos(path, self._stretch)
        first = next(photos)
        second = next(photos, None)
        if second is None:
            yield self._picture(name, first)
            return
        animation = itertools.chain((first, second), photos)
        for index, photo in enumerate(animation):
            yield self._picture(f'{name}_{index:06d}', photo)

    def _picture(self, name: str, photo: Photo) -> Picture:
        height, width = photo.image.shape[:2]
        if self.camera is not None:
            camera = _turned_too(self.camera, photo.turns, width, height)
            return Picture(name, photo.image, camera, photo.note)
        if photo.focal is None:
            return Picture(name, photo.image, None, photo.note)
        degrees = math.degrees(2 * math.atan(width / 2 / photo.focal))
        note = (
            f'no calibration: depth is scaled by the focal length in its EXIF data, '
            f'{photo.focal:.0f} pixels ({degrees:.0f} degrees horizontally)'
        )
        camera = _centred(width, height, photo.focal)
        return Picture(name, photo.image, camera, '; '.join(filter(None, (note, photo.note))))


def _is_image(path: Path) -> bool:
    """Return whether a file with an unknown suffix is an image."""
    try:
        next(read_photos(path))
    except ImageError:
        return False
    return True


@functools.lru_cache(maxsize=16)
def _turned_too(camera: Camera, turns: int, width: int, height: int) -> Camera:
    """Return the calibration of an upright photo, from one for upright or for stored photos."""
    stored = camera.delivered_size
    if turns % 2 and stored[0] != stored[1] and (width > height) != (stored[0] > stored[1]):
        for _ in range(turns):
            camera = turned(camera)
    return camera


def guessed_camera(width: int, height: int) -> Camera:
    """Return a pinhole camera with a field of view of 60 degrees, for uncalibrated images."""
    return _centred(width, height, guessed_intrinsics(width, height).focal)


def _centred(width: int, height: int, focal: float) -> Camera:
    return Camera.pinhole(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)
