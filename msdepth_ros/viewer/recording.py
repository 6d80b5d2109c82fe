# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The last seconds of a camera, which can be written as a dataset folder."""

import os
import shutil
import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np

from msdepth_ros.errors import MsdepthError
from msdepth_ros.geometry.camera import Camera
from msdepth_ros.geometry.pinhole import Intrinsics

SECONDS = 10.0  # duration of a recording
INTERVAL = 0.2  # seconds between two kept frames
_MOST_BYTES = 64 << 20  # of all kept frames
_FREE = 1 << 30  # bytes that must stay free on the disk
_MILLIMETRES = 1000.0
_FARTHEST = 65.535  # metres, the largest depth in 16 bits of millimetres


@dataclass(frozen=True)
class RecordedFrame:
    """One frame as it is written into the folder.

    Attributes
    ----------
    stamp : nanoseconds.
    image : bytes of a JPEG file.
    depth : bytes of a 16-bit PNG file, millimetres, 0 invalid.
    intrinsics : intrinsics of both.
    """

    stamp: int
    image: bytes
    depth: bytes
    intrinsics: Intrinsics

    @classmethod
    def encode(
        cls, stamp: int, image: np.ndarray, depth: np.ndarray, intrinsics: Intrinsics
    ) -> 'RecordedFrame':
        """Encode an image (uint8 [h, w, 3] BGR) and depth (float32 [h, w] metres, NaN invalid)."""
        known = np.isfinite(depth) & (depth <= _FARTHEST)
        millimetres = np.rint(np.where(known, depth, 0) * _MILLIMETRES).astype(np.uint16)
        jpeg = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
        png = cv2.imencode('.png', millimetres, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]
        return cls(stamp, jpeg.tobytes(), png.tobytes(), intrinsics)

    @property
    def size(self) -> int:
        """Size in bytes."""
        return len(self.image) + len(self.depth)


class LastSeconds:
    """Keeps the encoded frames of the last seconds of one camera, at most `most_bytes`."""

    def __init__(self, seconds: float = SECONDS, most_bytes: int = _MOST_BYTES) -> None:
        self._seconds = seconds
        self._most_bytes = most_bytes
        self._frames: deque[RecordedFrame] = deque()
        self._lock = threading.Lock()

    def due(self, stamp: int) -> bool:
        """Return whether a frame with this stamp (nanoseconds) is to be kept."""
        with self._lock:
            newest = self._frames[-1].stamp if self._frames else None
        # After a jump of the clock backwards it starts anew.
        return newest is None or stamp < newest or stamp - newest >= INTERVAL * 1e9

    def add(self, frame: RecordedFrame) -> None:
        """Keep a frame; drop frames that are too old or have other intrinsics."""
        with self._lock:
            frames = self._frames
            if frames and (
                frame.stamp <= frames[-1].stamp or frame.intrinsics != frames[-1].intrinsics
            ):
                frames.clear()
            frames.append(frame)
            oldest = frame.stamp - self._seconds * 1e9
            while frames[0].stamp < oldest or (
                len(frames) > 1 and sum(f.size for f in frames) > self._most_bytes
            ):
                frames.popleft()

    def clear(self) -> None:
        """Forget all frames."""
        with self._lock:
            self._frames.clear()

    def frames(self) -> list[RecordedFrame]:
        """Return the frames kept, oldest first."""
        with self._lock:
            return list(self._frames)


def recordings_folder(environment: 'os._Environ[str] | dict[str, str]' = os.environ) -> Path:
    """Return the default folder for recordings, in the XDG data folder."""
    home = environment.get('XDG_DATA_HOME')
    base = Path(home) if home else Path(environment.get('HOME', '~')) / '.local' / 'share'
    return base / 'msdepth_ros' / 'recordings'


def write_recording(parent: Path, name: str, frames: list[RecordedFrame]) -> Path:
    """Write frames as a dataset folder: rgb/, depth/ and camera.yaml.

    Parameters
    ----------
    parent : folder in which to create it.
    name : name of the camera; the time is added.
    frames : frames of one camera.

    Returns
    -------
    The new folder, for `msdepth evaluate` and camera_player.

    Raises
    ------
    MsdepthError
        If there are no frames, the disk is nearly full, or the folder cannot be written.
    """
    if not frames:
        raise MsdepthError('nothing to record yet: a calibrated camera must send images first')
    title = '_'.join(filter(None, name.split('/')))
    folder = parent / f'{title}_{datetime.now():%Y-%m-%d_%H-%M-%S}'
    try:
        parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(parent).free < _FREE + sum(frame.size for frame in frames):
            raise MsdepthError(f'{parent}: less than 1 GB is free: free some space first')
        for part in ('rgb', 'depth'):
            (folder / part).mkdir(parents=True)
        for frame in frames:
            (folder / 'rgb' / f'{frame.stamp}.jpg').write_bytes(frame.image)
            (folder / 'depth' / f'{frame.stamp}.png').write_bytes(frame.depth)
        i = frames[0].intrinsics
        camera = Camera.pinhole(i.width, i.height, i.fx, i.fy, i.cx, i.cy)
        (folder / 'camera.yaml').write_text(camera.to_yaml(), encoding='utf-8')
    except OSError as error:
        raise MsdepthError(f'cannot write {folder}: {error.strerror}') from error
    return folder
