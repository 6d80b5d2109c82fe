# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The camera's mount for each frame, without waiting for TF."""

import threading
import time
from typing import Any

from rclpy.node import Node

from msdepth_ros.errors import MsdepthError
from msdepth_ros.node.mount import Mount, mount_from_tf, mount_from_values

_RETRY = 5.0  # seconds after which TF is asked again


class Mounts:
    """Takes the mount from the parameters, or asks TF for it on a background thread."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._found: dict[tuple[str, str], Mount] = {}
        self._why = 'TF was not asked yet'
        self._asked = -float('inf')
        self._thread: threading.Thread | None = None

    def of(self, values: dict[str, Any], camera_frame: str) -> Mount:
        """Return the mount of the camera whose images have this frame_id.

        Raises
        ------
        MsdepthError
            If it is not known yet; TF is then asked in the background.
        """
        mount = self.known(values, camera_frame)
        if mount is not None:
            return mount
        busy = self._thread is not None and self._thread.is_alive()
        if not busy and time.monotonic() - self._asked > _RETRY:
            self._asked = time.monotonic()
            frames = values['base_frame'], camera_frame
            self._thread = threading.Thread(target=self._ask, args=frames, daemon=True)
            self._thread.start()
        raise MsdepthError(
            f"the camera's mount is not known, set camera_pose or publish it in TF ({self._why})"
        )

    def known(self, values: dict[str, Any], camera_frame: str) -> Mount | None:
        """Return the mount, None while it is not known."""
        return mount_from_values(values) or self._found.get((values['base_frame'], camera_frame))

    def _ask(self, base_frame: str, camera_frame: str) -> None:
        try:
            self._found[base_frame, camera_frame] = mount_from_tf(
                self._node, base_frame, camera_frame
            )
        except Exception as error:
            self._why = str(error) if isinstance(error, MsdepthError) else repr(error)
