# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Furniture as lists of solids. It stands on z = 0, centred on the origin, its front at +y."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from msdepth_ros.rooms import materials as m
from msdepth_ros.rooms.objects import on_table
from msdepth_ros.rooms.solids import (
    ALONG_X,
    ALONG_Y,
    Solid,
    box,
    cylinder,
    ellipsoid,
    placed,
    rotation,
)


@dataclass
class Piece:
    """A piece of furniture.

    Attributes
    ----------
    width, depth : half of its size along x and y, metres.
    solids : its parts.
    top : height of the surface that objects can stand on, metres; None: there is none.
    """

    width: float
    depth: float
    solids: list[Solid] = field(default_factory=list)
    top: float | None = None


def _legs(width: float, depth: float, height: float, thick: float, of: m.Material) -> list[Solid]:
    x, y = width - thick, depth - thick
    return [
        box((a * x, b * y, height / 2), (thick, thick, height / 2), of)
        for a in (-1, 1)
        for b in (-1, 1)
    ]


def table(rng: Random, width: float | None = None, height: float | None = None) -> Piece:
    """Return a dining table with four legs, or a round one on a foot."""
    w = width or rng.uniform(0.45, 0.95)
    h, of = height or rng.uniform(0.68, 0.78), m.board(rng)
    if rng.random() < 0.25:
        r = min(w, 0.6)
        solids = [
            cylinder((0, 0, h - 0.015), r, 0.015, of),
            cylinder((0, 0, h / 2), 0.04, h / 2 - 0.02, m.metal(rng)),
            cylinder((0, 0, 0.015), r * 0.55, 0.015, m.metal(rng), taper=0.3),
        ]
        return Piece(r, r, solids, h)
    d = rng.uniform(0.35, 0.5)
    under = of if rng.random() < 0.6 else m.metal(rng)
    solids = [box((0, 0, h - 0.018), (w, d, 0.018), of)]
    solids += _legs(w - 0.02, d - 0.02, h - 0.03, rng.uniform(0.02, 0.035), under)
    solids += [box((0, s * (d - 0.06), h - 0.07), (w - 0.06, 0.01, 0.035), under) for s in (-1, 1)]
    return Piece(w, d, solids, h)


def coffee_table(rng: Random) -> Piece:
    """Return a low table, at times with a shelf below."""
    w, d, h, of = (
        rng.uniform(0.4, 0.65),
        rng.uniform(0.25, 0.4),
        rng.uniform(0.36, 0.48),
        m.board(rng),
    )
    solids = [box((0, 0, h - 0.02), (w, d, 0.02), of), *_legs(w, d, h - 0.04, 0.025, of)]
    if rng.random() < 0.6:
        solids.append(box((0, 0, h * 0.35), (w - 0.05, d - 0.05, 0.01), of))
    return Piece(w, d, solids, h)


def chair(rng: Random, of: m.Material | None = None) -> Piece:
    """Return a dining chair; its back is slats, a panel or padded."""
    frame = of or m.board(rng)
    w, d, seat, back = 0.21, 0.22, rng.uniform(0.43, 0.47), rng.uniform(0.8, 0.98)
    solids = _legs(w, d, seat, 0.017, frame)
    pad = m.fabric(rng) if rng.random() < 0.5 else frame
    solids.append(box((0, 0.01, seat), (w, d, 0.02), pad))
    lean = rotation(roll=0.12)
    for side in (-1, 1):
        solids.append(
            box(
                (side * (w - 0.02), -d - 0.01, (seat + back) / 2),
                (0.015, 0.015, (back - seat) / 2),
                frame,
                lean,
            )
        )
    if rng.random() < 0.5:
        solids += [
            box(
                (0, -d - 0.012 - (z - 0.5) * 0.06, seat + z * (back - seat)),
                (w - 0.03, 0.009, 0.03),
                frame,
                lean,
            )
            for z in (0.4, 0.65, 0.92)
        ]
    else:
        solids.append(
            box(
                (0, -d - 0.03, seat + 0.68 * (back - seat)),
                (w - 0.01, 0.014, 0.28 * (back - seat)),
                pad,
                lean,
            )
        )
    return Piece(w, d + 0.04, solids, None)


def office_chair(rng: Random) -> Piece:
    """Return a swivel chair on a five-star base."""
    cloth, frame = m.fabric(rng), m.metal(rng)
    seat = rng.uniform(0.42, 0.52)
    solids = [cylinder((0, 0, seat / 2 + 0.03), 0.025, seat / 2 - 0.05, frame)]
    for k in range(5):
        turn = rotation(yaw=k * 1.2566)
        solids.append(
            box((turn[0][0] * 0.14, turn[1][0] * 0.14, 0.07), (0.14, 0.018, 0.015), frame, turn)
        )
        solids.append(
            ellipsoid((turn[0][0] * 0.27, turn[1][0] * 0.27, 0.03), (0.03, 0.02, 0.03), frame)
        )
    solids.append(ellipsoid((0, 0, seat), (0.26, 0.26, 0.06), cloth))
    solids.append(box((0, -0.24, seat + 0.15), (0.03, 0.01, 0.17), frame))
    solids.append(
        ellipsoid((0, -0.23, seat + 0.42), (0.24, 0.05, 0.28), cloth, rotation(roll=0.12))
    )
    if rng.random() < 0.6:
        for side in (-1, 1):
            solids.append(box((side * 0.27, 0, seat + 0.2), (0.03, 0.13, 0.015), frame))
            solids.append(box((side * 0.27, -0.02, seat + 0.09), (0.015, 0.03, 0.1), frame))
    return Piece(0.32, 0.34, solids)


def sofa(rng: Random, seats: int | None = None, cloth: m.Material | None = None) -> Piece:
    """Return a sofa for one to three, with round arms, cushions and pillows."""
    n = seats or rng.choices([1, 2, 3], [2, 2, 3])[0]
    cloth = cloth or m.fabric(rng)
    arm, d, seat, back = (
        rng.uniform(0.07, 0.11),
        rng.uniform(0.4, 0.46),
        0.42,
        rng.uniform(0.74, 0.9),
    )
    inner = n * rng.uniform(0.3, 0.34)
    w = inner + 2 * arm
    arm_top = rng.uniform(0.54, 0.6)
    solids = [
        box((0, 0, 0.17), (w - 0.02, d - 0.03, 0.11), cloth),
        box((0, -d + 0.1, back / 2 + 0.02), (w - 0.03, 0.1, back / 2 - 0.06), cloth),
        cylinder((0, -d + 0.1, back - 0.04), 0.1, w - 0.03, cloth, ALONG_X, flatten=1.0),
    ]
    for side in (-1, 1):
        x = side * (inner + arm)
        solids.append(box((x, 0, arm_top / 2), (arm * 0.9, d, arm_top / 2 - 0.03), cloth))
        solids.append(cylinder((x, 0, arm_top - 0.03), arm, d, cloth, ALONG_Y))
    half = inner / n
    for k in range(n):
        x = (2 * k + 1 - n) * half
        solids.append(box((x, 0.06, seat - 0.07), (half - 0.006, d - 0.1, 0.075), cloth))
        solids.append(cylinder((x, d - 0.04, seat - 0.07), 0.075, half - 0.006, cloth, ALONG_X))
        solids.append(
            ellipsoid(
                (x, -d + 0.26, seat + 0.21), (half - 0.01, 0.12, 0.24), cloth, rotation(roll=0.2)
            )
        )
    for _ in range(rng.randrange(n + 1)):
        x = rng.uniform(-inner, inner) * 0.85
        turn = rotation(yaw=rng.uniform(-0.5, 0.5), roll=rng.uniform(0.3, 0.6))
        solids.append(
            ellipsoid((x, -d + 0.42, seat + 0.19), (0.22, 0.075, 0.2), m.fabric(rng), turn)
        )
    return Piece(w, d, solids, None)


def bed(rng: Random) -> Piece:
    """Return a bed with headboard, mattress, duvet and pillows."""
    w, d, of = rng.uniform(0.45, 0.9), 1.02, m.board(rng)
    sheet, duvet = m.fabric(rng), m.fabric(rng)
    top = rng.uniform(0.45, 0.6)
    solids = [
        box((0, 0, top * 0.3), (w, d, top * 0.22), of),
        box((0, -d, top), (w + 0.02, 0.03, top * rng.uniform(0.8, 1.1)), of),
        box((0, 0.02, top - 0.11), (w - 0.02, d - 0.04, 0.1), sheet),
        box((0, 0.3, top - 0.06), (w + 0.02, d - 0.32, 0.09), duvet),
        cylinder((0, -0.05, top - 0.02), 0.06, w + 0.015, duvet, ALONG_X),
    ]
    for x in (-w / 2, w / 2) if w > 0.6 else (0.0,):
        solids.append(
            ellipsoid(
                (x, -d + 0.3, top + 0.06), (0.33, 0.22, 0.1), m.fabric(rng), rotation(roll=0.25)
            )
        )
    return Piece(w + 0.02, d + 0.03, solids)


def cabinet(rng: Random, tall: bool | None = None) -> Piece:
    """Return a sideboard, chest of drawers, wardrobe or fridge: a body with fronts and handles."""
    tall = rng.random() < 0.35 if tall is None else tall
    body = m.board(rng)
    w, d = rng.uniform(0.35, 0.9), rng.uniform(0.19, 0.3)
    h = rng.uniform(1.5, 2.2) if tall else rng.uniform(0.5, 1.1)
    front = body if rng.random() < 0.6 else m.board(rng)
    rows = 1 if tall else rng.randint(1, 4)
    columns = max(1, round(w / rng.uniform(0.25, 0.5)))
    foot = rng.choice([0.03, 0.08])
    solids = [
        box((0, -0.01, (h + foot) / 2), (w, d - 0.015, (h - foot) / 2), body),
        box((0, -0.02, foot / 2), (w - 0.03, d - 0.05, foot / 2), m.metal(rng)),
        box((0, 0, h + 0.01), (w + 0.01, d, 0.012), body),
    ]
    cell_w, cell_h = w / columns, (h - foot - 0.02) / rows / 2
    handle = m.metal(rng)
    for i in range(columns):
        for j in range(rows):
            x, z = (2 * i + 1 - columns) * cell_w, foot + (2 * j + 1) * cell_h
            solids.append(box((x, d - 0.018, z), (cell_w - 0.006, 0.012, cell_h - 0.006), front))
            if rows > 1:
                solids.append(
                    box((x, d, z + cell_h * 0.4), (min(0.07, cell_w / 2), 0.009, 0.007), handle)
                )
            else:
                side = 1 if i % 2 == 0 else -1
                solids.append(box((x + side * (cell_w - 0.05), d, z), (0.007, 0.01, 0.08), handle))
    return Piece(w + 0.01, d, solids, None if tall else h + 0.022)


def bookshelf(rng: Random) -> Piece:
    """Return an open shelf with rows of books and small objects."""
    of = m.board(rng)
    w, d, rows = rng.uniform(0.3, 0.6), rng.uniform(0.13, 0.18), rng.randint(2, 5)
    pitch = rng.uniform(0.32, 0.4)
    h = rows * pitch + 0.08
    solids = [box((s * w, 0, h / 2), (0.012, d, h / 2), of) for s in (-1, 1)]
    solids.append(box((0, -d + 0.008, h / 2), (w, 0.008, h / 2), of))
    solids += [box((0, 0, 0.06 + k * pitch), (w, d, 0.012), of) for k in range(rows + 1)]
    for k in range(rows):
        z, x = 0.072 + k * pitch, -w + 0.02
        while x < w - 0.12:
            run = min(rng.uniform(0.08, 0.5), (w - 0.02 - x))
            tall = rng.uniform(0.55, 0.85) * (pitch - 0.03)
            kind = rng.random()
            if kind < 0.65:
                back = rng.uniform(0.01, 0.06)
                solids.append(
                    box(
                        (x + run / 2, -back / 2, z + tall / 2),
                        (run / 2, d - back - 0.01, tall / 2),
                        m.books(rng),
                    )
                )
            elif kind < 0.85:
                solids += placed(
                    on_table(rng, small=True), x + run / 2, rng.uniform(-0.3, 0.3) * d, z
                )
            x += run + rng.uniform(0.005, 0.08)
    return Piece(w + 0.012, d, solids, h)


def desk(rng: Random) -> Piece:
    """Return an office desk with one or two monitors, keyboard and mouse."""
    w, d, h = rng.uniform(0.55, 0.9), rng.uniform(0.32, 0.42), rng.uniform(0.7, 0.76)
    of, frame, black = m.board(rng), m.metal(rng), m.plain(rng, 0.1)
    solids = [box((0, 0, h - 0.014), (w, d, 0.014), of)]
    if rng.random() < 0.5:
        solids += [
            box((s * (w - 0.02), 0, h / 2 - 0.02), (0.015, d - 0.02, h / 2 - 0.02), of)
            for s in (-1, 1)
        ]
    else:
        solids += _legs(w - 0.02, d - 0.02, h - 0.03, 0.02, frame)
    if rng.random() < 0.6:
        solids.append(box((w - 0.25, -0.02, h / 2 - 0.03), (0.2, d - 0.05, h / 2 - 0.04), of))
    for x in (-0.28, 0.3) if w > 0.7 and rng.random() < 0.4 else (rng.uniform(-0.2, 0.2),):
        turn = rng.uniform(-0.25, 0.25)
        wide = rng.uniform(0.24, 0.32)
        high = wide * 0.57
        z = h + 0.1 + high
        stand = [
            box((0, 0, z), (wide, 0.014, high), black),
            box((0, 0.0145, z + 0.003), (wide - 0.012, 0.001, high - 0.014), m.screen(rng)),
            box((0, -0.03, h + 0.12), (0.03, 0.01, 0.13), frame),
            box((0, -0.02, h + 0.006), (0.11, 0.08, 0.006), frame),
        ]
        solids += placed(stand, x, -d * 0.45, 0, turn)
    solids.append(box((0, d * 0.45, h + 0.011), (0.21, 0.065, 0.011), m.plain(rng, 0.1)))
    solids.append(ellipsoid((0.3, d * 0.45, h + 0.012), (0.03, 0.055, 0.02), m.plain(rng, 0.1)))
    return Piece(w, d, solids, h)


def tv_bench(rng: Random) -> Piece:
    """Return a low bench with a television on it."""
    base = cabinet(rng, tall=False)
    scale_w, h = rng.uniform(0.6, 0.9), rng.uniform(0.35, 0.5)
    of = m.board(rng)
    solids = [box((0, 0, h / 2 + 0.03), (scale_w, base.depth, h / 2 - 0.03), of)]
    solids += [
        box(
            (s * scale_w / 2, base.depth, h / 2 + 0.03),
            (scale_w / 2 - 0.01, 0.01, h / 2 - 0.05),
            of,
        )
        for s in (-1, 1)
    ]
    solids.append(box((0, 0, 0.03), (scale_w - 0.05, base.depth - 0.04, 0.03), m.metal(rng)))
    wide = rng.uniform(0.4, 0.62)
    solids.append(
        box((0, 0, h + 0.07 + wide * 0.56), (wide, 0.025, wide * 0.56), m.plain(rng, 0.0))
    )
    solids.append(
        box(
            (0, 0.026, h + 0.07 + wide * 0.56),
            (wide - 0.015, 0.002, wide * 0.56 - 0.015),
            m.screen(rng),
        )
    )
    solids.append(box((0, 0, h + 0.03), (0.16, 0.1, 0.03), m.metal(rng)))
    return Piece(scale_w, base.depth + 0.01, solids)


def kitchen(rng: Random) -> Piece:
    """Return a kitchen counter with a sink, and cupboards below and above."""
    w, d, h = rng.uniform(0.8, 1.5), 0.3, 0.9
    front, top, handle = (
        m.board(rng),
        m.wood(rng) if rng.random() < 0.5 else m.plain(rng, 0.1),
        m.metal(rng),
    )
    solids = [
        box((0, -0.01, 0.49), (w, d - 0.02, 0.39), front),
        box((0, 0.0, h - 0.015), (w + 0.01, d + 0.01, 0.02), top),
    ]
    solids.append(box((0, -0.03, 0.05), (w - 0.01, d - 0.05, 0.05), m.metal(rng)))
    n = max(2, round(w / 0.3))
    for k in range(n):
        x = (2 * k + 1 - n) * w / n
        solids.append(box((x, d - 0.02, 0.48), (w / n - 0.005, 0.012, 0.36), front))
        solids.append(box((x, d + 0.005, 0.78), (0.06, 0.008, 0.006), handle))
        solids.append(box((x, -d + 0.17, 1.78), (w / n - 0.004, 0.17, 0.34), front))
        solids.append(box((x, -d + 0.35, 1.5), (0.06, 0.008, 0.006), handle))
    x = rng.uniform(-0.5, 0.5) * w
    solids.append(box((x, 0, h + 0.006), (0.27, 0.22, 0.003), m.metal(rng)))
    solids.append(cylinder((x, -0.2, h + 0.12), 0.012, 0.12, handle))
    solids.append(cylinder((x, -0.12, h + 0.24), 0.01, 0.09, handle, ALONG_Y))
    return Piece(w + 0.01, d + 0.01, solids, h + 0.005)


def nightstand(rng: Random) -> Piece:
    """Return a nightstand with a drawer."""
    w, h, of = rng.uniform(0.18, 0.26), rng.uniform(0.4, 0.6), m.board(rng)
    solids = [
        *_legs(w, w, h, 0.015, of),
        box((0, 0, h - 0.12), (w, w, 0.1), of),
        box((0, 0, h), (w + 0.01, w + 0.01, 0.012), of),
    ]
    solids.append(ellipsoid((0, w + 0.012, h - 0.12), (0.015, 0.015, 0.015), m.metal(rng)))
    return Piece(w + 0.01, w + 0.01, solids, h + 0.012)


ALONG_WALLS = {  # what stands along walls, and how often
    sofa: 3.0,
    bed: 1.6,
    cabinet: 3.0,
    bookshelf: 2.5,
    desk: 2.5,
    tv_bench: 1.5,
    kitchen: 1.2,
    nightstand: 1.0,
    table: 1.0,
}
