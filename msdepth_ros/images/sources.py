# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recorded images as a camera would deliver them: a video, an image folder, a dataset folder."""

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.camera import Camera

IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.ppm', '.tif', '.tiff', '.webp')
VIDEO_SUFFIXES = ('.avi', '.m4v', '.mjpeg', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm')
DEFAULT_CLIP = Path(__file__).resolve().parents[1] / 'clips' / 'room.mp4'
_GUESSED_FIELD_OF_VIEW = math.radians(60)


class ImageSource:
    """Iterates over images, each as (name, uint8 [height, width, 3] BGR).

    Attributes
    ----------
    files : paths of the images, in order; empty for a video.
    rate : frames per second that it was recorded with, 0 where that is not known.
    camera : Camera from the camera.yaml in the folder, or the YAML of the same name beside the
        image or video; None where there is none.
    """

    def __init__(self, path: str | Path) -> None:
        """Open an image, a folder of images, a dataset folder (with rgb/) or a video.

        Raises
        ------
        MsdepthError
            If there is nothing there that can be read.
        """
        self._path = Path(path).expanduser()
        self.files: list[Path] = []
        self.rate = 0.0
        if self._path.is_dir():
            calibration = self._path / 'camera.yaml'
            folder = self._path / 'rgb' if (self._path / 'rgb').is_dir() else self._path
            self.files = sorted(
                entry for entry in folder.iterdir() if entry.suffix.lower() in IMAGE_SUFFIXES
            )
            if not self.files:
                raise MsdepthError(
                    f'no images in {folder}: it must hold {", ".join(IMAGE_SUFFIXES)}'
                )
        elif self._path.suffix.lower() in IMAGE_SUFFIXES and self._path.is_file():
            self.files = [self._path]
            calibration = self._path.with_suffix('.yaml')
        else:
            self.rate = self._open().get(cv2.CAP_PROP_FPS)
            calibration = self._path.with_suffix('.yaml')
        self.camera = Camera.from_yaml(calibration) if calibration.is_file() else None

    def __iter__(self) -> Iterator[tuple[str, np.ndarray]]:
        return self._from_files() if self.files else self._from_video()

    def __len__(self) -> int:
        """Return the number of images, 0 where a video does not say."""
        if self.files:
            return len(self.files)
        return max(0, int(self._open().get(cv2.CAP_PROP_FRAME_COUNT)))

    def _from_files(self) -> Iterator[tuple[str, np.ndarray]]:
        for path in self.files:
            with _silence():
                image = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
            if image is None:
                raise MsdepthError(f'{path} is not an image, or it is damaged')
            yield path.stem, image

    def _from_video(self) -> Iterator[tuple[str, np.ndarray]]:
        video = self._open()
        index = 0
        while True:
            more, image = video.read()
            if not more and index == 0:
                raise MsdepthError(f'{self._path} has no frame that OpenCV can decode')
            if not more:
                return
            yield f'{self._path.stem}_{index:06d}', image
            index += 1

    def _open(self) -> cv2.VideoCapture:
        if not self._path.exists():
            raise MsdepthError(f'{self._path} does not exist: give an image, a folder or a video')
        os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')  # quiet: the error here says it
        with _silence():
            video = cv2.VideoCapture(str(self._path))
        if not video.isOpened():
            raise MsdepthError(f'{self._path} is neither an image nor a video that OpenCV can read')
        return video


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep what image libraries say of damaged files off stderr: the error says it in one line."""
    stderr = os.dup(2)
    try:
        with Path(os.devnull).open('wb') as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def guessed_camera(width: int, height: int) -> Camera:
    """Return a pinhole camera of 60 degrees across, for images of which nothing is known."""
    focal = width / 2 / math.tan(_GUESSED_FIELD_OF_VIEW / 2)
    return Camera.pinhole(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)
