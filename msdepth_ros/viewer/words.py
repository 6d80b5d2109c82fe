# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The texts of the page as HTML: the node's state, colour scales, points clicked on."""

import base64
import math
from collections.abc import Mapping, Sequence
from html import escape

import cv2
import numpy as np

from msdepth_ros.images.pictures import FARTHEST, NEAREST, colorize
from msdepth_ros.viewer.picking import Pick
from msdepth_ros.viewer.tape import Measurement, TapeFit, fit_scale

# Colours that are readable on white and on black; a word beside each says the same.
_COLORS = {'OK': '#2e9e4f', 'WARN': '#d98000', 'ERROR': '#e03e3e', 'STALE': '#888888'}
_WORDS = {'OK': 'running', 'WARN': 'warning', 'ERROR': 'error', 'STALE': 'no data'}
_TICKS = (0.3, 0.5, 1.0, 2.0, 5.0, 10.0)  # metres
_STEPS = 24
_STYLE = 'padding:4px 12px;font-size:13px;line-height:1.5'
# The first lines of the table: (label, keys of /diagnostics, of which the first existing is used).
_FIRST = (
    ('Model', ('model',)),
    ('Runs on', ('backend',)),
    ('Device', ('device',)),
    ('Precision', ('precision',)),
    ('Depth', ('output rate (Hz)',)),
    ('Camera', ('input rate (Hz)',)),
    ('Dropped', ('dropped (%)',)),
    ('Age at publication', ('age (ms)',)),
    ('Network', ('infer (ms)',)),
)
# Prefixes of the lines about metres and measurements.
_METRIC = ('metres', 'metric', 'measured')
_UNITS = ('Hz', '%', 'ms', 'm', 's')


def status_html(level: str, message: str) -> str:
    """Return one line: a coloured dot, a word for the level, and the node's message."""
    color = _COLORS.get(level, _COLORS['STALE'])
    word = _WORDS.get(level, level)
    text = '' if message == word else f' {escape(message)}'
    return (
        f'<div role="status" aria-live="polite" style="{_STYLE}">'
        f'<span aria-hidden="true" style="color:{color}">&#9679;</span> '
        f'<b style="color:{color}">{escape(word)}</b>{text}</div>'
    )


def diagnostics_html(values: Mapping[str, str], delay: float) -> str:
    """Return a table of the values of /diagnostics, the most important ones first.

    Parameters
    ----------
    values : texts by key.
    delay : duration of the page's updates, seconds.
    """
    rows, used = [], set()
    for label, keys in _FIRST:
        key = next((key for key in keys if key in values), None)
        if key is not None:
            used.add(key)
            rows.append((label, _with_unit(key, values[key])))
    metric = [key for key in values if key.startswith(_METRIC) or 'scale' in key]
    rows += [(key.capitalize(), values[key]) for key in metric if values[key]]
    used.update(metric)
    rows.append(('Delay of this page', f'{1e3 * delay:.0f} ms'))
    rest = [(key, value) for key, value in values.items() if key not in used and value]
    return f'<div style="{_STYLE}">{_table(rows)}{_details("Everything else", rest)}</div>'


def scale_html() -> str:
    """Return the colour scale of depth pictures, with metres below it."""
    steps = np.linspace(0, 1, _STEPS)
    depths = NEAREST * (FARTHEST / NEAREST) ** steps
    stops = ', '.join(_css(color) for color in colorize(depths[None].astype(np.float32))[0])
    marks = [(_place(tick), f'{tick:g} m') for tick in _TICKS]
    return _bar(f'Depth in metres: {NEAREST:g} m is the left end, {FARTHEST:g} m the right', stops,
                marks)  # fmt: skip


def confidence_scale_html() -> str:
    """Return the colour scale of confidence pictures."""
    levels = confidence_picture(np.linspace(0, 1, _STEPS, dtype=np.float32)[None])
    marks = [(share, f'{share:.0%}') for share in (0.0, 0.5, 1.0)]
    stops = ', '.join(_css(color) for color in levels[0])
    return _bar('Confidence: 0 is the left end, 100 percent the right', stops, marks)


def confidence_picture(confidence: np.ndarray) -> np.ndarray:
    """Return confidence (float32 [height, width], 0 to 1) as BGR colours; NaN is black."""
    known = np.isfinite(confidence)
    level = np.where(known, confidence, 0).clip(0, 1) * 255
    picture = cv2.applyColorMap(level.astype(np.uint8), cv2.COLORMAP_VIRIDIS)
    picture[~known] = 0
    return picture


def picture_html(picture: np.ndarray, quality: int, name: str) -> str:
    """Return a picture (uint8 [height, width, 3] BGR) as a JPEG of the panel's width."""
    jpeg = cv2.imencode('.jpg', picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return (
        f'<div style="padding:4px 12px;font-size:12px">{escape(name)}'
        f'<img alt="{escape(name)} picture" src="data:image/jpeg;base64,'
        f'{base64.b64encode(jpeg.tobytes()).decode()}" style="width:100%;display:block"></div>'
    )


def pick_html(
    pick: Pick | None, height: float | None, confidence: float | None, camera: str = ''
) -> str:
    """Return a text about the point clicked on.

    Parameters
    ----------
    pick : the point; None: no depth is known there.
    height : metres above the floor; None: the mount is not known.
    confidence : 0 to 1; None or NaN = not known.
    camera : title of the camera; '' = there is only one.
    """
    if pick is None:
        return f'<div role="status" style="{_STYLE}">No depth is known there.</div>'
    words = [] if pick.distance is None else [f'<b>{pick.distance:.2f} m</b> from the camera']
    words.append(f'depth {pick.depth:.2f} m')
    if height is not None:
        words.append(f'{height:.2f} m above the floor')
    elif pick.distance is not None:
        words.append('height unknown: set camera_pose')
    if confidence is not None and math.isfinite(confidence):
        words.append(f'{confidence:.0%} confident')
    if camera:
        words.append(f'camera {escape(camera)}')
    return f'<div role="status" style="{_STYLE}">{", ".join(words)}</div>'


def tape_html(measurements: Sequence[Measurement], scale: float) -> str:
    """Return a table of the measurements with their errors, and the scale that fits them."""
    if not measurements:
        return ''
    fit = fit_scale(measurements) if len(measurements) > 1 else None
    rows = [('By tape', 'Depth', 'Error now', 'Error with new scale')]
    for number, measurement in enumerate(measurements):
        now = measurement.measured / measurement.scale * scale
        left = '' if fit is None else f'{fit.errors[number]:+.1%}'
        rows.append(
            (f'{measurement.true:.2f} m', f'{now:.2f} m', f'{now / measurement.true - 1:+.1%}',
             left)
        )  # fmt: skip
    return f'<div style="{_STYLE}">{_table(rows, headed=True)}{_conclusion(fit, scale)}</div>'


def _conclusion(fit: TapeFit | None, scale: float) -> str:
    if fit is None:
        return '<p>Measure one more point, at another distance.</p>'
    return f'<p>depth.scale {scale:.3f} &rarr; <b>{fit.scale:.3f}</b></p>'


def _with_unit(key: str, value: str) -> str:
    for unit in _UNITS:
        if key.endswith(f'({unit})'):
            return f'{value} {unit}'
    return value


def _table(rows: Sequence[Sequence[str]], headed: bool = False) -> str:
    lines = []
    for number, row in enumerate(rows):
        tag = 'th' if headed and number == 0 else 'td'
        cells = ''.join(
            f'<{tag} style="text-align:left;padding:1px 10px 1px 0;overflow-wrap:anywhere">'
            f'{escape(cell)}</{tag}>'
            for cell in row
        )
        lines.append(f'<tr>{cells}</tr>')
    return f'<table style="border-collapse:collapse;width:100%">{"".join(lines)}</table>'


def _details(title: str, rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ''
    return f'<details><summary>{title}</summary>{_table(rows)}</details>'


def _bar(label: str, stops: str, marks: Sequence[tuple[float, str]]) -> str:
    """Return a bar of colours; `marks` are (place from 0 to 1, text)."""
    texts = ''.join(
        f'<span style="position:absolute;white-space:nowrap;left:{100 * place:.1f}%;'
        f'transform:translateX(-{100 * place:.0f}%)">{text}</span>'
        for place, text in marks
    )
    return (
        f'<div role="img" aria-label="{label}" style="padding:0 12px 4px;font-size:11px">'
        f'<div style="height:10px;border-radius:3px;background:linear-gradient(to right, {stops})">'
        f'</div><div style="position:relative;height:16px">{texts}</div></div>'
    )


def _place(depth: float) -> float:
    """Return the place of a depth on the scale, 0 to 1."""
    return math.log(depth / NEAREST) / math.log(FARTHEST / NEAREST)


def _css(bgr: np.ndarray) -> str:
    blue, green, red = (int(value) for value in bgr)
    return f'rgb({red},{green},{blue})'
