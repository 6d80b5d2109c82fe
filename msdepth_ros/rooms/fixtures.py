# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is fixed to walls: windows with curtains and radiators, doors, pictures, skirting boards.

The wall is the plane y = 0 and the room is at y > 0; x runs along the wall, z up. Metres.
"""

from __future__ import annotations

from random import Random

from msdepth_ros.rooms import materials as m
from msdepth_ros.rooms.solids import (
    ALONG_X,
    ALONG_Y,
    Solid,
    Vector,
    box,
    cylinder,
    ellipsoid,
)


def curtain(rng: Random, x: float, width: float, low: float, high: float) -> list[Solid]:
    """Return a curtain in folds, from x to x + width along the wall, of heights low to high."""
    cloth = m.fabric(rng)
    folds = max(3, round(abs(width) / 0.075))
    step = width / folds
    solids = []
    for k in range(folds):
        out = 0.09 + (0.018 if k % 2 else 0.0)
        solids.append(
            cylinder(
                (x + (k + 0.5) * step, out, (low + high) / 2),
                abs(step) * 0.75,
                (high - low) / 2,
                cloth,
                flatten=rng.uniform(0.5, 0.9),
            )
        )
    return solids


def window(
    rng: Random,
    half: float,
    low: float,
    high: float,
    brightness: float,
    curtains: bool | None = None,
) -> list[Solid]:
    """Return a window with its frame, sill, radiator and curtains.

    Parameters
    ----------
    half : half of its width.
    low, high : heights of its lower and upper edge.
    brightness : radiance of what is outside.
    curtains : whether it has curtains; None: at random.
    """
    white = m.Material('plaster', (0.8, 0.8, 0.78), (0.7, 0.7, 0.68), gloss=0.1)
    frame = white if rng.random() < 0.75 else m.wood(rng)
    middle, tall = (low + high) / 2, (high - low) / 2
    solids = [
        box((0, 0.001, middle), (half - 0.03, 0.001, tall - 0.03), m.outdoors(rng, brightness))
    ]
    for side in (-1, 1):
        solids.append(box((side * (half - 0.025), 0.02, middle), (0.03, 0.022, tall), frame))
        solids.append(box((0, 0.02, middle + side * (tall - 0.025)), (half, 0.022, 0.03), frame))
    bars = max(0, round(half * 2 / rng.uniform(0.5, 1.2)) - 1)
    for k in range(bars):
        solids.append(
            box(((k + 1) * 2 * half / (bars + 1) - half, 0.02, middle), (0.022, 0.018, tall), frame)
        )
    if rng.random() < 0.4:
        solids.append(box((0, 0.018, low + tall * 1.45), (half, 0.015, 0.018), frame))
    if low > 0.4:
        solids.append(box((0, 0.07, low - 0.02), (half + 0.06, 0.07, 0.018), white))
        if rng.random() < 0.5:
            solids.append(box((0, 0.03, low - 0.42), (half * 0.8, 0.012, 0.27), white))
            ribs = int(half * 1.6 / 0.06)
            solids += [
                box(
                    (-half * 0.8 + (k + 0.5) * half * 1.6 / ribs, 0.065, low - 0.42),
                    (0.02, 0.025, 0.28),
                    white,
                )
                for k in range(ribs)
            ]
    if curtains if curtains is not None else rng.random() < 0.5:
        end = low if low > 0.4 and rng.random() < 0.4 else 0.04
        share = rng.uniform(0.15, 0.5)
        state = rng.getstate()
        for side in (-1, 1):
            rng.setstate(state)
            solids += curtain(
                rng, side * (half + 0.12), -side * share * half * 1.4, end, high + 0.08
            )
        solids.append(cylinder((0, 0.1, high + 0.1), 0.012, half + 0.25, m.metal(rng), ALONG_X))
    elif rng.random() < 0.3:
        drop = rng.uniform(0.1, 0.8) * tall
        solids.append(box((0, 0.05, high - drop), (half, 0.004, drop), m.fabric(rng)))
    return solids


def door(rng: Random) -> list[Solid]:
    """Return a closed door: leaf, panels, frame, handle."""
    leaf = m.board(rng) if rng.random() < 0.5 else m.ceiling(rng)
    frame = leaf if rng.random() < 0.5 else m.board(rng)
    half, high = rng.uniform(0.38, 0.46), rng.uniform(1.98, 2.1)
    solids = [box((0, 0.015, high / 2), (half, 0.015, high / 2), leaf)]
    for side in (-1, 1):
        solids.append(
            box((side * (half + 0.04), 0.02, high / 2), (0.04, 0.025, high / 2 + 0.03), frame)
        )
    solids.append(box((0, 0.02, high + 0.04), (half + 0.08, 0.025, 0.04), frame))
    if rng.random() < 0.6:
        for z in (0.3, 0.73):
            solids.append(box((0, 0.03, high * z), (half * 0.72, 0.006, high * 0.17), leaf))
    handle = m.metal(rng)
    solids.append(cylinder((half - 0.06, 0.06, 1.03), 0.01, 0.03, handle, ALONG_Y))
    solids.append(box((half - 0.11, 0.085, 1.03), (0.06, 0.008, 0.009), handle))
    return solids


def picture(rng: Random, half_width: float, half_height: float) -> list[Solid]:
    """Return a framed picture centred on z = 0; at times a clock or a shelf instead."""
    kind = rng.random()
    if kind < 0.08:
        r = min(half_width, half_height)
        return [
            cylinder((0, 0.02, 0), r, 0.02, m.plain(rng), ALONG_Y),
            cylinder(
                (0, 0.041, 0), r * 0.9, 0.001, m.Material('plaster', (0.85, 0.85, 0.82)), ALONG_Y
            ),
            box((0, 0.044, r * 0.3), (0.008, 0.001, r * 0.35), m.plain(rng, 0)),
            box((r * 0.2, 0.044, 0), (r * 0.25, 0.001, 0.008), m.plain(rng, 0)),
        ]
    if kind < 0.22:
        of = m.wood(rng)
        solids = [box((0, 0.1, 0), (half_width, 0.1, 0.012), of)]
        for x in (-0.6, -0.1, 0.5):
            high = rng.uniform(0.05, 0.13)
            if rng.random() < 0.6:
                solids.append(
                    box(
                        (x * half_width, 0.09, 0.012 + high),
                        (half_width * 0.2, 0.07, high),
                        m.books(rng),
                    )
                )
            else:
                solids.append(
                    ellipsoid((x * half_width, 0.1, 0.012 + high), (0.05, 0.05, high), m.plain(rng))
                )
        return solids
    edge, frame = rng.uniform(0.012, 0.04), m.board(rng)
    return [
        box((0, 0.012, 0), (half_width, 0.012, half_height), frame),
        box((0, 0.025, 0), (half_width - edge, 0.0015, half_height - edge), m.picture(rng)),
    ]


def skirting(size: Vector, material: m.Material) -> list[Solid]:
    """Return the skirting boards of all four walls of a room of `size`, in the room's frame."""
    length, width, _ = size
    high, thick = 0.04, 0.008
    return [
        box((length / 2, thick, high), (length / 2, thick, high), material),
        box((length / 2, width - thick, high), (length / 2, thick, high), material),
        box((thick, width / 2, high), (thick, width / 2, high), material),
        box((length - thick, width / 2, high), (thick, width / 2, high), material),
    ]
