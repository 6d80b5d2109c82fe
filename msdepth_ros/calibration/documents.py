# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Files of keys and values as nested dicts and lists: YAML, JSON, XML, INI, assignments.

Values stay strings, so that no parser turns one into a date, an octal number or a boolean.
"""

import configparser
import json
import re
from typing import Any
from xml.etree import ElementTree

import yaml

from msdepth_ros.errors import CalibrationError

_MAX_DEPTH = 12
_MAX_VALUES = 200_000  # OpenCV's calibration program also writes all corners that it found
_MAX_STATEMENTS = 1 << 16  # characters
_NUMBER = r'[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?'
_COMMENT = re.compile(r'(?m)^[ \t]*//.*$|^[ \t]*/\*[^*]{0,999}\*/')
_SIZE_ONLY = re.compile(r'\[\d+.\d+ [a-z]\w*\]')  # MATLAB's text for a value that it does not print
_PAIR = re.compile(
    rf"""
    (?: (?P<mark>['"]) (?P<quoted>\w{{1,99}}) (?P=mark) [ ]? ,
      | (?<![\w.]) (?P<name>[A-Za-z_][\w.]*) [ ]* [=:] )
    [^\S\n]* (?: [a-z.]{{0,9}}array\( | \{{ )? [ ]*
    (?P<value>
        \[ (?: [^\[\]] | \[ [^\[\]]{{0,1000}} \] ){{0,2000}} \]     # [1 2; 3 4], [[1, 2], [3, 4]]
        | '[^'\n]{{0,99}}' | "[^"\n]{{0,99}}" | {_NUMBER}
        | (?: [^\S\n]* \n )+
          (?: [^\S\n]* {_NUMBER} (?: [^\S\n]+ {_NUMBER} )+ [^\S\n]* \n )+       # rows below
    )""",
    re.VERBOSE,
)


def from_json(text: str) -> Any:
    """Return a JSON document, also with OpenCV's comments; None if it is not JSON."""
    for candidate in (text, _COMMENT.sub('', text)):
        try:
            return json.loads(candidate)
        except (ValueError, RecursionError):
            continue
    return None


def from_yaml(text: str) -> Any:
    """Return the first document of a YAML text, also OpenCV's with its own directive and tags.

    Raises
    ------
    CalibrationError
        If it is not YAML, or too large or too deep for a calibration.
    """
    if text.startswith('%YAML'):  # OpenCV's directive is not valid YAML
        text = text.partition('\n')[2]
    loader = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)
    try:
        node = next(iter(yaml.compose_all(text, Loader=loader)), None)
        return _Plain().value(node)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise CalibrationError(f'not YAML: {" ".join(str(error).split())}') from error


class _Plain:
    """Converts YAML nodes to dicts, lists and strings, up to the size of a calibration."""

    def __init__(self) -> None:
        self._left = _MAX_VALUES

    def value(self, node: yaml.Node | None, depth: int = 0) -> Any:
        self._left -= 1
        if self._left < 0 or depth > _MAX_DEPTH:
            raise CalibrationError('too many or too deeply nested values for a calibration')
        if isinstance(node, yaml.MappingNode):
            return {
                str(self.value(key, depth + 1)): self.value(value, depth + 1)
                for key, value in node.value
            }
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, depth + 1) for item in node.value]
        return None if node is None else str(node.value)


def from_xml(text: str) -> dict[str, Any]:
    """Return the XML of OpenCV's FileStorage.

    Raises
    ------
    CalibrationError
        If it is not XML, or not OpenCV's.
    """
    if '<!DOCTYPE' in text or '<!ENTITY' in text:
        raise CalibrationError('XML with a document type, which OpenCV does not write')
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise CalibrationError(f'not XML: {error}') from error
    if root.tag != 'opencv_storage':
        raise CalibrationError(f'XML of <{root.tag[:40]}>, not of <opencv_storage>')
    return {child.tag: _element(child, 0) for child in root}


def _element(element: ElementTree.Element, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise CalibrationError('too deeply nested values for a calibration')
    children = list(element)
    if not children:
        return (element.text or '').strip()
    if all(child.tag == '_' for child in children):
        return [_element(child, depth + 1) for child in children]
    return {child.tag: _element(child, depth + 1) for child in children}


def from_ost(text: str) -> dict[str, Any]:
    """Return camera_calibration's INI (ost.txt): in its sections, names stand above numbers."""
    sections: dict[str, dict[str, str]] = {}
    section: dict[str, str] = {}
    name = ''
    for line in map(str.strip, text.splitlines()):
        if line.startswith('[') and line.endswith(']'):
            section = sections.setdefault(line[1:-1], {})
        elif re.fullmatch(r'[A-Za-z_][A-Za-z_ ]*', line) and line.lower() not in ('nan', 'inf'):
            name = line
            section[name] = ''
        elif line and not line.startswith(('#', ';')) and name:
            section[name] += f' {line}'
    image = sections.pop('image', {})
    sections.pop('externals', None)
    return {title: {**image, **values} for title, values in sections.items()}


def from_ini(text: str) -> dict[str, Any]:
    """Return the sections of an INI file of `name = value`.

    Raises
    ------
    CalibrationError
        If it is not INI.
    """
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise CalibrationError(f'not INI: {" ".join(str(error).split())}') from error
    return {title: dict(parser[title]) for title in parser.sections()}


def from_assignments(text: str) -> dict[str, Any]:
    """Return the `name = value` and `name: value` pairs of a struct printed by MATLAB or Python."""
    found: dict[str, Any] = {}
    text = re.sub(r'[%#][^\n]*', '', text[:_MAX_STATEMENTS]) + '\n'
    for match in _PAIR.finditer(text):
        name = match['quoted'] or match['name'].rpartition('.')[2]
        if not _SIZE_ONLY.fullmatch(match['value']):
            found.setdefault(name, match['value'].strip('\'"'))
    return found
