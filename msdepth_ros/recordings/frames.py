# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Images without depth as training frames, from a recording, a folder or a video."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from msdepth_ros.datasets.bag_images import color_image
from msdepth_ros.datasets.bag_reader import BagReader, is_bag
from msdepth_ros.datasets.bag_topics import Topics, choose_camera
from msdepth_ros.datasets.base import DatasetError, Frame
from msdepth_ros.errors import ImageError
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.geometry.undistortion import Undistortion
from msdepth_ros.images.sources import ImageSource
from msdepth_ros.recordings.camera_images import camera_images


def frames_without_depth(
    path: Path,
    camera: Camera | None = None,
    focal_and_centre: Sequence[float] | None = None,
    width: int = 640,
    every: int = 1,
) -> list[Frame]:
    """Return all images, rectified, with depth 0 (invalid) everywhere.

    Parameters
    ----------
    path : a rosbag2, an image, a folder of images or a video.
    camera : calibration of all images; None: the one beside them, or recorded with them.
    focal_and_centre : fx, fy, cx, cy in pixels, instead of a calibration.
    width : wider images are reduced to this width in pixels.
    every : only every n-th image is used.

    Raises
    ------
    DatasetError
        If there is no image, or no calibration.
    """
    images = _of_bag(path, camera) if is_bag(path) else _of_files(path, camera)
    rectify = Rectifier(path, focal_and_centre)
    frames = [
        rectify(name, image, its).shrunk(width)
        for index, (name, image, its) in enumerate(images)
        if index % every == 0
    ]
    if not frames:
        raise DatasetError(f'{path} has no image that can be read')
    return frames


def _of_files(path: Path, camera: Camera | None) -> Iterator[tuple[str, np.ndarray, Camera | None]]:
    for picture in ImageSource(path, camera).pictures(lambda error: None):
        yield picture.name, picture.image, picture.camera


def _of_bag(path: Path, camera: Camera | None) -> Iterator[tuple[str, np.ndarray, Camera | None]]:
    with BagReader(path) as bag:
        found = bag.images(), bag.camera_infos(), camera is not None
        image_topic, info_topic = choose_camera(Topics(), *found, str(path))
        for image in camera_images(bag, image_topic, info_topic, camera):
            try:
                pixels = color_image(bag.message(image.recorded))
            except ImageError:
                continue
            yield str(image.stamp), pixels, image.camera


class Rectifier:
    """Makes pinhole frames without depth; the map of a lens is computed once.

    Parameters
    ----------
    path : Path
        Of the images, for errors.
    focal_and_centre : sequence of float, optional
        fx, fy, cx, cy in pixels, instead of their calibration.
    """

    def __init__(self, path: Path, focal_and_centre: Sequence[float] | None) -> None:
        self._path = path
        self._given = focal_and_centre
        self._camera: Camera | None = None
        self._undistortion: Undistortion | None = None

    def __call__(
        self, name: str, image: np.ndarray, camera: Camera | None, rectified: bool = False
    ) -> Frame:
        """Return an image as a frame.

        Parameters
        ----------
        rectified : bool
            Whether the image is without lens distortion already.

        Raises
        ------
        DatasetError
            If the camera is not known.
        CalibrationError
            If its calibration cannot be used, or is not of this image.
        """
        height, width = image.shape[:2]
        if self._given is not None:
            fx, fy, cx, cy = self._given
            camera = Camera.pinhole(width, height, fx, fy, cx, cy)
        if camera is None:
            raise DatasetError(
                f'{self._path}: the calibration is not known: put a camera.yaml beside the images, '
                'or give the intrinsics fx, fy, cx, cy'
            )
        camera = camera.for_image(width, height)
        camera.check()
        nothing = np.zeros((height, width), np.float32)
        if rectified:
            return Frame(name, image, nothing, camera.rectified_intrinsics())
        if not camera.distorted:
            return Frame(name, image, nothing, camera.raw_intrinsics())
        if camera != self._camera or self._undistortion is None:
            self._camera, self._undistortion = camera, Undistortion(camera)
        frame = Frame(name, image, nothing, self._undistortion.intrinsics)
        return replace(frame, image=self._undistortion.image(image))
