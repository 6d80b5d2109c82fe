# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A depth frame as the messages that the node would publish, serialised without ROS."""

import sys
from typing import Any

import numpy as np

from msdepth_ros.geometry.cloud import point_cloud
from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.inference.frame import DepthFrame

# The node's topics with its default parameters.
TOPICS = {
    '/depth/image_rect': 'sensor_msgs/msg/Image',
    '/depth/camera_info': 'sensor_msgs/msg/CameraInfo',
    '/points': 'sensor_msgs/msg/PointCloud2',
}
_FLOAT32 = 7  # PointField.FLOAT32


class DepthMessages:
    """Makes messages with the types of a rosbags type store."""

    def __init__(self, types: Any) -> None:
        self._types = types

    def of(self, frame: DepthFrame, header: Any) -> dict[str, Any]:
        """Return a frame's messages by topic; without calibration only the depth.

        Parameters
        ----------
        frame : the depth.
        header : header of the image, used for all messages.

        Returns
        -------
        The messages, serialised (CDR), by topic of TOPICS.
        """
        depth = frame.full_depth()
        messages = {'/depth/image_rect': self._depth(depth, header)}
        if frame.camera_intrinsics is not None and frame.intrinsics is not None:
            messages['/depth/camera_info'] = self._info(frame.camera_intrinsics, header)
            points = point_cloud(frame.depth, frame.intrinsics, frame.colors())
            messages['/points'] = self._points(points, header)
        serialize = self._types.serialize_cdr
        return {topic: serialize(message, TOPICS[topic]) for topic, message in messages.items()}

    def _make(self, kind: str, **fields: Any) -> Any:
        return self._types.types[f'sensor_msgs/msg/{kind}'](**fields)

    def _depth(self, depth: np.ndarray, header: Any) -> Any:
        height, width = depth.shape
        return self._make(
            'Image', header=header, height=height, width=width, encoding='32FC1',
            is_bigendian=sys.byteorder == 'big', step=4 * width, data=_bytes(depth),
        )  # fmt: skip

    def _info(self, i: Intrinsics, header: Any) -> Any:
        """Return the CameraInfo of a rectified image: D empty, R identity, K equal to P."""
        k = (i.fx, 0, i.cx, 0, i.fy, i.cy, 0, 0, 1)
        p = (i.fx, 0, i.cx, 0, 0, i.fy, i.cy, 0, 0, 0, 1, 0)
        return self._make(
            'CameraInfo', header=header, height=i.height, width=i.width,
            distortion_model='plumb_bob', d=np.empty(0), k=np.array(k, np.float64),
            r=np.eye(3).ravel(), p=np.array(p, np.float64), binning_x=0, binning_y=0,
            roi=self._make('RegionOfInterest', x_offset=0, y_offset=0, height=0, width=0,
                           do_rectify=False),
        )  # fmt: skip

    def _points(self, points: np.ndarray, header: Any) -> Any:
        height, width, _ = points.shape
        fields = [
            self._make('PointField', name=name, offset=4 * index, datatype=_FLOAT32, count=1)
            for index, name in enumerate(('x', 'y', 'z', 'rgb'))
        ]
        return self._make(
            'PointCloud2', header=header, height=height, width=width, fields=fields,
            is_bigendian=sys.byteorder == 'big', point_step=16, row_step=16 * width,
            data=_bytes(points), is_dense=bool(np.isfinite(points[..., 2]).all()),
        )  # fmt: skip


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8)
