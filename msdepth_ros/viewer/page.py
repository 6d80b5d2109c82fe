# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One open page, and the thread that sends its updates."""

import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import viser

from msdepth_ros.errors import MsdepthError
from msdepth_ros.images.pictures import colorize
from msdepth_ros.viewer.cameras import Cameras, ViewedCamera
from msdepth_ros.viewer.clicks import Clicks, Shown
from msdepth_ros.viewer.controls import Controls
from msdepth_ros.viewer.frame import ViewedFrame
from msdepth_ros.viewer.layout import CAMERA, CONFIDENCE, DEPTH, SPACE, Layout
from msdepth_ros.viewer.node_parameters import Values
from msdepth_ros.viewer.pacing import Pace, Quality
from msdepth_ros.viewer.recording import write_recording
from msdepth_ros.viewer.scene import SceneView, reduced
from msdepth_ros.viewer.tape_panel import TapePanel
from msdepth_ros.viewer.words import (
    confidence_picture,
    diagnostics_html,
    picture_html,
    status_html,
)

_logger = logging.getLogger(__name__)
_REPLY = 10.0  # seconds without a reply after which a page counts as asleep
_IDLE = 0.5  # seconds between two checks while no frames arrive
_STATUS_PERIOD = 1.0  # seconds
_SMALL = 160  # width in pixels of the pictures in the frustums of other cameras
_DARK = 'msdepth dark'  # key of the browser's local storage


@dataclass(frozen=True)
class Options:
    """Options of all pages.

    Attributes
    ----------
    read_only : whether pages set no parameters and write no files.
    recordings : folder for recordings.
    """

    read_only: bool
    recordings: Path


class Page:
    """One page in one browser.

    Attributes
    ----------
    awake : whether the page shows its updates; a page in a hidden tab does not.
    """

    def __init__(self, client: viser.ClientHandle, cameras: Cameras, options: Options) -> None:
        self.awake = True
        self._client = client
        self._cameras = cameras
        self._options = options
        self._pace = Pace()
        self._closed = threading.Event()
        self._camera: ViewedCamera | None = None
        self._pending: dict[str, Any] = {}
        self._controls: Controls | None = None
        self._tape: TapePanel | None = None
        self._titles: tuple[str, ...] = ()
        self._resend = False
        self._status_due = 0.0
        self._thread = threading.Thread(target=self._run, name='msdepth page', daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """End the thread, without waiting for it."""
        self._closed.set()
        if self._camera is not None:
            self._camera.off_changed(self._on_changed)

    # The page's own thread.

    def _run(self) -> None:
        built = False
        while not self._closed.is_set():
            try:
                if not built:
                    self._build()
                    built = True
                if not self._update():
                    return
            except Exception as error:
                if self._closed.wait(_IDLE):
                    return  # the page was closed meanwhile
                _logger.exception('a page could not be updated: %r', error)

    def _update(self) -> bool:
        """Send an update and wait until the page shows it; return False when it is closed."""
        self._choose_camera()
        camera, frame = self._camera, self._newer_frame()
        started = time.monotonic()
        with self._client.atomic():
            if camera is not None and frame is not None:
                self._send(camera, frame)
            self._send_status()
        if not self._replied():
            return False
        if frame is not None:
            self._closed.wait(self._pace.shown(time.monotonic() - started))
        return True

    def _replied(self) -> bool:
        """Wait until the page has shown the update; return False when it is closed.

        The page replies to a request for its storage after everything sent before. A page in a
        hidden tab does not reply: it is sent nothing, and nothing is subscribed to for it. Its
        reply is then waited for without a limit: a slow page would miss each limit anew.
        """
        while not self._closed.is_set():
            try:
                limit = _REPLY if self.awake else None
                self._client.local_storage.get_item(_DARK, timeout=limit)
            except TimeoutError:
                self.awake = False
                continue
            except RuntimeError:  # it is closed, or its browser has no storage: also a reply
                if self._closed.wait(0.1):
                    return False
            self.awake = True
            return True
        return False

    def _newer_frame(self) -> ViewedFrame | None:
        """Return a frame that the page does not show yet; wait up to _IDLE for one."""
        shown, resend = self._clicks.shown, self._resend
        self._resend = False
        if self._camera is None:
            self._closed.wait(_IDLE)
            return None
        same = shown is not None and shown.camera is self._camera and not resend
        before = shown.frame.stamp if shown is not None and same else -1
        return self._camera.feed.wait_for_newer(before, _IDLE)

    def _send(self, camera: ViewedCamera, frame: ViewedFrame) -> None:
        quality = self._pace.quality
        try:
            self._show(camera, frame, quality)
        except MsdepthError as error:
            self._say('Cannot show a frame', str(error), True)
        self._show_others(camera, quality)

    def _show(self, camera: ViewedCamera, frame: ViewedFrame, quality: Quality) -> None:
        pictures = _pictures(frame, quality.width)
        height, width = pictures[DEPTH].shape[:2]
        self._clicks.shown = Shown(camera, frame, (width, height))
        for name, picture in pictures.items():
            self._layout.pictures[name].content = picture_html(picture, quality.jpeg, name)
        self._layout.confidence.visible = CONFIDENCE in pictures
        view = self._layout.view.value
        if view == SPACE or view not in pictures:
            share = max(1, len(self._cameras.all))
            self._scene.show_space(camera, frame, pictures.get(CAMERA), quality.points // share)
        else:
            self._scene.cover(self._clicks.marked(pictures[view]), quality)

    def _show_others(self, chosen: ViewedCamera, quality: Quality) -> None:
        """Show the clouds of the other cameras."""
        if self._layout.view.value != SPACE:
            return
        cameras = self._cameras.all.values()
        others = [camera for camera in cameras if camera is not chosen and camera.known]
        for camera in others:
            frame = camera.feed.frame
            if frame is not None:
                picture = None if frame.image is None else reduced(frame.image, _SMALL)
                self._scene.show_space(camera, frame, picture, quality.points // (1 + len(others)))

    def _send_status(self) -> None:
        pending, self._pending = self._pending, {}
        if pending and self._controls is not None:
            self._controls.show(pending)
        if self._tape is not None and pending:
            self._tape.refresh()
        now = time.monotonic()
        if now < self._status_due:
            return
        self._status_due = now + _STATUS_PERIOD
        if self._camera is None:
            self._layout.status.content = status_html('STALE', 'no depth node is running')
            return
        diagnostics = self._camera.feed.diagnostics
        self._layout.status.content = status_html(diagnostics.level, diagnostics.message)
        self._layout.details.content = diagnostics_html(diagnostics.values, self._pace.delay)

    # The choice of the camera.

    def _choose_camera(self) -> None:
        cameras = self._cameras.all
        titles = tuple(camera.title for camera in cameras.values())
        if titles != self._titles:
            for gone in set(self._titles) - set(titles):
                self._scene.forget(gone)
            self._titles = titles
            self._layout.name_cameras(titles)
        wanted = next(
            (camera for camera in cameras.values() if camera.title == self._layout.menu.value),
            next(iter(cameras.values()), None),
        )
        if wanted is not self._camera and self._listen(wanted):
            self._camera = wanted

    def _listen(self, camera: ViewedCamera | None) -> bool:
        """Make the widgets for a camera's parameters; False while its node does not reply."""
        if camera is not None:
            try:
                camera.parameters.read()
            except MsdepthError as error:
                self._layout.status.content = status_html('STALE', str(error))
                return False
        if self._camera is not None:
            self._camera.off_changed(self._on_changed)
        self._layout.clear_node()
        self._controls = self._tape = None
        if camera is not None:
            read_only = self._options.read_only
            with self._layout.tune:
                self._controls = Controls(
                    self._client.gui, camera.parameters, self._on_refused, read_only
                )
            with self._layout.tape:
                self._tape = TapePanel(
                    self._client.gui,
                    camera.parameters,
                    lambda: self._clicks.distance(camera),
                    self._say,
                    read_only,
                )
            camera.on_changed(self._on_changed)
        return True

    def _build(self) -> None:
        client = self._client
        self._layout = Layout(client.gui, self._options.read_only, self._stored_dark())
        self._scene = SceneView(client)
        layout = self._layout
        layout.dark.on_update(lambda _: self._set_dark(layout.dark.value))
        layout.view.on_update(lambda _: self._refresh())
        layout.record.on_click(lambda _: self._record())
        self._clicks = Clicks(client, self._cameras, layout, self._scene, self._refresh)

    def _set_dark(self, dark: bool) -> None:
        self._layout.set_theme(dark)
        self._client.local_storage.set_item(_DARK, str(dark))

    def _stored_dark(self) -> bool:
        try:
            return self._client.local_storage.get_item(_DARK, timeout=_REPLY) == 'True'
        except (RuntimeError, TimeoutError):
            return False

    def _refresh(self) -> None:
        """Send the present frame again."""
        self._resend = True

    # Events of the widgets, on viser's threads.

    def _record(self) -> None:
        camera = self._camera
        try:
            if camera is None:
                raise MsdepthError('no camera is shown: start a depth node')
            frames = camera.feed.last_seconds.frames()
            folder = write_recording(self._options.recordings, camera.name, frames)
        except MsdepthError as error:
            self._say('Not recorded', str(error), True)
        else:
            self._say('Recorded', f'{len(frames)} frames in {folder}', False)

    def _on_changed(self, changes: Values) -> None:
        self._pending.update(changes)

    def _on_refused(self, name: str, reason: str) -> None:
        self._say(f'{name} was rejected', reason, True)

    def _say(self, title: str, text: str, wrong: bool) -> None:
        self._client.add_notification(
            title, text, auto_close_seconds=15.0, color='red' if wrong else 'green'
        )


def _pictures(frame: ViewedFrame, width: int) -> dict[str, np.ndarray]:
    """Return the available pictures of a frame, uint8 [height, width, 3] BGR, by name."""
    pictures = {DEPTH: colorize(reduced(frame.depth, width, smooth=False))}
    if frame.image is not None:
        pictures[CAMERA] = reduced(frame.image, width)
    if frame.confidence is not None:
        pictures[CONFIDENCE] = confidence_picture(reduced(frame.confidence, width, smooth=False))
    return pictures
