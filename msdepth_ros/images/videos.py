# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Videos as upright 8-bit colour, read with PyAV.

Unlike OpenCV, PyAV gives the orientation and the real rate of a video whose rate varies or is
wrong, and reports that a file is truncated.
"""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from msdepth_ros.errors import ImageError

_FASTEST = 500.0  # Hz; a higher rate is the container's clock, not the camera's
_MISSING = 0.01  # largest fraction of a video's length that may be missing


@dataclass(frozen=True)
class VideoFacts:
    """What a video's header says.

    Attributes
    ----------
    rate : frames per second, the mean if it varies; 0: not known.
    count : number of frames, estimated if only the length is known; 0: not known.
    length : seconds; 0: not known.
    """

    rate: float
    count: int
    length: float


def video_facts(path: Path) -> VideoFacts:
    """Return what a video's header says.

    Raises
    ------
    ImageError
        If it is not a video, or its header is missing because the recording was interrupted.
    """
    with _opened(path) as (container, stream):
        return _facts(container, stream)


def read_video(path: Path) -> Iterator[np.ndarray]:
    """Yield a video's frames, uint8 [height, width, 3] BGR, upright.

    Raises
    ------
    ImageError
        If it is not a video, or has no frame. Also after the last frame, if some were damaged
        (these are skipped) or some are missing at the end.
    """
    count, damaged, end = 0, 0, 0.0
    with _opened(path) as (container, stream):
        facts = _facts(container, stream)
        start = float((stream.start_time or 0) * stream.time_base)
        period = 1 / facts.rate if facts.rate else 0.0
        for frame in _decoded(container, stream):
            if frame is None or frame.is_corrupt:
                damaged += 1
                continue
            count += 1
            shown = float((getattr(frame, 'duration', 0) or 0) * (frame.time_base or 0))
            end = max(end, (frame.time or 0.0) - start + max(shown, period))
            image = np.rot90(frame.to_ndarray(format='bgr24'), _quarter_turns(frame, stream))
            yield np.ascontiguousarray(image)
        announced = int(stream.frames)
    if not count:
        raise ImageError(f'{path} has no frame that can be decoded')
    if damaged:
        raise ImageError(
            f'{path} is damaged or truncated: frames that cannot be decoded: {damaged}; the other '
            f'{count} are used'
        )
    if count < announced * (1 - _MISSING) or end + period / 2 < facts.length * (1 - _MISSING):
        of = f'{announced} frames' if announced else f'{facts.length:.1f} s'
        raise ImageError(
            f'{path} is truncated: it ends after {count} frames ({end:.1f} s) of {of}; these are '
            'used'
        )


def _quarter_turns(frame: Any, stream: Any) -> int:
    """Return how many quarter turns counterclockwise make a frame upright."""
    clockwise = int(stream.metadata.get('rotate', 0))  # where PyAV is older than 13
    return round(getattr(frame, 'rotation', -clockwise) / 90) % 4


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    """Yield a stream's frames, None for each packet that cannot be decoded."""
    import av

    packet, packets = None, container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                return
            frames = packet.decode()
        except av.error.EOFError:
            return
        except (av.error.FFmpegError, OSError, ValueError):
            yield None
            if packet is None:
                return
            continue
        yield from frames


def _facts(container: Any, stream: Any) -> VideoFacts:
    length = 0.0
    tag = re.fullmatch(r'(\d+):(\d+):([\d.]+)', stream.metadata.get('DURATION', ''))
    if stream.duration:
        length = float(stream.duration * stream.time_base)
    elif tag:  # Matroska's, of each stream
        length = int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3])
    elif container.duration and len(container.streams) == 1:
        length = container.duration / 1e6
    rate = _plausible(stream.average_rate)
    if not rate and length > 0:
        rate = _plausible(stream.frames / length)
    if not rate:
        rate = _plausible(stream.guessed_rate)
    return VideoFacts(rate, int(stream.frames) or round(length * rate), length)


def _plausible(rate: Any) -> float:
    """Return a rate in Hz, 0 if there is none or it is implausible."""
    number = float(rate or 0)
    return number if 0 < number <= _FASTEST else 0.0


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """Open a video file and choose its video stream."""
    try:
        import av
    except ImportError as error:
        raise ImageError(f'{path}: videos are read with PyAV: `pip install av`') from error
    try:
        file = path.open('rb')  # PyAV itself takes no name that is not UTF-8
    except OSError as error:
        raise ImageError(f'cannot read {path}: {error.strerror}') from error
    with file:
        try:
            container = av.open(file)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise ImageError(
                f'{path} is not an image or a video that can be read{_truncated(file)}'
            ) from error
        with container:
            stream: Any = container.streams.best('video')
            if stream is None:
                raise ImageError(f'{path} has no video stream{_truncated(file)}')
            stream.thread_type = 'AUTO'
            yield container, stream


def _truncated(file: BinaryIO) -> str:
    """Return the likely cause for an MP4 without frames: its index is written last."""
    file.seek(0)
    if file.read(12)[4:8] != b'ftyp':
        return ''
    return ' (it seems to be truncated: the recorder stopped before it wrote the index)'
