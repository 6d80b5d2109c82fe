# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A rosbag2 recording of a robot's depth camera: colour, depth aligned to it, and camera_info.

Read with the `rosbags` library (mcap and sqlite3, compressed or not), so no ROS is needed.
"""

import bisect
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from msdepth_ros.datasets.association import TOLERANCE, associate
from msdepth_ros.datasets.bag_images import color_image, depth_image
from msdepth_ros.datasets.bag_topics import Topics, choose_topics
from msdepth_ros.datasets.base import Dataset, DatasetError, Frame, check_depth
from msdepth_ros.datasets.files import given_intrinsics
from msdepth_ros.errors import CalibrationError, MsdepthError
from msdepth_ros.extras import require
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.geometry.undistortion import Undistortion
from msdepth_ros.images.message_fields import camera_fields
from msdepth_ros.images.topic_names import names_rectified_images

_SUFFIXES = ('.mcap', '.db3')
_METADATA = 'metadata.yaml'
_IMAGES = {'sensor_msgs/msg/Image': 'encoding', 'sensor_msgs/msg/CompressedImage': 'format'}
_IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True)
class _Entry:
    """Where a message is: its header's stamp and the time at which it was recorded, ns."""

    stamp: int
    recorded: int
    frame_id: str


class Rosbag(Dataset):
    """The colour images of a rosbag2 that have an aligned depth, in order of time.

    Images of a lens with distortion are rectified by their camera_info, and so are depths that lie
    on them; topics named `...rect...` are taken as rectified, as image_pipeline names them. A
    frame's intrinsics are those of its camera_info. Depths without a valid pixel are passed over.

    Parameters
    ----------
    path : the recording's folder, or its one .mcap or .db3 file.
    topics : which to read; those not given are found by what they hold, see `choose_topics`.
    focal_and_centre : fx, fy, cx, cy of the images, which are then taken as rectified; no
        camera_info is read.
    depth_scale : units that make a metre, instead of REP-118's.
    tolerance : largest difference of image's and depth's stamps, seconds.

    Raises
    ------
    DatasetError : the recording is damaged, a topic is missing, or no image has a depth.
    MsdepthError : a package that reads it is not installed.

    """

    def __init__(
        self,
        path: str | Path,
        topics: Topics | None = None,
        focal_and_centre: Sequence[float] | None = None,
        depth_scale: float | None = None,
        tolerance: float = TOLERANCE,
    ) -> None:
        require('rosbags')
        from rosbags.rosbag2 import Reader
        from rosbags.typesys import Stores, get_typestore

        self.path = Path(path)
        self._given = focal_and_centre
        self._units = depth_scale
        # The three messages that are read are the same in every ROS 2.
        self._types = get_typestore(Stores.ROS2_JAZZY)
        with self._readable():
            self._reader = Reader(_storage(self.path))
            self._reader.open()
            images, infos = self._what_there_is()
        known = focal_and_centre is not None
        self.topics = choose_topics(topics or Topics(), images, infos, known, str(self.path))
        self._cameras: list[tuple[int, Camera]] = []
        colors, depths = self._index()
        pairs = associate(_seconds(colors), _seconds(depths), tolerance)
        self._pairs = [(colors[i], depths[j]) for i, j in pairs]
        self._check_pairs(len(colors), len(depths), tolerance)
        self.names = [f'{e.stamp // 10**9}.{e.stamp % 10**9:09}' for e, _ in self._pairs]
        self._undistortion: Undistortion | None = None
        self.intrinsics = self[0].intrinsics

    def __getitem__(self, index: int) -> Frame:
        """Read one frame, see `Dataset`."""
        entry, depth_entry = self._pairs[index]
        where = f'{self.path}, {self.topics.depth} at {self.names[index]}'
        with self._readable():
            image = color_image(self._message(self.topics.image, entry))
            depth = depth_image(self._message(self.topics.depth, depth_entry), self._units)
        if image.shape[:2] != depth.shape:
            raise DatasetError(
                f'{where} is {depth.shape[1]}x{depth.shape[0]} but the colour image is '
                f'{image.shape[1]}x{image.shape[0]}: record the depth aligned to the colour image'
            )
        image, depth, intrinsics = self._pinhole(image, depth, entry.stamp)
        check_depth(depth, where)
        return Frame(self.names[index], image, depth, intrinsics, self.path.resolve().stem)

    def _what_there_is(self) -> tuple[dict[str, str], list[str]]:
        """Return the encoding of each topic with images, and the topics with calibrations."""
        filled = [connection for connection in self._reader.connections if connection.msgcount]
        images = {}
        for connection in filled:
            if connection.msgtype in _IMAGES:
                _, _, data = next(iter(self._reader.messages([connection])))
                message: Any = self._types.deserialize_cdr(data, connection.msgtype)
                images[connection.topic] = getattr(message, _IMAGES[connection.msgtype])
        return images, [c.topic for c in filled if c.msgtype == 'sensor_msgs/msg/CameraInfo']

    def _index(self) -> tuple[list[_Entry], list[_Entry]]:
        """Go through the recording once: where images and depths are, and the calibrations."""
        entries: dict[str, list[_Entry]] = {self.topics.image: [], self.topics.depth: []}
        read = (self.topics.image, self.topics.depth, self.topics.camera_info)
        wanted = [c for c in self._reader.connections if c.topic in read]
        total = sum(connection.msgcount for connection in wanted)
        with self._readable():
            messages = self._reader.messages(wanted)
            bar = tqdm(messages, 'indexing', total, unit='message', disable=None)
            for connection, recorded, data in bar:
                message: Any = self._types.deserialize_cdr(data, connection.msgtype)
                stamp = _stamp(message, recorded)
                if connection.topic == self.topics.camera_info:
                    self._cameras.append((stamp, camera_fields(message)))
                elif connection.topic == self.topics.image or depth_image(message, None).any():
                    entry = _Entry(stamp, recorded, message.header.frame_id)
                    entries[connection.topic].append(entry)
        self._cameras.sort(key=lambda pair: pair[0])
        images, depths = (sorted(each, key=lambda e: e.stamp) for each in entries.values())
        return images, depths

    def _check_pairs(self, images: int, depths: int, tolerance: float) -> None:
        if not self._pairs:
            raise DatasetError(
                f'{self.path}: none of {images} images on {self.topics.image} has one of {depths} '
                f'depths with a valid pixel on {self.topics.depth} within {tolerance} s of its '
                'stamp: record both from one camera and clock'
            )
        image, depth = self._pairs[0]
        if image.frame_id != depth.frame_id and image.frame_id and depth.frame_id:
            raise DatasetError(
                f'{self.path}: {self.topics.depth} is in frame {depth.frame_id} but '
                f'{self.topics.image} in {image.frame_id}: record the depth aligned (registered) '
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
                    f'{self.path}: {self.topics.camera_info} turns the image (its R is not the '
                    'identity), and depths with it: record the rectified image and the depth '
                    'aligned to it'
                )
            depth = lens.depth(depth)
        return lens.image(image), depth, lens.intrinsics

    def _camera(self, width: int, height: int, stamp: int) -> Camera:
        """Return the calibration that was last published before an image, or the first."""
        place = bisect.bisect_right(self._cameras, stamp, key=lambda pair: pair[0])
        camera = self._cameras[max(0, place - 1)][1]
        try:
            camera.check()
            return camera.for_image(width, height)
        except CalibrationError as error:
            raise DatasetError(f'{self.path}, {self.topics.camera_info}: {error}') from error

    def _message(self, topic: str, entry: _Entry) -> Any:
        connections = [c for c in self._reader.connections if c.topic == topic]
        start = entry.recorded
        for connection, _, data in self._reader.messages(connections, start, start + 1):
            message = self._types.deserialize_cdr(data, connection.msgtype)
            if _stamp(message, start) == entry.stamp:
                return message
        raise DatasetError(f'{self.path} has changed since it was opened')

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except DatasetError:
            raise
        except MsdepthError as error:
            raise DatasetError(f'{self.path}: {error}') from error
        except Exception as error:  # a damaged file makes its parser raise anything
            raise DatasetError(
                f'{self.path} is no rosbag2 that can be read, or it is damaged ({error}): try '
                '`ros2 bag reindex`'
            ) from error


def recognises(path: Path) -> bool:
    """Return whether the path is a rosbag2."""
    if path.is_file():
        return path.suffix in _SUFFIXES
    files = [entry.suffix for entry in path.iterdir()] if path.is_dir() else []
    return (path / _METADATA).is_file() or any(suffix in _SUFFIXES for suffix in files)


def _storage(path: Path) -> Path:
    """Return what to open: the folder, or its one file where its metadata is missing."""
    if not path.exists():
        raise DatasetError(f'{path} does not exist')
    if path.is_file() or (path / _METADATA).is_file():
        return path
    files = [entry for entry in path.iterdir() if entry.suffix in _SUFFIXES]
    if len(files) != 1:
        raise DatasetError(f'{path} has no {_METADATA}: `ros2 bag reindex` makes it')
    return files[0]


def _seconds(entries: Sequence[_Entry]) -> list[float]:
    return [entry.stamp * 1e-9 for entry in entries]


def _stamp(message: Any, recorded: int) -> int:
    """Return a header's stamp in ns; without one, when the message was recorded."""
    stamp = message.header.stamp
    return stamp.sec * 10**9 + stamp.nanosec or recorded
