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
    """The values of a mapping and of the groups in it, by their `plain` keys."""

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
        """Return the first name that has a value, and the value; ('', None) = there is none."""
        for name in names:
            if self.keys.get(name) is not None:
                return name, self.keys[name]
        return '', None

    def numbers(self, names: Iterable[str], single: bool = False) -> tuple[float, ...]:
        """Return the numbers of the first name that has a value, () if there is none."""
        name, value = self.first(names)
        return numbers(name, value, single) if name else ()

    def whole(self, *names: str) -> int:
        """Return the whole number of the first name that has a value, 0 if there is none."""
        name, value = self.first(names)
        return int(number(name, value)) if name else 0

    def mapping(self, name: str) -> 'Values':
        """Return the values of a nested mapping, empty if there is none."""
        value = self.keys.get(name)
        return Values(value if isinstance(value, Mapping) else {})


def plain(key: str) -> str:
    """Return a key in lower case, letters and digits only, without a camera's name before it."""
    key = re.sub(r'^camera1?[./]', '', key.lower())
    return re.sub(r'[^a-z0-9]', '', key)


def number(name: str, value: Any) -> float:
    """Return a value of a file as a number; it may be a string.

    Raises
    ------
    CalibrationError
        If it is not a number.
    """
    if isinstance(value, str):
        value = value.strip().lower()
        value = value[1:] if value.lstrip('+-') in ('.nan', '.inf') and value[0] == '.' else value
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise CalibrationError(f'{name}: {quoted(str(value))} is not a number') from error


def numbers(name: str, value: Any, single: bool = False) -> tuple[float, ...]:
    """Return the numbers of a flat or nested list, of a matrix with `data`, or of a string.

    Parameters
    ----------
    name : of the value, for errors.
    value : of the file.
    single : whether one number instead of a list is accepted.

    Raises
    ------
    CalibrationError
        If there is something else among them, or more than a calibration has.
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
