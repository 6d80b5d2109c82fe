# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recorded images as a camera would deliver them: a video, an image folder, a dataset folder."""

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
    name : tells it apart from the source's others: the file's path below the folder, without
        suffix; with a number for a frame of a video or an animation.
    image : uint8 [height, width, 3] BGR, upright.
    camera : its calibration: given, beside it, or a pinhole camera of the focal length that its
        EXIF data tells; None where nothing is known.
    note : what a user should know of it, in one line without its name; '' where that is nothing.
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
    rate : frames per second that it was recorded with, 0 where that is not known.
    camera : Camera from the camera.yaml in the folder, or the YAML of the same name beside the
        image or video; None where there is none.

    Parameters
    ----------
    path : what to read.
    camera : calibration of all pictures, instead of what is beside them.
    without : folder that is passed over, for it holds results.

    Raises
    ------
    MsdepthError
        If there is nothing there that can be read.
    """

    def __init__(
        self, path: str | Path, camera: Camera | None = None, without: Path | None = None
    ) -> None:
        if _URL.match(str(path)):
            raise MsdepthError(
                f'{path} is a URL: download it first (`curl -O URL`), and give the file; a live '
                'stream is for the node, from a camera driver that publishes it'
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
        """Return the number of images, 0 where a video does not say; an animation counts as 1."""
        return len(self.files) or self._count

    def __iter__(self) -> Iterator[Picture]:
        """Yield the pictures; the first that cannot be read ends that with an ImageError."""

        def refuse(error: MsdepthError) -> None:
            raise error

        return self.pictures(refuse)

    def pictures(self, on_error: Callable[[MsdepthError], None]) -> Iterator[Picture]:
        """Yield the pictures that can be read; each error is handed over in its turn."""
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
            f'no calibration, but a focal length of {photo.focal:.0f} pixels ({degrees:.0f} '
            'degrees across) in its EXIF data: metres by that'
        )
        camera = _centred(width, height, photo.focal)
        return Picture(name, photo.image, camera, '; '.join(filter(None, (note, photo.note))))


def _is_image(path: Path) -> bool:
    """Return whether a file whose name does not say so is an image."""
    try:
        next(read_photos(path))
    except ImageError:
        return False
    return True


@functools.lru_cache(maxsize=16)
def _turned_too(camera: Camera, turns: int, width: int, height: int) -> Camera:
    """Return the calibration of an upright photo, given one of upright or of stored photos."""
    stored = camera.delivered_size
    if turns % 2 and stored[0] != stored[1] and (width > height) != (stored[0] > stored[1]):
        for _ in range(turns):
            camera = turned(camera)
    return camera


def guessed_camera(width: int, height: int) -> Camera:
    """Return a pinhole camera of 60 degrees across, for images of which nothing is known."""
    return _centred(width, height, guessed_intrinsics(width, height).focal)


def _centred(width: int, height: int, focal: float) -> Camera:
    return Camera.pinhole(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)
