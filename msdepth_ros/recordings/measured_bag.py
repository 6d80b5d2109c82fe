# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A rosbag2 of a camera without depth, and what a laser scanner or a lidar measured beside it."""

import bisect
import math
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from msdepth_ros.datasets.bag_cursor import BagCursor, Place
from msdepth_ros.datasets.bag_images import color_image
from msdepth_ros.datasets.bag_poses import camera_trajectory, odometry_topic, static_transform
from msdepth_ros.datasets.bag_reader import BagReader, header_stamp
from msdepth_ros.datasets.bag_topics import Topics, choose_camera
from msdepth_ros.datasets.base import Dataset, DatasetError, Frame
from msdepth_ros.datasets.poses import Trajectory
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.geometry.rigid import inverse
from msdepth_ros.images.message_fields import camera_fields
from msdepth_ros.images.topic_names import names_rectified_images
from msdepth_ros.metric.floor import FloorPlane
from msdepth_ros.metric.message_points import points_of_cloud, points_of_scan
from msdepth_ros.metric.motion import moved
from msdepth_ros.metric.sensors import baseline, project
from msdepth_ros.metric.sparse_depth import SparseDepth
from msdepth_ros.recordings.frames import Rectifier

SENSORS = {'scan': 'sensor_msgs/msg/LaserScan', 'points': 'sensor_msgs/msg/PointCloud2'}
_LONGEST = 0.2  # seconds between an image and what was measured of it, as the node has it
_FLOOR_FRAMES = ('base_footprint', 'base_link')  # whose origin lies on the floor, without odometry


class MeasuredBag(Dataset):
    """The images of a rosbag2 in order of time, without depth, and what was measured of them.

    Images of a lens with distortion are rectified. Where odometry was recorded, poses are known,
    and what was measured is moved to where the camera is when the image is taken.

    Parameters
    ----------
    path : the recording's folder, or its one .mcap or .db3 file.
    sensors : names of SENSORS that count.
    focal_and_centre : fx, fy, cx, cy of the images, instead of their camera_info.
    topics : the images' and their camera_info's, and the odometry's, where that is not clear.

    Raises
    ------
    DatasetError
        If the recording is damaged, a topic is missing or not clear, or static TF does not tell
        where a sensor is.
    """

    def __init__(
        self,
        path: Path,
        sensors: Collection[str],
        focal_and_centre: Sequence[float] | None = None,
        topics: Topics | None = None,
    ) -> None:
        self.path = path
        self._rectify = Rectifier(path, focal_and_centre)
        self._bag = BagReader(path)
        try:
            self._read(sensors, focal_and_centre is not None, topics or Topics())
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the recording."""
        self._bag.close()

    def _read(self, sensors: Collection[str], calibrated: bool, topics: Topics) -> None:
        """Read all but the frames."""
        bag, where = self._bag, str(self.path)
        self._image, info = choose_camera(
            topics, bag.images(), bag.camera_infos(), calibrated, where
        )
        self._heard = {name: self._only_topic(name) for name in sensors}
        wanted = [self._image, *self._heard.values(), *([info] if info else [])]
        self._places: dict[str, list[Place]] = {topic: [] for topic in wanted}
        self._cameras: list[tuple[int, Camera]] = []
        self._frames: dict[str, str] = {}
        for recorded in tqdm(
            bag.messages(wanted), 'indexing', bag.count(wanted), unit='message', disable=None
        ):
            message = bag.message(recorded)
            stamp = header_stamp(message, recorded.received)
            if recorded.topic == info:
                self._cameras.append((stamp, camera_fields(message)))
                continue
            self._places[recorded.topic].append(Place(recorded.topic, stamp, recorded.received))
            self._frames.setdefault(recorded.topic, message.header.frame_id)
        for places in self._places.values():
            places.sort(key=lambda place: place.stamp)
        self._cameras.sort(key=lambda pair: pair[0])
        self._images = self._places[self._image]
        self._cursors = {topic: BagCursor(bag, [topic]) for topic in wanted}
        self.names = [f'{e.stamp // 10**9}.{e.stamp % 10**9:09}' for e in self._images]
        camera_frame = self._frames[self._image]
        self._to_camera = {
            name: static_transform(bag, self._frames[topic], camera_frame)
            for name, topic in self._heard.items()
        }
        self._trajectory = Trajectory([])
        try:
            self._trajectory = camera_trajectory(bag, topics.odom, camera_frame)
            self.no_poses = ''
        except DatasetError as error:
            self.no_poses = str(error)
        self.intrinsics = self[0].intrinsics

    def _only_topic(self, sensor: str) -> str:
        there = self._bag.topics_of(SENSORS[sensor])
        kind = SENSORS[sensor].replace('/msg/', '/')
        if not there:
            raise DatasetError(
                f'{self.path} has no {kind}, so `{sensor}` measures nothing: record its topic too'
            )
        if len(there) > 1:
            raise DatasetError(
                f'{self.path}: which {kind} is meant of {", ".join(there)}? Keep one of them: '
                '`ros2 bag convert` writes a recording without the others'
            )
        return there[0]

    def __getitem__(self, index: int) -> Frame:
        """Read one frame, whose depth is 0 everywhere, see `Dataset`."""
        place = self._images[index]
        with self._bag.readable():
            image = color_image(self._bag.message(self._cursors[self._image].read(place)))
            camera = None
            if self._cameras:
                after = bisect.bisect_right(self._cameras, place.stamp, key=lambda pair: pair[0])
                camera = self._cameras[max(0, after - 1)][1]
            rectified = names_rectified_images(self._image)
            frame = self._rectify(self.names[index], image, camera, rectified)
        pose = self._trajectory.at(place.stamp * 1e-9)
        return Frame(
            frame.name,
            frame.image,
            frame.depth,
            frame.intrinsics,
            self.path.resolve().stem,
            pose,
        )

    def measured(self, index: int, frame: Frame) -> list[SparseDepth]:
        """Return what the sensors measured of a frame, none where nothing came in time."""
        stamp = self._images[index].stamp
        found = []
        for name, topic in self._heard.items():
            place = _nearest(self._places[topic], stamp)
            if abs(place.stamp - stamp) > _LONGEST * 1e9:
                continue
            with self._bag.readable():
                message = self._bag.message(self._cursors[topic].read(place))
                points, stamps = _points(name, message, place.stamp)
            # the camera's own poses say how it moved
            moving = moved(points, stamps, stamp, self._between, self._to_camera[name])
            apart = baseline(self._to_camera[name]) or math.inf
            found.append(project(moving, np.eye(4), frame.intrinsics, name, baseline=apart))
        return found

    def floor(self) -> FloorPlane:
        """Return where the floor is in all images, by the camera's mount in static TF.

        Raises
        ------
        DatasetError
            If static TF does not contain the mount, or the camera is not above the robot's frame.
        """
        camera_frame = self._frames[self._image]
        frame, mount = self._robot(camera_frame)
        height = float(mount[2, 3])
        if height <= 0:
            raise DatasetError(
                f"{self.path}: '{camera_frame}' is {height:.3f} m above '{frame}', which must lie "
                'on the floor for that: give --camera-height'
            )
        return FloorPlane(mount[2, :3].copy(), height)

    def _robot(self, camera_frame: str) -> tuple[str, np.ndarray]:
        """Return the robot's frame, and the transform to it from the camera's."""
        frames: Sequence[str] = _FLOOR_FRAMES
        if not self.no_poses:
            topic = odometry_topic(self._bag, None)
            first = next(self._bag.messages([topic]))
            frames = [self._bag.message(first).child_frame_id]
        for frame in frames:
            try:
                return frame, static_transform(self._bag, camera_frame, frame)
            except DatasetError:
                continue
        raise DatasetError(
            f"{self.path}: /tf_static does not contain where '{camera_frame}' is above the floor: "
            'record it too, or give --camera-height and --camera-pitch'
        )

    def _between(self, before: int, after: int) -> np.ndarray | None:
        """Return where the camera of one time, ns, lies in that of another, float64 [4, 4]."""
        first, second = (self._trajectory.at(each * 1e-9) for each in (before, after))
        return None if first is None or second is None else inverse(second) @ first


def _points(name: str, message: Any, stamp: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the points of a message, float32 [n, 3], and the stamp of each, int64 [n] ns."""
    if name == 'scan':
        points, ages = points_of_scan(message)
        return points, stamp + ages
    points = points_of_cloud(message)
    points = points[np.isfinite(points).all(axis=1)]
    return points, np.full(len(points), stamp)


def _nearest(places: Sequence[Place], stamp: int) -> Place:
    key: Callable[[Place], int] = lambda place: place.stamp  # noqa: E731
    after = bisect.bisect_left(places, stamp, key=key)
    around = places[max(0, after - 1) : after + 1]
    return min(around, key=lambda place: abs(place.stamp - stamp))
