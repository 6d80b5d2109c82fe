# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The page's large view: the clouds in 3D with the robot, or one picture."""

from typing import Any

import cv2
import numpy as np
import viser

from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.viewer.cameras import ViewedCamera
from msdepth_ros.viewer.frame import ViewedFrame
from msdepth_ros.viewer.pacing import Quality
from msdepth_ros.viewer.picking import letterbox
from msdepth_ros.viewer.pose import Pose

_GRID = 20.0  # width and height of the grid, metres
_METRES = (1, 2, 3, 4, 5, 6, 8, 10)  # distances with a label on the floor
_POINT = 2.0  # size of a point times the square root of the number of points, metres
_LARGEST = 0.04  # greatest size of a point, metres
_BEAM = 0.03  # size of a scan's point, metres
_FRUSTUM = 0.15
_BEAMS = 200  # number of points of a scan
_SCAN_COLOR = (255, 64, 64)
_MEASUREMENTS, _MEASUREMENT = 100, 0.05  # number shown, and their size in metres
_MEASURED = {'used': (40, 200, 80), 'rejected': (240, 140, 0)}  # their colours
_PICK_COLOR = (255, 0, 200)
_EYE, _LOOK_AT = (-2.0, -1.4, 2.0), (2.2, 0.0, 0.7)  # metres, in the robot's frame


class SceneView:
    """The 3D view of one page, or the picture that covers it."""

    def __init__(self, client: viser.ClientHandle) -> None:
        self._client = client
        self._scene = client.scene
        self._handles: dict[str, Any] = {}
        self._picture = False
        self._scene.set_up_direction('+z')
        self._scene.add_grid(
            '/floor',
            width=_GRID,
            height=_GRID,
            cell_size=0.5,
            cell_thickness=0.4,
            section_thickness=0.8,
            section_size=1.0,
            cell_color=(150, 150, 150),
            section_color=(110, 110, 110),
        )
        for metre in _METRES:
            self._scene.add_label(f'/floor/{metre}', f'{metre} m', position=(metre, 0.0, 0.0))
        self._scene.add_frame('/robot', axes_length=0.3, axes_radius=0.008)
        self._scene.add_label('/robot/name', 'robot', position=(0.0, 0.0, 0.05))
        client.camera.position, client.camera.look_at = _EYE, _LOOK_AT

    def show_space(
        self, camera: ViewedCamera, frame: ViewedFrame, picture: np.ndarray | None, points: int
    ) -> None:
        """Show a frame in 3D.

        Parameters
        ----------
        camera, frame : the frame to show, and its camera.
        picture : uint8 [height, width, 3] BGR, shown in the camera's frustum; None: none.
        points : greatest number of points of the cloud.
        """
        self.cover(None)
        name = f'/cameras/{camera.title}'
        self._place(name, camera.pose(frame))
        self._cloud(f'{name}/cloud', *frame.cloud, points, min(_LARGEST, _POINT / points**0.5))
        for kind, measured in zip(_MEASURED, frame.measurements):
            color = np.array(_MEASURED[kind], np.uint8)
            self._cloud(f'{name}/{kind}', measured, color, _MEASUREMENTS, _MEASUREMENT)
        if frame.intrinsics is not None:
            self._frustum(f'{name}/frustum', frame.intrinsics, picture)
        if frame.scan is not None:
            scan_name = f'/scans/{camera.title}'
            self._place(scan_name, camera.scan_pose(frame))
            color = np.array(_SCAN_COLOR, np.uint8)
            self._cloud(f'{scan_name}/scan', frame.scan[0], color, _BEAMS, _BEAM)

    def cover(self, picture: np.ndarray | None, quality: Quality | None = None) -> None:
        """Cover the view with a picture, uint8 [height, width, 3] BGR; None shows 3D again."""
        if picture is None:
            if self._picture:
                self._scene.set_background_image(None)
                self._scene.set_global_visibility(True)
            self._picture = False
            return
        if not self._picture:
            self._scene.set_global_visibility(False)
        self._picture = True
        height, width = picture.shape[:2]
        page_width, page_height, left, top = letterbox((width, height), self._client.camera.aspect)
        page = np.zeros((page_height, page_width, 3), np.uint8)
        page[top : top + height, left : left + width] = picture[..., ::-1]
        jpeg = 75 if quality is None else quality.jpeg
        self._scene.set_background_image(page, format='jpeg', jpeg_quality=jpeg)

    def mark(self, place: np.ndarray | None, text: str = '') -> None:
        """Mark a point, [3] metres in the robot's frame; None removes the mark."""
        for name in ('/pick', '/pick/text'):
            if name in self._handles:
                self._handles.pop(name).remove()
        if place is not None:
            x, y, z = (float(value) for value in place)
            self._handles['/pick'] = self._scene.add_icosphere(
                '/pick', radius=0.03, color=_PICK_COLOR, position=(x, y, z)
            )
            self._scene.add_label('/pick/text', text, position=(0.0, 0.0, 0.08))

    def forget(self, title: str) -> None:
        """Remove everything of a camera."""
        for top in (f'/cameras/{title}', f'/scans/{title}'):
            if top in self._handles:
                self._handles[top].remove()  # and everything below it
            for name in [name for name in self._handles if f'{name}/'.startswith(f'{top}/')]:
                del self._handles[name]

    def _place(self, name: str, pose: Pose) -> None:
        handle = self._handles.get(name)
        if handle is None:
            self._handles[name] = self._scene.add_frame(
                name, show_axes=False, wxyz=pose.wxyz, position=pose.position
            )
            return
        if not np.array_equal(handle.position, pose.position):
            handle.position = pose.position
        if not np.array_equal(handle.wxyz, pose.wxyz):
            handle.wxyz = pose.wxyz

    def _cloud(self, name: str, xyz: np.ndarray, rgb: np.ndarray, count: int, size: float) -> None:
        handle = self._handles.get(name)
        if not len(xyz):
            if handle is not None and handle.visible:
                handle.visible = False
            return
        xyz, rgb = resampled(xyz, rgb, count)
        if handle is None or len(handle.points) != count:
            self._handles[name] = self._scene.add_point_cloud(
                name, xyz, rgb, point_size=size, point_shape='circle', point_shading='flat'
            )
            return
        handle.points = xyz.astype(np.float16)
        if rgb.ndim == 2:
            handle.colors = rgb
        if not handle.visible:
            handle.visible = True

    def _frustum(self, name: str, intrinsics: Intrinsics, picture: np.ndarray | None) -> None:
        handle = self._handles.get(name)
        rgb = None if picture is None else np.ascontiguousarray(picture[..., ::-1])
        if handle is None:
            self._handles[name] = self._scene.add_camera_frustum(
                name,
                fov=2 * float(np.arctan(intrinsics.height / (2 * intrinsics.fy))),
                aspect=intrinsics.width / intrinsics.height,
                scale=_FRUSTUM,
                thickness=1.5,
                thickness_units='screen',
                image=rgb,
                format='jpeg',
                color=(60, 130, 220),
            )
        elif rgb is not None:
            handle.image = rgb


def resampled(xyz: np.ndarray, rgb: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return exactly `count` points, evenly chosen (some twice if there are fewer), with colours.

    The browser updates a cloud in place if its size stays the same.
    """
    taken = np.linspace(0, len(xyz) - 1, count).round().astype(np.intp)
    return xyz[taken], rgb[taken] if rgb.ndim == 2 else rgb


def reduced(image: np.ndarray, width: int, smooth: bool = True) -> np.ndarray:
    """Return an image of at most `width` pixels; with `smooth` False, values are not mixed."""
    if image.shape[1] <= width:
        return image
    size = width, max(1, round(image.shape[0] * width / image.shape[1]))
    way = cv2.INTER_AREA if smooth else cv2.INTER_NEAREST_EXACT
    return cv2.resize(image, size, interpolation=way)
