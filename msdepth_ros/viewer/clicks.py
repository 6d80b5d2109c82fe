# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Clicks on a page: the point there, its distance and its height."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import viser

from msdepth_ros.viewer.cameras import Cameras, ViewedCamera
from msdepth_ros.viewer.frame import ViewedFrame
from msdepth_ros.viewer.layout import SPACE, Layout
from msdepth_ros.viewer.picking import Pick, pick_pixel, pick_point, pixel_at
from msdepth_ros.viewer.scene import SceneView
from msdepth_ros.viewer.words import pick_html


@dataclass(frozen=True)
class Shown:
    """What a page shows now.

    Attributes
    ----------
    camera : the chosen camera.
    frame : its frame.
    size : (width, height) of the picture, pixels.
    """

    camera: ViewedCamera
    frame: ViewedFrame
    size: tuple[int, int]


class Clicks:
    """The last point clicked on, on one page.

    Attributes
    ----------
    shown : what the page shows; set by the page.
    """

    def __init__(
        self,
        client: viser.ClientHandle,
        cameras: Cameras,
        layout: Layout,
        scene: SceneView,
        refresh: Callable[[], None],
    ) -> None:
        """Handle clicks; `refresh` draws the page anew."""
        self.shown: Shown | None = None
        self._client = client
        self._cameras = cameras
        self._layout = layout
        self._scene = scene
        self._refresh = refresh
        self._pick: tuple[ViewedCamera, Pick] | None = None
        client.scene.on_click()(self._on_click)

    def distance(self, camera: ViewedCamera) -> float | None:
        """Return the distance of the point, metres; None if it is of another camera, or none."""
        if self._pick is None or self._pick[0] is not camera:
            return None
        return self._pick[1].distance

    def marked(self, picture: np.ndarray) -> np.ndarray:
        """Return a picture with a cross at the point clicked on."""
        shown = self.shown
        if shown is None or self._pick is None or self._pick[0] is not shown.camera:
            return picture
        pixel = self._pick[1].pixel
        if pixel is None:
            return picture
        height, width = shown.frame.depth.shape
        place = (pixel[0] * picture.shape[1] // width, pixel[1] * picture.shape[0] // height)
        marked = picture.copy()
        for color, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
            cv2.drawMarker(marked, place, color, cv2.MARKER_CROSS, 18, thickness)
        return marked

    def _on_click(self, event: Any) -> None:
        shown = self.shown
        if shown is None:
            return
        if self._layout.view.value == SPACE:
            found = self._pick_in_space(event)
            if found is None:
                return
            self._take(*found)
        else:
            frame = shown.frame
            size = frame.depth.shape[1], frame.depth.shape[0]
            place = float(event.screen_pos[0]), float(event.screen_pos[1])
            pixel = pixel_at(place, shown.size, self._client.camera.aspect, size)
            if pixel is not None:
                pick = pick_pixel(frame.depth, frame.intrinsics, pixel)
                self._take(shown.camera, frame, pick)

    def _pick_in_space(self, event: Any) -> tuple[ViewedCamera, ViewedFrame, Pick] | None:
        """Return the first point on the ray of a click, in the clouds of all cameras."""
        origin, direction = np.array(event.ray_origin), np.array(event.ray_direction)
        found = []
        for camera in self._cameras.all.values():
            frame = camera.feed.frame
            if frame is None:
                continue
            ray = camera.pose(frame).inverse_ray(origin, direction)
            pick = pick_point(frame.cloud[0], *ray)
            if pick is not None and pick.position is not None:
                found.append((float((pick.position - ray[0]) @ ray[1]), camera, frame, pick))
        return min(found, key=lambda item: item[0])[1:] if found else None

    def _take(self, camera: ViewedCamera, frame: ViewedFrame, pick: Pick | None) -> None:
        self._pick = None if pick is None else (camera, pick)
        height = confidence = place = None
        if pick is not None and pick.position is not None:
            pose = camera.pose(frame)
            place = pose.apply(pick.position)
            height = float(place[2]) if pose.source else None
        if pick is not None and pick.pixel is not None and frame.confidence is not None:
            u, v = pick.pixel
            confidence = float(frame.confidence[v, u])
        title = camera.title if len(self._cameras.all) > 1 else ''
        self._layout.words.content = pick_html(pick, height, confidence, title)
        text = '' if pick is None or pick.distance is None else f'{pick.distance:.2f} m'
        self._scene.mark(place, text)
        self._refresh()
