# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A rosbag2 recording of a robot's depth camera: colour, depth aligned to it, and camera_info."""

import bisect
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from msdepth_ros.calibration import log_doubts
from msdepth_ros.datasets.association import TOLERANCE, associate
from msdepth_ros.datasets.bag_cursor import BagCursor, Place
from msdepth_ros.datasets.bag_images import color_image, depth_image, has_depth
from msdepth_ros.datasets.bag_poses import camera_trajectory
from msdepth_ros.datasets.bag_reader import BagReader, header_stamp
from msdepth_ros.datasets.bag_topics import Topics, choose_topics
from msdepth_ros.datasets.base import Dataset, DatasetError, Frame, check_depth
from msdepth_ros.datasets.files import given_intrinsics, resized_depth
from msdepth_ros.datasets.poses import Trajectory
from msdepth_ros.errors import CalibrationError
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.geometry.undistortion import Undistortion
from msdepth_ros.images.message_fields import camera_fields
from msdepth_ros.images.topic_names import names_rectified_images

_IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


class Rosbag(Dataset):
    """The colour images of a rosbag2 that have an aligned depth image, in order of time.

    Images with lens distortion, and the depth aligned to them, are rectified with their
    camera_info; topics named `...rect...`, as in image_pipeline, are already rectified. A frame's
    intrinsics are those of its camera_info. Depth images without a valid pixel are skipped. Poses
    are from odometry and static TF, if they were recorded.

    Parameters
    ----------
    path : the recording's folder, or its one .mcap or .db3 file.
    topics : to read; `choose_topics` finds those not given.
    focal_and_centre : fx, fy, cx, cy of the images, pixels; then camera_info is not read, and the
        images are taken as rectified.
    depth_scale : units per metre of the depth, instead of REP-118's.
    tolerance : largest difference between the stamps of image and depth, seconds.

    Raises
    ------
    DatasetError
        If the recording is damaged, a topic is missing, or no image has a depth.
    MsdepthError
        If the package `rosbags` is not installed.
    """

    def __init__(
        self,
        path: str | Path,
        topics: Topics | None = None,
        focal_and_centre: Sequence[float] | None = None,
        depth_scale: float | None = None,
        tolerance: float = TOLERANCE,
    ) -> None:
        self.path = Path(path)
        self._given = focal_and_centre
        self._units = depth_scale
        self._bag = BagReader(self.path)
        try:
            self._read(topics or Topics(), tolerance)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the recording."""
        self._bag.close()

    def _read(self, topics: Topics, tolerance: float) -> None:
        """Read everything except the frames."""
        if self._bag.cut:
            tqdm.write(f'{self.path} is truncated: its complete messages are read', file=sys.stderr)
        known = self._given is not None
        images, infos = self._bag.images(), self._bag.camera_infos()
        self.topics = choose_topics(topics, images, infos, known, str(self.path))
        self._cursor = BagCursor(self._bag, (self.topics.image, self.topics.depth))
        self._cameras: list[tuple[int, Camera]] = []
        self._frame_ids: dict[str, str] = {}
        colors, depths = self._index()
        pairs = associate(_seconds(colors), _seconds(depths), tolerance)
        self._pairs = [(colors[i], depths[j]) for i, j in pairs]
        self._check_pairs(len(colors), len(depths), tolerance)
        self.names = [f'{e.stamp // 10**9}.{e.stamp % 10**9:09}' for e, _ in self._pairs]
        self._trajectory = Trajectory([])
        try:
            camera_frame = self._frame_ids[self.topics.image]
            self._trajectory = camera_trajectory(self._bag, topics.odom, camera_frame)
            self.no_poses = ''
        except DatasetError as error:
            if topics.odom is not None:
                raise
            self.no_poses = str(error)
        self._undistortion: Undistortion | None = None
        self.intrinsics = self[0].intrinsics

    def __getitem__(self, index: int) -> Frame:
        """Read one frame, see `Dataset`."""
        entry, depth_entry = self._pairs[index]
        where = f'{self.path}, {self.topics.depth} at {self.names[index]}'
        with self._bag.readable():
            image = color_image(self._bag.message(self._cursor.read(entry)))
            depth = depth_image(self._bag.message(self._cursor.read(depth_entry)), self._units)
        depth = resized_depth(depth, (image.shape[1], image.shape[0]), where)
        image, depth, intrinsics = self._pinhole(image, depth, entry.stamp)
        check_depth(depth, where)
        pose = self._trajectory.at(entry.stamp * 1e-9)
        return Frame(self.names[index], image, depth, intrinsics, self.path.resolve().stem, pose)

    def _index(self) -> tuple[list[Place], list[Place]]:
        """Read the recording once; return the places of images and depth images."""
        places: dict[str, list[Place]] = {self.topics.image: [], self.topics.depth: []}
        wanted = [*places, *([self.topics.camera_info] if self.topics.camera_info else [])]
        messages, total = self._bag.messages(wanted), self._bag.count(wanted)
        with self._bag.readable():
            for recorded in tqdm(messages, 'indexing', total, unit='message', disable=None):
                message = self._bag.message(recorded)
                stamp = header_stamp(message, recorded.received)
                if recorded.topic == self.topics.camera_info:
                    self._cameras.append((stamp, camera_fields(message)))
                elif recorded.topic == self.topics.image or has_depth(message):
                    places[recorded.topic].append(Place(recorded.topic, stamp, recorded.received))
                    self._frame_ids.setdefault(recorded.topic, message.header.frame_id)
        self._cameras.sort(key=lambda pair: pair[0])
        if self._cameras:
            log_doubts(self._cameras[0][1], str(self.topics.camera_info))
        images, depths = (sorted(each, key=lambda e: e.stamp) for each in places.values())
        return images, depths

    def _check_pairs(self, images: int, depths: int, tolerance: float) -> None:
        if not self._pairs:
            raise DatasetError(
                f'{self.path}: no image of {images} on {self.topics.image} has a depth image, of '
                f'{depths} with a valid pixel on {self.topics.depth}, within {tolerance} s of its '
                'stamp: record both from one camera with one clock'
            )
        image, depth = (self._frame_ids[name] for name in (self.topics.image, self.topics.depth))
        if image != depth and image and depth:
            raise DatasetError(
                f'{self.path}: {self.topics.depth} is in frame {depth} but '
                f'{self.topics.image} in {image}: record the depth aligned (registered) '
                'to the colour image, see your camera driver or depth_image_proc/register'
            )

    def _pinhole(
        self, image: np.ndarray, depth: np.ndarray, stamp: int
    ) -> tuple[np.ndarray, np.ndarray, Intrinsics]:
        """Return image and depth without distortion, and their intrinsics."""
        if self._given is not None:
            return image, depth, given_intrinsics(self._given, image)
        camera = self._camera(image.shape[1], image.shape[0], stamp)
        if names_rectified_images(self.topics.image):
            return image, depth, camera.rectified_intrinsics()
        if not camera.distorted:
            return image, depth, camera.raw_intrinsics()
        if self._undistortion is None or self._undistortion.camera != camera:
            self._undistortion = Undistortion(camera)
        lens = self._undistortion
        if not names_rectified_images(self.topics.depth):
            if any(camera.r) and not np.allclose(camera.r, _IDENTITY, atol=1e-6):
                raise DatasetError(
                    f'{self.path}: the R of {self.topics.camera_info} is not the identity, so the '
                    'depth cannot be rectified: record the rectified image and the depth aligned '
                    'to it'
                )
            depth = lens.depth(depth)
        return lens.image(image), depth, lens.intrinsics

    def _camera(self, width: int, height: int, stamp: int) -> Camera:
        """Return the last calibration before an image's stamp, or the first one."""
        place = bisect.bisect_right(self._cameras, stamp, key=lambda pair: pair[0])
        camera = self._cameras[max(0, place - 1)][1]
        try:
            camera.check()
            return camera.for_image(width, height)
        except CalibrationError as error:
            raise DatasetError(f'{self.path}, {self.topics.camera_info}: {error}') from error


def _seconds(entries: Sequence[Place]) -> list[float]:
    return [entry.stamp * 1e-9 for entry in entries]
