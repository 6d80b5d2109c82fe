# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A recording that is written in parts, so that an interrupted job can be continued.

Each part is written completely or not at all. Until all are written, they are in `NAME.incomplete`
beside the future recording; then they are joined to one rosbag2.
"""

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from msdepth_ros.errors import MsdepthError

_INFORMATION = 'rosbag2_bagfile_information'
_METADATA = 'metadata.yaml'
_ERRORS = 'msdepth_errors'


class Parts:
    """The parts of a recording.

    Parameters
    ----------
    out : folder of the recording; it must not exist, or be empty.
    storage : 'mcap' or 'sqlite3'.
    job : what distinguishes this job from others, as JSON values.

    Raises
    ------
    MsdepthError
        If `out` exists, or parts of another job exist.
    """

    def __init__(self, out: Path, storage: str, job: Mapping[str, Any]) -> None:
        self.out = out
        self._storage = storage
        self._folder = out.with_name(f'{out.name}.incomplete')
        if out.exists() and not (out.is_dir() and not any(out.iterdir())):
            raise MsdepthError(f'{out} exists already: remove it, or give another --out')
        note = self._folder / 'job.json'
        text = json.dumps(job, indent=1, sort_keys=True)
        try:
            if note.is_file() and note.read_text(encoding='utf-8') != text:
                raise MsdepthError(
                    f'{self._folder} holds the beginning of another job (other recording, model or '
                    'options): remove it, or give another --out'
                )
            self._folder.mkdir(parents=True, exist_ok=True)
            note.write_text(text, encoding='utf-8')
        except OSError as error:
            raise MsdepthError(f'cannot write {self._folder}: {error.strerror}') from error

    def is_there(self, number: int) -> bool:
        """Return whether a part was written completely."""
        return self._part(number).is_dir()

    def write(
        self,
        number: int,
        types: Any,
        topics: Mapping[str, str],
        messages: Iterable[tuple[int, Mapping[str, Any]]],
        errors: Mapping[str, int],
    ) -> None:
        """Write a part.

        Parameters
        ----------
        number : number of the part.
        types : rosbags' type store.
        topics : message types by topic.
        messages : (time in ns, serialised messages by topic), in order of time.
        errors : error messages and how often each occurred; filled while `messages` are read.

        Raises
        ------
        MsdepthError
            If it cannot be written.
        """
        from rosbags.rosbag2 import StoragePlugin, Writer

        folder = self._part(number)
        begun = folder.with_name(f'{folder.name}.begun')
        shutil.rmtree(begun, ignore_errors=True)
        try:
            plugin = StoragePlugin[self._storage.upper()]
            with Writer(begun, version=8, storage_plugin=plugin) as writer:
                connections = {
                    topic: writer.add_connection(topic, kind, typestore=types)
                    for topic, kind in topics.items()
                }
                for time, serialised in messages:
                    for topic, data in serialised.items():
                        writer.write(connections[topic], time, data)
                writer.set_custom_data(_ERRORS, json.dumps(errors))
            begun.rename(folder)
        except OSError as error:
            raise MsdepthError(f'cannot write {begun}: {error.strerror}') from error

    def join(self, count: int) -> dict[str, int]:
        """Join all parts to one recording; if all are empty, write none.

        Returns
        -------
        The error messages of all parts, and how often each occurred.
        """
        errors: dict[str, int] = {}
        descriptions = []
        for number in range(count):
            text = (self._part(number) / _METADATA).read_text(encoding='utf-8')
            information = yaml.safe_load(text)[_INFORMATION]
            for error, times in json.loads(information['custom_data'][_ERRORS]).items():
                errors[error] = errors.get(error, 0) + times
            if information['message_count']:
                descriptions.append((number, information))
        if descriptions:
            self._join(descriptions)
        else:
            shutil.rmtree(self._folder)
        return errors

    def _join(self, descriptions: list[tuple[int, dict[str, Any]]]) -> None:
        descriptions.sort(key=lambda each: _start(each[1]))
        topics: dict[str, dict[str, Any]] = {}
        files = []
        for place, (number, information) in enumerate(descriptions):
            old = self._part(number) / information['relative_file_paths'][0]
            new = self._folder / f'{self.out.name}_{place}{old.suffix}'
            if old.exists():  # not if an earlier attempt was interrupted here
                old.rename(new)
            files.append({**information['files'][0], 'path': new.name})
            for topic in information['topics_with_message_count']:
                known = topics.setdefault(topic['topic_metadata']['name'], topic)
                if known is not topic:
                    known['message_count'] += topic['message_count']
        first = descriptions[0][1]
        start = _start(first)
        end = max(_start(each) + each['duration']['nanoseconds'] for _, each in descriptions)
        whole = first | {
            'relative_file_paths': [file['path'] for file in files],
            'files': files,
            'duration': {'nanoseconds': end - start},
            'message_count': sum(topic['message_count'] for topic in topics.values()),
            'topics_with_message_count': list(topics.values()),
            'custom_data': None,
        }
        text = yaml.safe_dump({_INFORMATION: whole}, sort_keys=False)
        (self._folder / _METADATA).write_text(text, encoding='utf-8')
        for part in self._folder.iterdir():
            if part.is_dir():
                shutil.rmtree(part)
        (self._folder / 'job.json').unlink()
        self._folder.rename(self.out)

    def _part(self, number: int) -> Path:
        return self._folder / f'part_{number:05}'


def _start(information: Mapping[str, Any]) -> int:
    return int(information['starting_time']['nanoseconds_since_epoch'])
