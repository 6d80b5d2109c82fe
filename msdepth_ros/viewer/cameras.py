# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The depth nodes of the viewer: found in the graph, subscribed to while a page is open."""

import contextlib
import threading
from collections.abc import Callable, Iterable
from typing import Any

from rclpy.node import Node

from msdepth_ros.errors import MsdepthError
from msdepth_ros.viewer.feed import CameraFeed
from msdepth_ros.viewer.frame import ViewedFrame
from msdepth_ros.viewer.node_parameters import NodeParameters, Values
from msdepth_ros.viewer.pose import Pose, TransformTree, camera_pose
from msdepth_ros.viewer.recording import RecordedFrame

_NODE_NAME = 'msdepth'
_RECORDER_PERIOD = 0.05  # seconds between two checks for a frame to keep


class ViewedCamera:
    """One depth node: its frames, its parameters and the pose of its camera.

    Attributes
    ----------
    name : full name of the depth node.
    title : short name for the page.
    """

    def __init__(self, node: Node, name: str, transforms: TransformTree) -> None:
        self.name = name
        self.title = name.rpartition('/')[0].strip('/') or name.strip('/')
        self.feed = CameraFeed(node, name)
        self._changes: set[Callable[[Values], None]] = set()
        self.parameters = NodeParameters(node, name, self._on_changed)
        self._transforms = transforms
        self._scan_frame: str | None = None
        self.feed.open()

    def close(self) -> None:
        """Unsubscribe from the node, on the executor's thread."""
        self.feed.close()
        self.parameters.close()

    @property
    def known(self) -> bool:
        """Whether its parameters (with its pose) are known; reads them if they are not."""
        if not self.parameters.values:
            with contextlib.suppress(MsdepthError):
                self.parameters.read()
        return bool(self.parameters.values)

    def on_changed(self, changed: Callable[[Values], None]) -> None:
        """Call `changed` with changed parameters, on the executor's thread."""
        self._changes.add(changed)

    def off_changed(self, changed: Callable[[Values], None]) -> None:
        """Stop calling `changed`."""
        self._changes.discard(changed)

    def pose(self, frame: ViewedFrame) -> Pose:
        """Return the pose of a frame's camera on the robot."""
        values = self.parameters.values
        found = self._transforms.find(values.get('base_frame', 'base_link'), frame.frame_id)
        return found or camera_pose(values)

    def scan_pose(self, frame: ViewedFrame) -> Pose:
        """Return the pose of the frame_id of a frame's scan."""
        base = self.parameters.values.get('base_frame', 'base_link')
        scan = frame.scan
        found = None if scan is None else self._transforms.find(base, scan[1])
        return found or self.pose(frame).body()

    def _on_changed(self, changes: Values) -> None:
        for changed in list(self._changes):
            changed(changes)


class Cameras:
    """The depth nodes of the graph; call `update` and `close` on the executor's thread.

    Attributes
    ----------
    all : the cameras that are subscribed to, by name.
    """

    def __init__(self, node: Node, wanted: Iterable[str], keep: bool) -> None:
        """Prepare; subscribe to nothing yet.

        Parameters
        ----------
        node : the viewer's node.
        wanted : full names of depth nodes; empty = all nodes called `msdepth`.
        keep : whether the last seconds are kept for a recording.
        """
        self.all: dict[str, ViewedCamera] = {}
        self._node = node
        self._wanted = tuple(wanted)
        self._keep = keep
        self._transforms: TransformTree | None = None
        self._ended = threading.Event()
        self._recorder: threading.Thread | None = None

    def update(self) -> None:
        """Subscribe to new depth nodes, unsubscribe from those that are gone."""
        if self._transforms is None:
            self._open()
        assert self._transforms is not None
        found = set(self._wanted) or self._found()
        cameras = dict(self.all)
        for name in cameras.keys() - found:
            cameras.pop(name).close()
        for name in sorted(found - cameras.keys()):
            cameras[name] = ViewedCamera(self._node, name, self._transforms)
        self.all = dict(sorted(cameras.items()))

    def close(self) -> None:
        """Unsubscribe from everything, until the next `update`."""
        self._ended.set()
        if self._recorder is not None:
            self._recorder.join()
            self._recorder = None
        cameras, self.all = self.all, {}
        for camera in cameras.values():
            camera.close()
        if self._transforms is not None:
            self._transforms.close()
            self._transforms = None

    def _open(self) -> None:
        self._transforms = TransformTree(self._node)
        self._ended = threading.Event()
        if self._keep:
            self._recorder = threading.Thread(
                target=self._record, args=(self._ended,), name='msdepth recorder', daemon=True
            )
            self._recorder.start()

    def _found(self) -> set[str]:
        names = self._node.get_node_names_and_namespaces()
        return {
            f'{namespace.rstrip("/")}/{name}' for name, namespace in names if name == _NODE_NAME
        }

    def _record(self, ended: threading.Event) -> None:
        """Keep the last seconds of all cameras, on the recorder's thread."""
        while not ended.wait(_RECORDER_PERIOD):
            for camera in list(self.all.values()):
                _keep_newest(camera.feed)


def _keep_newest(feed: CameraFeed) -> None:
    frame = feed.frame
    if frame is None or not feed.last_seconds.due(frame.stamp):
        return
    try:
        image, depth, intrinsics = frame.image, frame.depth, frame.intrinsics
    except MsdepthError:  # the page reports it
        return
    usable = image is not None and intrinsics is not None and bool((depth > 0).any())
    if usable and image.shape[:2] == depth.shape:  # type: ignore[union-attr]
        kept: Any = RecordedFrame.encode(frame.stamp, image, depth, intrinsics)  # type: ignore[arg-type]
        feed.last_seconds.add(kept)
