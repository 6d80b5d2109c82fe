# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The sources of measurements: one class each, with its topics and what it measures in a frame."""

import collections
import contextlib
import math
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
from msdepth_ros.metric.depth_images import points_of_depth, thinning
from msdepth_ros.metric.floor import FloorPlane, measure_floor
from msdepth_ros.metric.message_points import metres_of_depth, points_of_cloud, points_of_scan
from msdepth_ros.metric.motion import moved
from msdepth_ros.metric.sensors import baseline, project
from msdepth_ros.metric.sparse_depth import FARTHEST, NEAREST, SparseDepth
from msdepth_ros.node.measured.camera_poses import CameraPoses
from msdepth_ros.node.measured.transforms import POSES, Transforms
from msdepth_ros.node.messages import camera_from_msg, nanoseconds
from msdepth_ros.node.mount import Mount
from msdepth_ros.node.mounts import Mounts

_KEPT = 10  # messages
_REPEATED = 5  # equal messages after which a source may be frozen
_MOVED = 0.1  # of ln(depth), median over the image: the view is another one
_COARSE = 8  # cells
_LEAST_POINTS = 3
_ASK_AGAIN, _ASK_SELDOM = 5.0, 300.0  # seconds


class UnusableError(MsdepthError):
    """A source has nothing for a frame.

    Attributes
    ----------
    cause : in a word or two.
    advice : what is wrong and what to do next; '' where that is usual.
    """

    def __init__(self, cause: str, advice: str = '') -> None:
        super().__init__(advice or cause)
        self.cause, self.advice = cause, advice


@dataclass(frozen=True)
class Request:
    """A frame that needs measurements.

    Attributes
    ----------
    stamp : stamp of the image, ns.
    frame : frame_id of the image.
    values : values of the node's parameters.
    depth : float32 [height, width], the network's depth, metres.
    geometry : maps the depth to the image.
    outputs : other outputs of the model.
    image : uint8 [height, width, 3], the network's input.
    metric : whether the depth is in metres, not relative.
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
        """Intrinsics of the rectified camera image.

        Raises
        ------
        UnusableError
            If the camera is not calibrated.
        """
        if self.geometry.intrinsics is None:
            raise UnusableError('no calibration', "the camera's camera_info is missing or unusable")
        return self.geometry.intrinsics


class Source(ABC):
    """A source of measurements.

    Attributes
    ----------
    name : as in `metric.sources`.
    topics : message types of its topics.
    queue : depth of the subscriptions' queues.
    aged : whether its measurements are of other times than the images.
    """

    name: str
    topics: Mapping[str, type] = {}
    queue = 2
    aged = False

    def hear(self, topic: str, message: Any) -> None:  # noqa: B027
        """Add a message, on the executor's thread."""

    @abstractmethod
    def measure(self, request: Request) -> tuple[SparseDepth, float]:
        """Return the measurements for a frame, and their age in seconds.

        Raises
        ------
        MsdepthError
            If there is nothing; the message of an UnusableError is the cause.
        """


class TopicSource(Source):
    """A source of messages with a header; it uses the one nearest in time to an image."""

    aged = True

    def __init__(self, transforms: Transforms) -> None:
        self._transforms = transforms
        self._poses = CameraPoses(transforms)
        self._lock = threading.Lock()
        self._messages: collections.deque[tuple[int, Any]] = collections.deque(maxlen=_KEPT)
        self._content: bytes = b''
        self._repeated = 0
        self._view: np.ndarray | None = None

    def hear(self, topic: str, message: Any) -> None:
        """Take a message, or an odometry."""
        if isinstance(message, Odometry):
            self._poses.hear(message)
            return
        content = self.content(message)
        with self._lock:
            self._messages.append((nanoseconds(message.header.stamp), message))
            if content == self._content:
                self._repeated += 1
            else:
                self._content, self._repeated, self._view = content, 0, None

    @staticmethod
    def content(message: Any) -> bytes:
        """Return bytes that differ between any two measurements of a real sensor."""
        return bytes(memoryview(message.data)[:65536])

    def nearest(self, request: Request) -> tuple[Any, float]:
        """Return the message with the stamp nearest to the image's, and the difference, seconds.

        Raises
        ------
        UnusableError
            If there is none, it is too old, or the source is frozen.
        """
        with self._lock:
            if not self._messages:
                topic = next(iter(self.topics))
                raise UnusableError(
                    'nothing came',
                    f"nothing comes on {topic}: remap it to the sensor's topic, and compare the "
                    'QoS (ros2 topic info --verbose)',
                )
            stamp, message = min(self._messages, key=lambda item: abs(item[0] - request.stamp))
        age = (request.stamp - stamp) * 1e-9
        if abs(age) > request.values['metric.max_age']:
            raise UnusableError(
                'age',
                f'the nearest one is {abs(age):.2f} s {"before" if age > 0 else "after"} the image '
                'by its stamp: if the source has not stopped, synchronise the clocks or correct '
                'the stamps of its driver',
            )
        self._refuse_frozen(request)
        return message, age

    def to_camera(self, message: Any, request: Request) -> np.ndarray:
        """Return the transform from a message's frame to the camera's, float64 [4, 4].

        Raises
        ------
        UnusableError
            If it is not known.
        """
        frame = message.header.frame_id
        found = self._transforms.to_camera(self.name, frame, request.frame, request.values)
        if found is None:
            raise UnusableError(
                'no transform',
                f"it is not known where '{frame}' is: publish TF from it to '{request.frame}', or "
                f'set camera_pose and {POSES[self.name]}',
            )
        return found

    def between(self, before: int, request: Request) -> np.ndarray | None:
        """Return where the camera's frame of a stamp lies in that of the image, float64 [4, 4].

        None where the odometry does not give it.
        """
        return self._poses.between(before, request.stamp, request.frame, request.values)

    def to_camera_then(self, message: Any, request: Request) -> np.ndarray:
        """Return `to_camera` with how the camera moved from the message to the image."""
        to_camera = self.to_camera(message, request)
        motion = self.between(nanoseconds(message.header.stamp), request)
        return to_camera if motion is None else motion @ to_camera

    def _refuse_frozen(self, request: Request) -> None:
        """Raise UnusableError if the data repeats bit for bit while the view changes."""
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
            raise UnusableError(
                'frozen', 'it repeats the same data while the view changes: restart its driver'
            )


class ScanSource(TopicSource):
    """A laser scan."""

    name = 'scan'
    topics = {'measured/scan': LaserScan, 'odom': Odometry}  # noqa: RUF012

    @staticmethod
    def content(message: LaserScan) -> bytes:
        """Return the ranges' bytes."""
        return bytes(memoryview(message.ranges))

    def measure(self, request: Request) -> tuple[SparseDepth, float]:
        """Return the beams in the camera's view."""
        message, age = self.nearest(request)
        points, ages = points_of_scan(message)
        stamps = nanoseconds(message.header.stamp) + ages
        to_camera = self.to_camera(message, request)
        points = moved(
            points,
            stamps,
            request.stamp,
            lambda before, _: self.between(before, request),
            to_camera,
        )
        apart = baseline(to_camera)
        return project(points, np.eye(4), request.camera, self.name, baseline=apart), age


class CloudSource(TopicSource):
    """A cloud of a lidar or a time-of-flight camera, or landmarks of SLAM."""

    name = 'points'
    topics = {'measured/points': PointCloud2, 'odom': Odometry}  # noqa: RUF012

    def measure(self, request: Request) -> tuple[SparseDepth, float]:
        """Return the points that the camera sees."""
        message, age = self.nearest(request)
        points = points_of_cloud(message)
        to_camera = self.to_camera_then(message, request)
        # A cloud in the camera's frame may be of a sensor anywhere.
        apart = math.inf if message.header.frame_id == request.frame else baseline(to_camera)
        return project(points, to_camera, request.camera, self.name, baseline=apart), age


class DepthSource(TopicSource):
    """A depth camera: registered to the image, or beside the camera, with its own calibration."""

    name = 'depth'
    topics = {  # noqa: RUF012
        'measured/depth': Image,
        'measured/camera_info': CameraInfo,
        'odom': Odometry,
    }

    def __init__(self, transforms: Transforms) -> None:
        super().__init__(transforms)
        self._info: CameraInfo | None = None

    def hear(self, topic: str, message: Any) -> None:
        """Add an image or a calibration."""
        if isinstance(message, CameraInfo):
            self._info = message
        else:
            super().hear(topic, message)

    def measure(self, request: Request) -> tuple[SparseDepth, float]:
        """Return the measured depth in the camera's view."""
        message, age = self.nearest(request)
        depth = metres_of_depth(message)
        height, width = depth.shape
        info = self._info
        same = message.header.frame_id == request.frame
        if info is None:
            if not same:
                raise UnusableError(
                    'no measured/camera_info',
                    f"its frame_id '{message.header.frame_id}' is not that of the image, so it "
                    "needs its calibration: remap measured/camera_info to the depth camera's",
                )
            shape = request.geometry.upsampler.shape
            return points_of_depth(depth, (shape[1], shape[0]), self.name), age
        camera = camera_from_msg(info)
        camera.check()
        own = camera.for_image(width, height).rectified_intrinsics()
        sparse = points_of_depth(depth, (width, height), self.name)
        z = sparse.depth
        x, y = (sparse.u - own.cx) / own.fx * z, (sparse.v - own.cy) / own.fy * z
        points = np.stack([x, y, z], axis=-1).astype(np.float32)
        to_camera = self.to_camera_then(message, request)
        # Neighbouring points of a depth image are this far apart in the camera's.
        step = thinning(depth.shape) * request.camera.fx / own.fx
        apart = baseline(to_camera)
        projected = project(points, to_camera, request.camera, self.name, step, apart)
        sigma = np.full(len(projected), sparse.sigma[:1].max(initial=0.02), np.float32)
        columns = projected.u, projected.v, projected.depth
        return SparseDepth(*columns, sigma, self.name), age


class FloorSource(Source):
    """The floor, from the mount and the cells that show floor."""

    name = 'floor'

    def __init__(self, mounts: Mounts) -> None:
        self._mounts = mounts
        self._asked = 0
        self._next = 0.0

    def measure(self, request: Request) -> tuple[SparseDepth, float]:
        """Return the depth of the cells that certainly show floor."""
        mount = self._mount(request)
        plane = FloorPlane(mount.up, mount.height)
        geometry = request.geometry
        shows = request.outputs.get('floor')
        sparse = measure_floor(request.depth, geometry.cells, request.camera, plane, shows)
        if not len(sparse):
            raise UnusableError('in doubt')
        return sparse, 0.0

    def _mount(self, request: Request) -> Mount:
        """Return the mount; TF is asked less and less often, because many robots lack it."""
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
    """Return the usable measurements.

    Raises
    ------
    UnusableError
        If there are fewer than _LEAST_POINTS.
    """
    usable = sparse.usable()
    if len(usable) >= _LEAST_POINTS:
        return usable
    if len(sparse) >= _LEAST_POINTS:
        raise UnusableError(
            'not in metres',
            f'its depths are not between {NEAREST:g} and {FARTHEST:g} m: correct their unit',
        )
    raise UnusableError('not in view')
