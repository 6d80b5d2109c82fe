# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Values of a calibration file by their keys, and the numbers in them."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from msdepth_ros.errors import CalibrationError, quoted

_GROUPS = (
    'intrinsics', 'intrinsic', 'projectionparameters', 'distortionparameters', 'distortion',
    'imagesize', 'size', 'resolution', 'parameters', 'camerainfo',
)  # fmt: skip
_MAX_NUMBERS = 64


class Values:
    """The values of a mapping by their keys without case and marks, those of groups included."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.keys: dict[str, Any] = {}
        groups = []
        for key, value in document.items():
            name = plain(str(key))
            self.keys.setdefault(name, value)
            if isinstance(value, Mapping) and name in _GROUPS and 'data' not in value:
                groups.append(value)
        for group in groups:
            for key, value in group.items():
                self.keys.setdefault(plain(str(key)), value)

    def first(self, names: Iterable[str]) -> tuple[str, Any]:
        """Return the first of the names that has a value, and that; ('', None) without one."""
        for name in names:
            if self.keys.get(name) is not None:
                return name, self.keys[name]
        return '', None

    def numbers(self, names: Iterable[str], single: bool = False) -> tuple[float, ...]:
        """Return the numbers behind the first of the names, () if there is none."""
        name, value = self.first(names)
        return numbers(name, value, single) if name else ()

    def whole(self, *names: str) -> int:
        """Return a whole number, 0 if there is none."""
        name, value = self.first(names)
        return int(number(name, value)) if name else 0

    def mapping(self, name: str) -> 'Values':
        """Return what is in a mapping, nothing if there is none."""
        value = self.keys.get(name)
        return Values(value if isinstance(value, Mapping) else {})


def plain(key: str) -> str:
    """Return a key without case and marks, and without the name of a camera before it."""
    key = re.sub(r'^camera1?[./]', '', key.lower())
    return re.sub(r'[^a-z0-9]', '', key)


def number(name: str, value: Any) -> float:
    """Return a number that stands in a file as a number or a text.

    Raises
    ------
    CalibrationError
        If it is none.
    """
    if isinstance(value, str):
        value = value.strip().lower()
        value = value[1:] if value.lstrip('+-') in ('.nan', '.inf') and value[0] == '.' else value
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise CalibrationError(f'{name}: {quoted(str(value))} is no number') from error


def numbers(name: str, value: Any, single: bool = False) -> tuple[float, ...]:
    """Return the numbers of a flat or nested list, of a matrix with `data`, or of a text.

    Parameters
    ----------
    single : whether one number alone will do, instead of a list.

    Raises
    ------
    CalibrationError
        If something else is among them, or they are more than a calibration has.
    """
    if isinstance(value, Mapping):
        if 'data' not in value:
            raise CalibrationError(f'{name} has no data')
        value = value['data']
    found: list[float] = []
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, list | tuple):
            pending.extend(reversed(item[: _MAX_NUMBERS + 1]))
        elif isinstance(item, str):
            words = re.sub(r'[\[\](){};,]', ' ', item[:5000]).split()
            found += [number(name, word) for word in words]
        else:
            found.append(number(name, item))
        if len(found) > _MAX_NUMBERS or len(pending) > 10 * _MAX_NUMBERS:
            raise CalibrationError(f'{name} has too many numbers')
    if len(found) == 1 and not (single or isinstance(value, list)):
        raise CalibrationError(f'{name} is one number, {found[0]:g}, not a list of numbers')
    return tuple(found)
