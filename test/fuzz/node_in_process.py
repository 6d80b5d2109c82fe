# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The depth node in this process: its own callbacks, its own worker, and no DDS in between."""

from typing import Any

import numpy as np
import rclpy
from rclpy.context import Context
from rclpy.parameter import Parameter

from msdepth_ros.errors import MsdepthError
from msdepth_ros.node.depth_node import DepthNode
from msdepth_ros.node.outputs import DEPTH, DEPTH_COLOR, DEPTH_INFO, POINTS, RGB, RGB_INFO, SCAN
from msdepth_ros.node.statistics import FrameStatus as Status

STATUSES = {Status.PUBLISHED, *Status.DROPPED} - {Status.REPLACED}


class _Recorder:
    """Stands in for a publisher with a subscriber."""

    def __init__(self, topic: str, received: dict[str, Any]) -> None:
        self.topic, self.received = topic, received

    def get_subscription_count(self) -> int:
        return 1

    def publish(self, message: Any) -> None:
        self.received[self.topic] = message


class NodeInProcess:
    """An active depth node whose topics are all subscribed to.

    Attributes
    ----------
    messages : number of messages handed to it.
    published, with_cloud : number of images that were answered, and so with a cloud.
    """

    def __init__(self, model: str, **parameters: Any) -> None:
        self.messages = self.published = self.with_cloud = 0
        self._context = Context()
        rclpy.init(context=self._context)
        values = {'model': model, 'backend': 'onnxruntime', 'threads': 1, **parameters}
        self.node = DepthNode(
            context=self._context,
            parameter_overrides=[Parameter(name, value=value) for name, value in values.items()],
            enable_rosout=False,
            start_parameter_services=False,
        )
        self.errors: list[Exception] = []
        self._drop = self.node._drop
        self.node._drop = self._note_drop
        self.node.trigger_configure()
        self.node.trigger_activate()
        outputs = self.node._outputs
        assert outputs is not None
        self._received: dict[str, Any] = {}
        self._publishers = outputs._publishers
        worker = self.node._server.worker
        worker.put = lambda item: worker.call(lambda: self.node._process_safely(item))
        outputs._publishers = {name: _Recorder(name, self._received) for name in self._publishers}

    def __enter__(self) -> 'NodeInProcess':
        return self

    def __exit__(self, *_: object) -> None:
        self.node._outputs._publishers = self._publishers
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)

    def _note_drop(self, status: str, error: Exception) -> None:
        self.errors.append(error)
        self._drop(status, error)

    def camera_info(self, message: Any) -> None:
        """Hand over a camera_info as the executor does."""
        self.messages += 1
        self.node._input.on_camera_info(message)

    def image(self, message: Any) -> dict[str, Any] | str:
        """Hand over an image; return the messages it was answered with, or why it was dropped.

        Fails unless it is one of the two, the drop is counted once, has a message of one line, and
        every output is of the right size and holds valid values only.
        """
        self.messages += 1
        self._received.clear()
        self.errors.clear()
        before = self.node._statistics.snapshot().counts
        self.node._input.on_image(message)
        after = self.node._statistics.snapshot().counts
        changes = {name: after[name] - before.get(name, 0) for name in after}
        found = [name for name, change in changes.items() if change and name != Status.RECEIVED]
        assert changes[Status.RECEIVED] == 1
        assert len(found) == 1, found
        assert changes[found[0]] == 1, changes
        assert found[0] in STATUSES
        if found == [Status.PUBLISHED]:
            self.published += 1
            self.with_cloud += POINTS in self._received
            assert not self.errors
            check_outputs(dict(self._received), message, self.node._options.values)
            return dict(self._received)
        assert not self._received
        for error in self.errors:
            assert isinstance(error, MsdepthError), repr(error)
            assert str(error).isprintable(), repr(error)
            assert 10 < len(str(error)) < 400, error
        assert bool(self.errors) == (found[0] in Status.UNUSABLE), found
        return str(self.errors[0]) if self.errors else found[0]


def check_outputs(outputs: dict[str, Any], image: Any, values: dict[str, Any]) -> None:
    """Fail unless all that was published for an image fits it, itself and the parameters."""
    assert {DEPTH, DEPTH_COLOR, RGB} <= set(outputs), set(outputs)
    assert (DEPTH_INFO in outputs) == (RGB_INFO in outputs)
    for topic, message in outputs.items():
        assert message.header.stamp == image.header.stamp
        if topic != SCAN:
            assert message.header.frame_id == image.header.frame_id
    depth = check_depth(outputs[DEPTH], values)
    height, width = depth.shape
    if values['depth.resolution'] == 'camera' and hasattr(image, 'width'):
        assert (width, height) == (image.width, image.height)
    for topic, channels in ((DEPTH_COLOR, 3), (RGB, None)):
        check_picture(outputs[topic], width, height, channels)
    if DEPTH_INFO in outputs:
        assert (POINTS in outputs) == values['points.enabled']
        for topic in (DEPTH_INFO, RGB_INFO):
            check_camera_info(outputs[topic], width, height)
    else:
        assert POINTS not in outputs
        assert SCAN not in outputs
    if POINTS in outputs:
        check_cloud(outputs[POINTS])
    if SCAN in outputs:
        check_scan(outputs[SCAN], width, values)


def check_depth(message: Any, values: dict[str, Any]) -> np.ndarray:
    """Return the depth of a 32FC1 message: NaN or within the limits."""
    assert message.encoding == '32FC1'
    assert message.step == 4 * message.width
    assert len(message.data) == message.step * message.height
    depth = np.frombuffer(message.data, np.float32).reshape(message.height, message.width)
    finite = depth[~np.isnan(depth)]
    if finite.size:
        assert finite.min() > 0
        assert finite.min() >= values['depth.min'] * (1 - 1e-5)
        assert finite.max() <= (values['depth.max'] or 100.0) * (1 + 1e-5)
    return depth


def check_picture(message: Any, width: int, height: int, channels: int | None) -> None:
    sizes = {'mono8': 1, 'rgb8': 3, 'bgr8': 3, 'rgba8': 4, 'bgra8': 4}
    assert (message.width, message.height) == (width, height)
    assert channels is None or channels == sizes[message.encoding]
    assert message.step == width * sizes[message.encoding]
    assert len(message.data) == message.step * height


def check_camera_info(message: Any, width: int, height: int) -> None:
    assert (message.width, message.height) == (width, height)
    numbers = np.array([*message.k, *message.r, *message.p])
    assert np.isfinite(numbers).all(), numbers
    assert message.k[0] > 0
    assert message.k[4] > 0
    assert message.k[8] == message.p[10] == 1
    assert len(message.d) == 0


def check_cloud(message: Any) -> None:
    assert message.point_step == 4 * len(message.fields)
    assert message.row_step == message.point_step * message.width
    assert len(message.data) == message.row_step * message.height
    points = np.frombuffer(message.data, np.float32).reshape(-1, len(message.fields))[:, :3]
    valid = np.isfinite(points)
    assert (valid.all(axis=1) == valid.any(axis=1)).all(), 'a point is valid as a whole or not'
    assert (points[valid.all(axis=1), 2] > 0).all()
    if message.is_dense:
        assert valid.all()


def check_scan(message: Any, width: int, values: dict[str, Any]) -> None:
    assert len(message.ranges) == width
    assert np.isfinite([message.angle_min, message.angle_max, message.angle_increment]).all()
    assert message.angle_max >= message.angle_min
    ranges = np.array(message.ranges)
    finite = ranges[np.isfinite(ranges)]  # -inf and +inf are before and behind (REP-117)
    if finite.size:
        assert finite.min() >= values['scan.range_min'] * (1 - 1e-5)
        assert finite.max() <= values['scan.range_max'] * (1 + 1e-5)
