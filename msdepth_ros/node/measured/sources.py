# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One class for each source of measurements: what it hears, and what it says of a frame."""

import collections
import contextlib
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from nav_msgs.msg import Odometry
from sensor_msgs.msg import CameraInfo, Image, LaserScan, PointCloud2

from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.inference.frame import FrameGeometry
from msdepth_ros.metric.depth_images import points_of_depth
from msdepth_ros.metric.floor import FloorPlane, measure_floor
from msdepth_ros.metric.message_points import metres_of_depth, points_of_cloud, points_of_scan
from msdepth_ros.metric.motion import moved
from msdepth_ros.metric.sensors import project
from msdepth_ros.metric.sparse_depth import SparseDepth
from msdepth_ros.node.measured.frames import Frames, camera_matrix
from msdepth_ros.node.measured.motion import Motion
from msdepth_ros.node.messages import camera_from_msg, nanoseconds
from msdepth_ros.node.mounts import Mounts
from msdepth_ros.node.scale.mount import Mount

_KEPT = 10  # messages
_REPEATED = 5  # equal messages after which a source may be frozen
_MOVED = 0.1  # of ln(depth), median over the image: the view is another one
_COARSE = 8  # cells
_LEAST_POINTS = 3
_ASK_AGAIN, _ASK_SELDOM = 5.0, 300.0  # seconds


class UnusableError(MsdepthError):
    """A source has nothing for a frame; the text is the cause, in a word or two."""


@dataclass(frozen=True)
class Request:
    """A frame that measurements are wanted for.

    Attributes
    ----------
    stamp : of the image, ns.
    frame : frame_id of the image.
    values : the node's parameters.
    depth : float32 [height, width], the network's depth, metres.
    geometry : how it lies on the image.
    outputs : the model's further outputs.
    image : uint8 [height, width, 3], the network's input.
    metric : whether the depth is metres, and not relative.
    """

    stamp: int
    frame: str
    values: dict[str, Any]
    depth: np.ndarray
    geometry: FrameGeometry
    outputs: Mapping[str, np.ndarray]
    image: np.ndarray
    metric: bool = True

    @property
    def camera(self) -> Intrinsics:
        """Of the rectified camera image.

        Raises
        ------
        UnusableError
            If the camera is not calibrated.
        """
        if self.geometry.intrinsics is None:
            raise UnusableError('no calibration')
        return self.geometry.intrinsics


class Source(ABC):
    """A source of measurements.

    `topics` are the messages that it hears, by topic, and `queue` how many may wait.
    """

    name: str
    topics: Mapping[str, type] = {}
    queue = 2

    def hear(self, topic: str, message: Any) -> None:  # noqa: B027
        """Take a message, on the executor's thread."""

    @abstractmethod
    def measure(self, request: Request) -> tuple[SparseDepth, float]:
        """Return what was measured of a frame, and how old it is in seconds.

        Raises
        ------
        MsdepthError
            If there is nothing; an UnusableError's text is the cause.
        """


class TopicSource(Source):
    """A source that hears messages with a header, and takes the one nearest to an image."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._lock = threading.Lock()
        self._messages: collections.deque[tuple[int, Any]] = collections.deque(maxlen=_KEPT)
        self._content: bytes = b''
        self._repeated = 0
        self._view: np.ndarray | None = None

    def hear(self, topic: str, message: Any) -> None:
        """Take a message."""
        content = self.content(message)
        with self._lock:
            self._messages.append((nanoseconds(message.header.stamp), message))
            if content == self._content:
                self._repeated += 1
            else:
                self._content, self._repeated, self._view = content, 0, None

    @staticmethod
    def content(message: Any) -> bytes:
        """Return the bytes that two measurements of a real sensor never share."""
        return bytes(memoryview(message.data)[:65536])

    def nearest(self, request: Request) -> tuple[Any, float]:
        """Return the message whose stamp is nearest to the image's, and their distance, seconds."""
        with self._lock:
            if not self._messages:
                raise UnusableError('nothing came')
            stamp, message = min(self._messages, key=lambda item: abs(item[0] - request.stamp))
        age = (request.stamp - stamp) * 1e-9
        if abs(age) > request.values['metric.max_age']:
            raise UnusableError('age')
        self._refuse_frozen(request)
        return message, age

    def to_camera(self, message: Any, request: Request) -> np.ndarray:
        """Return the transform from a message's frame to the camera's, float64 [4, 4]."""
        frame = message.header.frame_id
        found = self._frames.to_camera(self.name, frame, request.frame, request.values)
        if found is None:
            raise UnusableError('no transform')
        return found

    def _refuse_frozen(self, request: Request) -> None:
        """Refuse what repeats itself bit for bit while the view changes."""
        part = slice(_COARSE // 2, None, _COARSE)
        view = request.depth[part, part]
        before = self._view
        if self._repeated < _REPEATED or before is None or before.shape != view.shape:
            self._view = view.copy()
            return
        with np.errstate(divide='ignore', invalid='ignore'):
            change = np.abs(np.log(view / before))
        known = change[np.isfinite(change)]
        if known.size and np.median(known) > _MOVED:
            raise UnusableError('frozen')


class ScanSource(TopicSource):
    """A laser scanner's row."""

    name = 'scan'
    topics = {'measured/scan': LaserScan, 'odom': Odometry}  # noqa: RUF012

    def __init__(self, frames: Frames) -> None:
        super().__init__(frames)
        self._motion = Motion()

    def hear(self, topic: str, message: Any) -> None:
        """Take a scan or an odometry."""
        if isinstance(message, Odometry):
            self._motion.hear(message)
        else:
            super().hear(topic, message)

    @staticmethod
    def content(message: LaserScan) -> bytes:
        """Return the ranges' bytes."""
        return bytes(memoryview(message.ranges))

    def measure(self, request: Request) -> tuple[SparseDepth, float]:
        """Return the beams that the camera sees."""
        message, age = self.nearest(request)
        points, ages = points_of_scan(message)
        to_camera = self.to_camera(message, request)
        camera = camera_matrix(request.values)
        if camera is not None:  # else TF is all that is known
            stamps = nanoseconds(message.header.stamp) + ages
            places = np.linalg.inv(camera), to_camera
            points = moved(points, stamps, request.stamp, self._motion.between, *places)
            to_camera = np.eye(4)
        return project(points, to_camera, request.camera, self.name), age


class CloudSource(TopicSource):
    """A cloud: of a lidar, of a time-of-flight camera, of the landmarks of SLAM."""

    name = 'points'
    topics = {'measured/points': PointCloud2}  # noqa: RUF012

    def measure(self, request: Request) -> tuple[SparseDepth, float]:
        """Return the points that the camera sees."""
        message, age = self.nearest(request)
        points = points_of_cloud(message)
        to_camera = self.to_camera(message, request)
        return project(points, to_camera, request.camera, self.name), age


class DepthSource(TopicSource):
    """A depth camera: registered to this camera's image, or beside it with its own calibration."""

    name = 'depth'
    topics = {'measured/depth': Image, 'measured/camera_info': CameraInfo}  # noqa: RUF012

    def __init__(self, frames: Frames) -> None:
        super().__init__(frames)
        self._info: CameraInfo | None = None

    def hear(self, topic: str, message: Any) -> None:
        """Take an image or a calibration."""
        if isinstance(message, CameraInfo):
            self._info = message
        else:
            super().hear(topic, message)

    def measure(self, request: Request) -> tuple[SparseDepth, float]:
        """Return the depths that the camera sees."""
        message, age = self.nearest(request)
        depth = metres_of_depth(message)
        height, width = depth.shape
        info = self._info
        same = message.header.frame_id == request.frame
        if info is None:
            if not same:
                raise UnusableError('no measured/camera_info')
            shape = request.geometry.upsampler.shape
            return points_of_depth(depth, (shape[1], shape[0]), self.name), age
        camera = camera_from_msg(info)
        camera.check()
        own = camera.for_image(width, height).rectified_intrinsics()
        sparse = points_of_depth(depth, (width, height), self.name)
        z = sparse.depth
        x, y = (sparse.u - own.cx) / own.fx * z, (sparse.v - own.cy) / own.fy * z
        points = np.stack([x, y, z], axis=-1).astype(np.float32)
        projected = project(points, self.to_camera(message, request), request.camera, self.name)
        sigma = np.full(len(projected), sparse.sigma[:1].max(initial=0.02), np.float32)
        columns = projected.u, projected.v, projected.depth
        return SparseDepth(*columns, sigma, self.name), age


class FloorSource(Source):
    """The floor, by the mount of the camera and by what the image shows."""

    name = 'floor'

    def __init__(self, mounts: Mounts) -> None:
        self._mounts = mounts
        self._asked = 0
        self._next = 0.0

    def measure(self, request: Request) -> tuple[SparseDepth, float]:
        """Return the cells that show the floor for sure."""
        mount = self._mount(request)
        plane = FloorPlane(mount.up, mount.height)
        geometry = request.geometry
        shows = request.outputs.get('floor')
        sparse = measure_floor(request.depth, geometry.cells, request.camera, plane, shows)
        if not len(sparse):
            raise UnusableError('in doubt')
        return sparse, 0.0

    def _mount(self, request: Request) -> Mount:
        """Return the mount; TF is asked ever less often, as many robots do not tell it."""
        mount = self._mounts.known(request.values, request.frame)
        if mount is not None:
            return mount
        now = time.monotonic()
        if now >= self._next:
            self._asked += 1
            self._next = now + min(_ASK_AGAIN * 2**self._asked, _ASK_SELDOM)
            with contextlib.suppress(MsdepthError):
                return self._mounts.of(request.values, request.frame)
        raise UnusableError('no mount')


def enough(sparse: SparseDepth) -> SparseDepth:
    """Return measurements if there are a few of them, else raise UnusableError."""
    if len(sparse) < _LEAST_POINTS:
        raise UnusableError('not in view')
    return sparse
