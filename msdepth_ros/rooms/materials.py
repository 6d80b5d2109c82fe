# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Materials of surfaces: a pattern, two linear RGB colours, gloss and emission."""

from __future__ import annotations

import colorsys
import math
from dataclasses import dataclass
from random import Random

Color = tuple[float, float, float]


@dataclass(frozen=True)
class Material:
    """How a surface looks.

    Attributes
    ----------
    pattern : one of `texture.PATTERNS`.
    color, accent : linear RGB reflectances in [0, 1].
    scale : factor on the pattern's frequency.
    contrast : strength of the pattern's detail, in [0, 1].
    gloss : how much the surface mirrors at grazing angles, in [0, 1].
    emission : radiance added, in units of the pattern's colour.
    seed : what makes two surfaces of the same pattern differ.
    """

    pattern: str
    color: Color
    accent: Color = (0.5, 0.5, 0.5)
    scale: float = 1.0
    contrast: float = 0.3
    gloss: float = 0.0
    emission: float = 0.0
    seed: int = 0


def hsv(hue: float, saturation: float, value: float) -> Color:
    """Return the linear RGB of an HSV colour, decoded with gamma 2.2."""
    r, g, b = colorsys.hsv_to_rgb(hue % 1.0, min(max(saturation, 0.0), 1.0), value)
    return r**2.2, g**2.2, b**2.2


def shade(color: Color, factor: float) -> Color:
    """Return the colour times a factor, at most 0.95."""
    r, g, b = (min(channel * factor, 0.95) for channel in color)
    return r, g, b


def _seed(rng: Random) -> int:
    return rng.randrange(1 << 16)


def paint(rng: Random) -> Material:
    """Return wall paint: mostly light and warm, at times a strong colour, paper or tiles."""
    hue = rng.gauss(0.1, 0.03) if rng.random() < 0.6 else rng.random()
    strong = rng.random() < 0.15
    color = hsv(
        hue, rng.uniform(0.2, 0.5) if strong else rng.uniform(0, 0.15), rng.uniform(0.7, 0.95)
    )
    pattern = rng.choices(['plaster', 'stripes', 'damask', 'tiles'], [12, 0.7, 1, 0.8])[0]
    accent = shade(color, rng.uniform(0.75, 1.2))
    return Material(
        pattern, color, accent, rng.uniform(0.5, 2), rng.uniform(0.1, 0.6), 0, 0, _seed(rng)
    )


def ceiling(rng: Random) -> Material:
    """Return matt white, at times with panels."""
    color = hsv(0.1, rng.uniform(0, 0.06), rng.uniform(0.85, 0.97))
    pattern = 'tiles' if rng.random() < 0.15 else 'plaster'
    return Material(pattern, color, shade(color, 0.8), 0.5, rng.uniform(0, 0.2), 0, 0, _seed(rng))


def floor(rng: Random) -> Material:
    """Return planks, tiles, carpet, stone or plain flooring."""
    pattern = rng.choices(['planks', 'tiles', 'fabric', 'stone', 'plaster'], [5, 2, 2, 1, 1])[0]
    if pattern == 'planks':
        base = wood(rng)
        return Material(
            'planks',
            base.color,
            base.accent,
            rng.uniform(0.7, 1.6),
            rng.uniform(0.2, 0.7),
            rng.uniform(0, 0.25),
            0,
            _seed(rng),
        )
    color = hsv(rng.gauss(0.09, 0.04), rng.uniform(0, 0.35), rng.uniform(0.3, 0.85))
    gloss = 0.0 if pattern == 'fabric' else rng.uniform(0, 0.25)
    return Material(
        pattern,
        color,
        shade(color, rng.uniform(0.5, 1.4)),
        rng.uniform(0.6, 1.8),
        rng.uniform(0.2, 0.8),
        gloss,
        0,
        _seed(rng),
    )


def wood(rng: Random) -> Material:
    """Return furniture wood, light to dark."""
    value = rng.uniform(0.25, 0.85)
    color = hsv(rng.uniform(0.045, 0.1), rng.uniform(0.3, 0.65), value)
    return Material(
        'grain',
        color,
        shade(color, rng.uniform(0.45, 0.7)),
        rng.uniform(0.7, 1.6),
        rng.uniform(0.3, 0.8),
        rng.uniform(0, 0.35),
        0,
        _seed(rng),
    )


def board(rng: Random) -> Material:
    """Return a furniture front: wood or lacquer."""
    return wood(rng) if rng.random() < 0.6 else plain(rng, 0.2)


def plain(rng: Random, saturation: float = 0.6) -> Material:
    """Return plastic, lacquer or card of any colour."""
    color = hsv(rng.random(), rng.random() ** 1.5 * saturation, rng.uniform(0.12, 0.95))
    return Material(
        'plaster',
        color,
        shade(color, 0.8),
        1.0,
        rng.uniform(0, 0.25),
        rng.uniform(0, 0.4),
        0,
        _seed(rng),
    )


def fabric(rng: Random) -> Material:
    """Return the cloth of upholstery, cushions, bedding or clothes."""
    color = hsv(
        rng.random() if rng.random() < 0.6 else rng.gauss(0.09, 0.03),
        rng.uniform(0, 0.6),
        rng.uniform(0.15, 0.9),
    )
    accent = shade(color, rng.uniform(0.5, 0.85)) if rng.random() < 0.7 else plain(rng).color
    pattern = rng.choices(['fabric', 'stripes', 'checks', 'damask'], [7, 1, 1, 1])[0]
    return Material(
        pattern, color, accent, rng.uniform(0.6, 2), rng.uniform(0.2, 0.7), 0, 0, _seed(rng)
    )


def metal(rng: Random) -> Material:
    """Return metal, from chrome to black steel."""
    color = hsv(0.6, rng.uniform(0, 0.1), rng.uniform(0.1, 0.75))
    return Material('plaster', color, color, 1.0, 0.05, rng.uniform(0.3, 0.8), 0, _seed(rng))


def foliage(rng: Random) -> Material:
    """Return leaves."""
    color = hsv(rng.uniform(0.22, 0.38), rng.uniform(0.4, 0.75), rng.uniform(0.3, 0.6))
    return Material('stone', color, shade(color, 0.55), 3.0, 0.6, 0.15, 0, _seed(rng))


def skin(rng: Random) -> Material:
    """Return human skin."""
    color = hsv(rng.uniform(0.04, 0.07), rng.uniform(0.3, 0.55), rng.uniform(0.35, 0.9))
    return Material('plaster', color, shade(color, 0.9), 1.0, 0.1, 0.05, 0, _seed(rng))


def picture(rng: Random) -> Material:
    """Return a painting, photograph or poster."""
    a, b = (hsv(rng.random(), rng.uniform(0.1, 0.8), rng.uniform(0.2, 0.95)) for _ in range(2))
    return Material('picture', a, b, rng.uniform(0.6, 2), 1.0, rng.uniform(0, 0.2), 0, _seed(rng))


def rug(rng: Random) -> Material:
    """Return a rug with a border."""
    a = hsv(rng.random(), rng.random() ** 2 * 0.6, rng.uniform(0.3, 0.8))
    b = hsv(rng.random(), rng.random() ** 2 * 0.6, rng.uniform(0.3, 0.85))
    return Material('rug', a, b, rng.uniform(0.7, 1.5), rng.uniform(0.3, 1), 0, 0, _seed(rng))


def books(rng: Random) -> Material:
    """Return the spines of a row of books."""
    return Material(
        'books',
        (0.3, 0.3, 0.3),
        (0.02, 0.02, 0.02),
        rng.uniform(0.8, 1.3),
        rng.uniform(0.4, 0.9),
        0.05,
        0,
        _seed(rng),
    )


def screen(rng: Random) -> Material:
    """Return a monitor's picture: black, or windows with lines of text."""
    if rng.random() < 0.4:
        return Material(
            'plaster', (0.01, 0.01, 0.012), (0.01, 0.01, 0.01), 1, 0.1, 0.6, 0, _seed(rng)
        )
    color = hsv(rng.random(), rng.uniform(0, 0.4), rng.uniform(0.2, 1.0))
    return Material(
        'screen',
        color,
        shade(color, rng.choice([0.15, 2.0])),
        1,
        1,
        0.1,
        rng.uniform(0.4, 1.2),
        _seed(rng),
    )


def outdoors(rng: Random, brightness: float) -> Material:
    """Return what a window shows: sky above, haze and plants below."""
    sky = hsv(rng.gauss(0.58, 0.02), rng.uniform(0.02, 0.3), 1.0)
    ground = hsv(rng.uniform(0.1, 0.35), rng.uniform(0.1, 0.4), rng.uniform(0.45, 0.8))
    return Material(
        'outdoors', sky, ground, rng.uniform(0.7, 1.5), 0.6, 0.3, brightness, _seed(rng)
    )


def glow(rng: Random, brightness: float) -> Material:
    """Return a lit lampshade: warm to neutral white."""
    color = hsv(rng.uniform(0.08, 0.13), math.sqrt(rng.random()) * 0.25, 1.0)
    return Material('plaster', color, color, 1, 0, 0, brightness, _seed(rng))
