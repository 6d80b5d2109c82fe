# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads a rosbag2 recording: its topics by their types, its messages in order.

The `rosbags` library reads it (mcap and sqlite3, compressed or not), so no ROS is needed.
"""

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from msdepth_ros.datasets.base import DatasetError
from msdepth_ros.datasets.cut_mcap import CompletedPath, is_cut
from msdepth_ros.errors import MsdepthError
from msdepth_ros.extras import require
from msdepth_ros.images.listing import is_hidden

IMAGE_TYPES = {'sensor_msgs/msg/Image': 'encoding', 'sensor_msgs/msg/CompressedImage': 'format'}
CAMERA_INFO_TYPE = 'sensor_msgs/msg/CameraInfo'
_SUFFIXES = ('.mcap', '.db3')
_METADATA = 'metadata.yaml'


@dataclass(frozen=True)
class Recorded:
    """A message of a recording, still serialised.

    Attributes
    ----------
    topic, kind : its topic and the name of its type.
    received : when the recorder received it, ns.
    data : the message in CDR.
    """

    topic: str
    kind: str
    received: int
    data: bytes


class BagReader:
    """Reads a rosbag2; a context manager.

    Parameters
    ----------
    path : the recording's folder, or its one .mcap or .db3 file.

    Attributes
    ----------
    cut : whether it is a truncated mcap file, whose complete records are read.

    Raises
    ------
    DatasetError
        If it is not a recording, or damaged.
    MsdepthError
        If the package `rosbags` is not installed.
    """

    def __init__(self, path: Path) -> None:
        require('rosbags', extra='bags')
        from rosbags.rosbag2 import Reader
        from rosbags.typesys import Stores, get_typestore

        self.path = path
        # The types that are read are the same in every ROS 2 distribution.
        self._types = get_typestore(Stores.ROS2_JAZZY)
        storage = _storage(path)
        with self.readable():
            self.cut = storage.is_file() and storage.suffix == '.mcap' and is_cut(storage)
            self._reader = Reader(CompletedPath(storage) if self.cut else storage)  # type: ignore[arg-type]
            self._reader.open()
        if self.cut and not self._reader.message_count:
            self.close()
            raise DatasetError(
                f'{path} has no complete message: the recording was interrupted before the first '
                'one was written. It cannot be repaired: record it again'
            )

    def __enter__(self) -> 'BagReader':
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the files, and remove what was decompressed; a second call does nothing."""
        if self._reader.is_open:
            self._reader.close()

    @property
    def storage(self) -> str:
        """The name of the storage plugin: mcap or sqlite3."""
        names = [str(self.path), *(entry.name for entry in self._files())]
        return 'mcap' if any('.mcap' in Path(name).suffixes for name in names) else 'sqlite3'

    def count(self, topics: Collection[str]) -> int:
        """Return the number of messages on some topics."""
        return sum(c.msgcount for c in self._reader.connections if c.topic in topics)

    def images(self) -> dict[str, str]:
        """Return the topics with images, and the encoding (or format) of each one's first image."""
        found = {}
        for connection in self._reader.connections:
            if connection.msgcount and connection.msgtype in IMAGE_TYPES:
                first = next(self.messages([connection.topic]), None)
                if first is not None:
                    encoding = getattr(self.message(first), IMAGE_TYPES[connection.msgtype])
                    found[connection.topic] = encoding
        return found

    def camera_infos(self) -> list[str]:
        """Return the topics with calibrations."""
        return self.topics_of(CAMERA_INFO_TYPE)

    def topics_of(self, kind: str) -> list[str]:
        """Return the topics with messages of a type, such as 'nav_msgs/msg/Odometry'."""
        connections = self._reader.connections
        return sorted({c.topic for c in connections if c.msgcount and c.msgtype == kind})

    def messages(self, topics: Collection[str], start: int | None = None) -> Iterator[Recorded]:
        """Yield the messages on some topics in the order of the recording.

        Parameters
        ----------
        topics : names of topics.
        start : ns; messages that were received before are skipped.

        Raises
        ------
        DatasetError
            If the recording is damaged.
        """
        wanted = [c for c in self._reader.connections if c.topic in topics]
        if not wanted:
            return
        # Without an index, rosbags' `messages` expects an order that recorders do not keep.
        read: Any = self._reader.storage.messages_scan if self.cut else self._reader.messages  # type: ignore[attr-defined]
        with self.readable():
            for connection, received, data in read(wanted, start):
                yield Recorded(connection.topic, connection.msgtype, received, data)

    def message(self, recorded: Recorded) -> Any:
        """Deserialise a message; its arrays of numbers are NumPy arrays.

        Raises
        ------
        DatasetError
            If it is damaged.
        """
        with self.readable():
            return self._types.deserialize_cdr(recorded.data, recorded.kind)

    @contextlib.contextmanager
    def readable(self) -> Iterator[None]:
        """Convert the exceptions of rosbags, of any type for a damaged file, to a DatasetError."""
        try:
            yield
        except (DatasetError, GeneratorExit):
            raise
        except MsdepthError as error:
            raise DatasetError(f'{self.path}: {error}') from error
        except Exception as error:
            raise DatasetError(
                f'{self.path} is not a rosbag2, or it is damaged ({error}): try `ros2 bag reindex` '
                'or `mcap recover`'
            ) from error

    def _files(self) -> list[Path]:
        return list(self.path.iterdir()) if self.path.is_dir() else [self.path]


def is_bag(path: Path) -> bool:
    """Return whether a path is a rosbag2."""
    if path.is_file():
        return path.suffix in _SUFFIXES
    return path.is_dir() and ((path / _METADATA).is_file() or bool(_storage_files(path)))


def header_stamp(message: Any, received: int) -> int:
    """Return a header's stamp in ns; if it is 0, when the message was received."""
    stamp = message.header.stamp
    return stamp.sec * 10**9 + stamp.nanosec or received


def _storage(path: Path) -> Path:
    """Return the path to open: the folder, or its only file if there is no usable metadata."""
    if not path.exists():
        raise DatasetError(f'{path} does not exist: give a folder, an .mcap or a .db3 file')
    if path.is_file():
        return path
    files = _storage_files(path)
    if (path / _METADATA).is_file():
        one = len(files) == 1 and files[0].suffix == '.mcap'
        return files[0] if one and is_cut(files[0]) else path
    if len(files) != 1:
        raise DatasetError(f'{path} has no {_METADATA}: create it with `ros2 bag reindex`')
    return files[0]


def _storage_files(folder: Path) -> list[Path]:
    return [each for each in folder.iterdir() if each.suffix in _SUFFIXES and not is_hidden(each)]
