# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The last seconds of a camera, written as a dataset folder when somebody asks for them."""

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

SECONDS = 10.0
INTERVAL = 0.2  # seconds between two frames that are kept
_MOST_BYTES = 64 << 20  # of all frames that wait to be written
_FREE = 1 << 30  # bytes that a recording leaves free on the disk
_MILLIMETRES = 1000.0
_FARTHEST = 65.535  # metres that 16 bits of millimetres hold


@dataclass(frozen=True)
class RecordedFrame:
    """One frame as it will lie in the folder.

    Attributes
    ----------
    stamp : nanoseconds.
    image : a JPEG file's bytes.
    depth : a 16-bit PNG file's bytes, millimetres, 0 invalid.
    intrinsics : of both.
    """

    stamp: int
    image: bytes
    depth: bytes
    intrinsics: Intrinsics

    @classmethod
    def encode(
        cls, stamp: int, image: np.ndarray, depth: np.ndarray, intrinsics: Intrinsics
    ) -> 'RecordedFrame':
        """Encode uint8 [height, width, 3] BGR and float32 [height, width], metres, NaN invalid."""
        known = np.isfinite(depth) & (depth <= _FARTHEST)
        millimetres = np.rint(np.where(known, depth, 0) * _MILLIMETRES).astype(np.uint16)
        jpeg = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
        png = cv2.imencode('.png', millimetres, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]
        return cls(stamp, jpeg.tobytes(), png.tobytes(), intrinsics)

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.image) + len(self.depth)


class LastSeconds:
    """Keeps the frames of the last seconds of one camera, encoded, at most 64 MB of them."""

    def __init__(self, seconds: float = SECONDS, most_bytes: int = _MOST_BYTES) -> None:
        self._seconds = seconds
        self._most_bytes = most_bytes
        self._frames: deque[RecordedFrame] = deque()
        self._lock = threading.Lock()

    def due(self, stamp: int) -> bool:
        """Return whether a frame of this stamp (nanoseconds) is to be kept."""
        with self._lock:
            newest = self._frames[-1].stamp if self._frames else None
        # A clock that went back begins anew.
        return newest is None or stamp < newest or stamp - newest >= INTERVAL * 1e9

    def add(self, frame: RecordedFrame) -> None:
        """Keep a frame; those that are too old, or of another camera, go."""
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
    """Return where recordings go: the XDG data folder."""
    home = environment.get('XDG_DATA_HOME')
    base = Path(home) if home else Path(environment.get('HOME', '~')) / '.local' / 'share'
    return base / 'msdepth_ros' / 'recordings'


def write_recording(parent: Path, name: str, frames: list[RecordedFrame]) -> Path:
    """Write frames as a dataset folder: rgb/, depth/ and camera.yaml.

    Parameters
    ----------
    parent : the folder to make it in.
    name : of the camera; the time is added.
    frames : of one camera.

    Returns
    -------
    The new folder, which `msdepth evaluate` and camera_player read.

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
            raise MsdepthError(f'{parent}: less than 1 GB is free: make room first')
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
