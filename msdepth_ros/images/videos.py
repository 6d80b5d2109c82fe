# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Videos as upright 8-bit colour, read with PyAV, which says what OpenCV does not.

That is: which way is up, which rate a video with a variable or absurd one really has, and that a
file ends before its time.
"""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from msdepth_ros.errors import ImageError

_FASTEST = 500.0  # Hz; a rate beyond is a container's clock, not a camera's
_MISSING = 0.01  # share of a video's length that may be missing before it is said


@dataclass(frozen=True)
class VideoFacts:
    """What a video's header says.

    Attributes
    ----------
    rate : frames a second, on average where it varies; 0 = not known.
    count : number of frames, an estimate where only the length is known; 0 = not known.
    length : seconds, 0 = not known.
    """

    rate: float
    count: int
    length: float


def video_facts(path: Path) -> VideoFacts:
    """Return what a video's header says.

    Raises
    ------
    ImageError
        If it is no video, or one that was cut before its header was written.
    """
    with _opened(path) as (container, stream):
        return _facts(container, stream)


def read_video(path: Path) -> Iterator[np.ndarray]:
    """Yield a video's frames, uint8 [height, width, 3] BGR, upright.

    Raises
    ------
    ImageError
        If it is no video, holds no frame, has damaged frames (which are left out), or ends before
        its header says it does; after the last frame that can be read.
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
            f'{path} is damaged or cut: frames that can be decoded are answered ({count}), others '
            f'cannot be decoded ({damaged})'
        )
    if count < announced * (1 - _MISSING) or end + period / 2 < facts.length * (1 - _MISSING):
        of = f'{announced} frames' if announced else f'{facts.length:.1f} s'
        raise ImageError(
            f'{path} ends early, after {count} frames ({end:.1f} s) of {of}: the file is cut; what '
            'is there is answered'
        )


def _quarter_turns(frame: Any, stream: Any) -> int:
    """Return by how many quarter turns counterclockwise a frame becomes upright."""
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
    """Return a rate in Hz, 0 where there is none or no camera has it."""
    number = float(rate or 0)
    return number if 0 < number <= _FASTEST else 0.0


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """Open a video file and choose its stream of moving pictures."""
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
                f'{path} is neither an image nor a video that can be read{_cut(file)}'
            ) from error
        with container:
            stream: Any = container.streams.best('video')
            if stream is None:
                raise ImageError(f'{path} holds no moving pictures{_cut(file)}')
            stream.thread_type = 'AUTO'
            yield container, stream


def _cut(file: BinaryIO) -> str:
    """Return what else to say of a file without frames: an MP4 has its index at the end."""
    file.seek(0)
    if file.read(12)[4:8] != b'ftyp':
        return ''
    return ' (it seems to be cut: its recorder did not come to write the index)'
