# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A bar chart drawn with OpenCV, so that a robot needs no plotting library."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

_WIDTH, _ROW, _LABELS, _VALUES, _MARGIN = 1280, 44, 400, 170, 28
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_PAPER, _INK, _FAINT, _GRID = (255, 255, 255), (40, 40, 40), (120, 120, 120), (225, 225, 225)
_BAR, _NETWORK, _WHISKER = (210, 150, 60), (130, 85, 25), (70, 70, 70)


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes
    ----------
    label : text before the bar.
    value : length of the bar.
    part : length of its dark part, from the beginning.
    whisker : end of a thin line from the bar's end, for example a p99; 0: none.
    note : text after the bar; '' = the value.
    """

    label: str
    value: float
    part: float = 0.0
    whisker: float = 0.0
    note: str = ''


def bar_chart(title: str, legend: str, bars: Sequence[Bar], footnote: str) -> np.ndarray:
    """Draw horizontal bars.

    Returns
    -------
    uint8 [height, 1280, 3] BGR.
    """
    notes = textwrap.wrap(footnote, 150)
    top = 3 * _MARGIN + 20
    height = top + _ROW * len(bars) + 2 * _MARGIN + 18 * len(notes)
    picture = np.full((height, _WIDTH, 3), _PAPER, np.uint8)
    _write(picture, title, (_MARGIN, _MARGIN + 12), 0.75, _INK, 2)
    _write(picture, legend, (_MARGIN, _MARGIN + 42), 0.5, _FAINT)
    bottom = top + _ROW * len(bars)
    longest = max((max(bar.value, bar.whisker) for bar in bars), default=0.0) or 1.0
    scale = (_WIDTH - _LABELS - _VALUES) / longest
    for tick in _ticks(longest):
        column = _LABELS + round(tick * scale)
        cv2.line(picture, (column, top - 4), (column, bottom), _GRID, 1)
        _write(picture, f'{tick:g}', (column - 8, bottom + 18), 0.45, _FAINT)
    for row, bar in enumerate(bars):
        _draw(picture, bar, top + row * _ROW, scale)
    for line, note in enumerate(notes):
        _write(picture, note, (_MARGIN, bottom + 2 * _MARGIN + 18 * line), 0.42, _FAINT)
    return picture


def _draw(picture: np.ndarray, bar: Bar, top: int, scale: float) -> None:
    middle = top + _ROW // 2
    (width, _), _ = cv2.getTextSize(bar.label, _FONT, 0.5, 1)
    _write(picture, bar.label, (_LABELS - 12 - width, middle + 5), 0.5, _INK)
    ends = [_LABELS + round(value * scale) for value in (bar.value, bar.part, bar.whisker)]
    cv2.rectangle(picture, (_LABELS, top + 9), (ends[0], top + _ROW - 9), _BAR, cv2.FILLED)
    if bar.part:
        cv2.rectangle(picture, (_LABELS, top + 9), (ends[1], top + _ROW - 9), _NETWORK, cv2.FILLED)
    if bar.whisker:
        cv2.line(picture, (ends[0], middle), (ends[2], middle), _WHISKER, 1, cv2.LINE_AA)
        cv2.line(picture, (ends[2], middle - 6), (ends[2], middle + 6), _WHISKER, 1)
    note = bar.note or f'{bar.value:.2f}'
    _write(picture, note, (max(ends) + 10, middle + 5), 0.5, _INK)


def _ticks(longest: float) -> list[float]:
    """Return some round numbers from 0 to the longest bar."""
    step = 10.0 ** np.floor(np.log10(longest))
    while longest / step < 4:
        step /= 2
    return [float(tick) for tick in np.arange(0, longest + step / 2, step) if tick <= longest]


def _write(
    picture: np.ndarray,
    text: str,
    place: tuple[int, int],
    size: float,
    color: tuple[int, int, int],
    thickness: int = 1,
) -> None:
    cv2.putText(picture, text, place, _FONT, size, color, thickness, cv2.LINE_AA)
