# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Smaller objects on tables and floors: clutter, plants, lamps, people. They stand on z = 0."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

from msdepth_ros.rooms import materials as m
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


def mug(rng: Random) -> list[Solid]:
    """Return a mug with a handle."""
    of, r, h = m.plain(rng, 0.9), rng.uniform(0.035, 0.048), rng.uniform(0.04, 0.055)
    drink = m.Material('plaster', (0.04, 0.02, 0.01), gloss=0.3)
    return [
        cylinder((0, 0, h), r, h, of, taper=rng.uniform(-0.15, 0.1)),
        cylinder((0, 0, 2 * h), r * 0.85, 0.0015, drink),
        ellipsoid((r * 1.25, 0, h), (r * 0.45, 0.007, h * 0.65), of),
    ]


def bottle(rng: Random) -> list[Solid]:
    """Return a bottle: body, label, shoulder, neck."""
    of, r, h = m.plain(rng, 0.9), rng.uniform(0.028, 0.045), rng.uniform(0.07, 0.11)
    return [
        cylinder((0, 0, h), r, h, of),
        cylinder((0, 0, h * 0.9), r * 1.01, h * 0.4, m.plain(rng, 0.9)),
        cylinder((0, 0, 2 * h + 0.02), r, 0.02, of, taper=0.6),
        cylinder((0, 0, 2 * h + 0.06), r * 0.4, 0.03, of),
    ]


def book_stack(rng: Random) -> list[Solid]:
    """Return a stack of books."""
    solids: list[Solid] = []
    z = 0.0
    for _ in range(rng.randint(1, 5)):
        h = rng.uniform(0.006, 0.022)
        half = (rng.uniform(0.07, 0.11), rng.uniform(0.1, 0.15), h)
        turn = rotation(yaw=rng.gauss(0, 0.2))
        solids.append(box((0, 0, z + h), half, m.plain(rng, 0.9), turn))
        pages = m.Material('stripes', (0.8, 0.77, 0.68), (0.6, 0.57, 0.5), 30, 0.3)
        solids.append(box((0.003, 0, z + h), (half[0], half[1] - 0.004, h * 0.75), pages, turn))
        z += 2 * h
    return solids


def laptop(rng: Random) -> list[Solid]:
    """Return an open laptop."""
    of, tilt = m.plain(rng, 0.05), rng.uniform(0.1, 0.5)
    w, d = rng.uniform(0.14, 0.18), rng.uniform(0.1, 0.12)
    lid = rotation(roll=tilt)
    y, z = -d - d * math.sin(tilt), 0.015 + d * math.cos(tilt)
    face = (0.0, y + 0.006 * math.cos(tilt), z + 0.006 * math.sin(tilt))
    keys = m.Material('checks', (0.02, 0.02, 0.02), (0.05, 0.05, 0.05), 4, 1)
    return [
        box((0, 0, 0.008), (w, d, 0.008), of),
        box((0, -0.02, 0.0165), (w - 0.02, d * 0.5, 0.0006), keys),
        box((0, y, z), (w, 0.005, d), of, lid),
        box(face, (w - 0.008, 0.0005, d - 0.008), m.screen(rng), lid),
    ]


def bowl(rng: Random) -> list[Solid]:
    """Return a bowl of fruit."""
    r = rng.uniform(0.08, 0.14)
    solids = [cylinder((0, 0, r * 0.3), r * 0.5, r * 0.3, m.plain(rng, 0.5), taper=-1.0)]
    for k in range(rng.randint(2, 6)):
        s, a = rng.uniform(0.03, 0.042), k * 1.7
        hue = rng.choice([0.0, 0.03, 0.07, 0.12, 0.25])
        fruit = m.Material(
            'plaster', m.hsv(hue, 0.8, rng.uniform(0.5, 0.9)), contrast=0.0, gloss=0.1
        )
        solids.append(
            ellipsoid(
                (r * 0.5 * math.cos(a), r * 0.5 * math.sin(a), r * 0.6 + 0.01), (s, s, s), fruit
            )
        )
    return solids


def carton(rng: Random) -> list[Solid]:
    """Return a small box: a carton, a tin, a speaker."""
    half = (rng.uniform(0.02, 0.12), rng.uniform(0.02, 0.1), rng.uniform(0.01, 0.13))
    of = rng.choice([m.plain, m.picture, m.plain, m.board])(rng)
    return [box((0, 0, half[2]), half, of)]


def papers(rng: Random) -> list[Solid]:
    """Return loose sheets or magazines, with a pen."""
    white = m.Material(
        'screen', (0.85, 0.85, 0.83), (0.3, 0.3, 0.35), 2, 0.8, seed=rng.randrange(1 << 16)
    )
    solids = []
    for k in range(rng.randint(1, 3)):
        of = white if rng.random() < 0.6 else m.picture(rng)
        turn = rotation(yaw=rng.gauss(0, 0.5))
        solids.append(box((k * 0.03, k * 0.02, 0.001 + k * 0.002), (0.105, 0.148, 0.001), of, turn))
    solids.append(cylinder((0.05, 0, 0.009), 0.004, 0.07, m.plain(rng, 1), ALONG_X))
    return solids


def tube(rng: Random) -> list[Solid]:
    """Return a can, a glass, or a pot with pens."""
    r, h = rng.uniform(0.025, 0.06), rng.uniform(0.03, 0.1)
    solids = [cylinder((0, 0, h), r, h, m.plain(rng, 0.8), taper=rng.uniform(-0.1, 0.2))]
    if rng.random() < 0.4:
        for k in range(rng.randint(2, 5)):
            turn = rotation(yaw=k * 2.0, pitch=rng.uniform(0.05, 0.25))
            solids.append(cylinder((0, 0, 2 * h + 0.02), 0.004, 0.07, m.plain(rng, 1), turn))
    return solids


def vase(rng: Random) -> list[Solid]:
    """Return a vase with a few flowers."""
    of, h = m.plain(rng, 0.6), rng.uniform(0.07, 0.12)
    solids = [
        ellipsoid((0, 0, h * 0.8), (h * 0.6, h * 0.6, h * 0.8), of),
        cylinder((0, 0, h * 1.7), h * 0.25, h * 0.4, of, taper=-0.3),
    ]
    flower, green = m.plain(rng, 1.2), m.foliage(rng)
    for k in range(rng.randint(3, 6)):
        a, out, up = k * 2.4, rng.uniform(0.03, 0.1), rng.uniform(2.4, 3.6) * h
        turn = rotation(yaw=a, pitch=math.atan2(out, up - 2 * h))
        middle = (out / 2 * math.cos(a), out / 2 * math.sin(a), (2 * h + up) / 2)
        solids.append(cylinder(middle, 0.003, (up - 2 * h) / 2, green, turn))
        solids.append(
            ellipsoid((out * math.cos(a), out * math.sin(a), up), (0.03, 0.03, 0.022), flower)
        )
    return solids


def ball(rng: Random) -> list[Solid]:
    """Return a ball or a fruit."""
    r = rng.uniform(0.025, 0.06)
    return [ellipsoid((0, 0, r), (r, r, r), m.plain(rng, 1))]


def table_lamp(rng: Random) -> list[Solid]:
    """Return a lamp with a shade, lit or not."""
    of, h = m.plain(rng, 0.4), rng.uniform(0.1, 0.2)
    shade = m.glow(rng, rng.uniform(1, 3)) if rng.random() < 0.5 else m.fabric(rng)
    return [
        cylinder((0, 0, 0.012), 0.07, 0.012, of, taper=0.2),
        cylinder((0, 0, h), 0.012, h, of),
        cylinder((0, 0, 2 * h + 0.05), 0.13, 0.08, shade, taper=0.4),
    ]


def teddy(rng: Random) -> list[Solid]:
    """Return a soft toy."""
    of = m.fabric(rng)
    solids = [
        ellipsoid((0, 0, 0.09), (0.07, 0.06, 0.09), of),
        ellipsoid((0, 0.01, 0.22), (0.06, 0.055, 0.055), of),
    ]
    for s in (-1, 1):
        solids.append(ellipsoid((s * 0.05, 0, 0.27), (0.022, 0.012, 0.022), of))
        solids.append(ellipsoid((s * 0.06, 0.08, 0.03), (0.03, 0.06, 0.03), of))
        solids.append(
            ellipsoid((s * 0.085, 0.03, 0.12), (0.05, 0.025, 0.025), of, rotation(pitch=s * 0.6))
        )
    return solids


_SMALL = (mug, bottle, tube, carton, ball, vase, bowl)
_TABLE = (
    mug,
    bottle,
    book_stack,
    laptop,
    bowl,
    carton,
    papers,
    tube,
    vase,
    ball,
    table_lamp,
    teddy,
)


def on_table(rng: Random, small: bool = False) -> list[Solid]:
    """Return one random object for a table or, if `small`, for a shelf."""
    return rng.choice(_SMALL if small else _TABLE)(rng)


def plant(rng: Random, height: float | None = None) -> list[Solid]:
    """Return a potted plant: long leaves from a short stem, or a crown on a trunk."""
    h = height or rng.uniform(0.4, 1.7)
    r = rng.uniform(0.1, 0.18) * min(1.0, h)
    green = [m.foliage(rng) for _ in range(2)]
    solids = [
        cylinder((0, 0, r * 0.9), r * 0.75, r * 0.9, m.plain(rng, 0.5), taper=-0.35),
        cylinder((0, 0, r * 1.8), r * 0.9, 0.004, m.Material('stone', (0.05, 0.03, 0.02))),
    ]
    bushy = rng.random() < 0.4
    base = r * 1.8
    if bushy:
        solids.append(
            cylinder((0, 0, (base + h * 0.7) / 2), 0.018, (h * 0.7 - base) / 2, m.wood(rng))
        )
    for k in range(rng.randint(14, 26)):
        a = k * 2.4 + rng.gauss(0, 0.2)
        if bushy:
            out, z = rng.uniform(0.03, 0.22) * h, h * rng.uniform(0.55, 1.0)
            size, pitch = rng.uniform(0.05, 0.09) * h, rng.uniform(0.3, 1.6)
        else:
            pitch = rng.uniform(0.15, 1.1)
            size = (h - base) * rng.uniform(0.3, 0.5)
            out, z = size * math.sin(pitch), base + size * math.cos(pitch)
        turn = rotation(yaw=a, pitch=pitch)
        solids.append(
            ellipsoid(
                (out * math.cos(a), out * math.sin(a), z),
                (0.006, size * (0.5 if bushy else 0.16), size),
                green[k % 2],
                turn,
            )
        )
    return solids


def floor_lamp(rng: Random, brightness: float | None = None) -> list[Solid]:
    """Return a floor lamp; `brightness` is its emission, at random where it is None."""
    of, h = m.metal(rng), rng.uniform(1.3, 1.65)
    light = rng.uniform(0, 4) if brightness is None else brightness
    return [
        cylinder((0, 0, 0.012), 0.14, 0.012, of, taper=0.1),
        cylinder((0, 0, h / 2), 0.012, h / 2, of),
        cylinder((0, 0, h), 0.19, 0.13, m.glow(rng, light), taper=0.35),
    ]


def person(rng: Random) -> list[Solid]:
    """Return a standing person, with hanging or bent arms."""
    s = rng.uniform(0.85, 1.05)
    trousers, shirt, flesh, hair = m.fabric(rng), m.fabric(rng), m.skin(rng), m.wood(rng)
    hair = replace(hair, pattern='fabric', gloss=0.0)
    solids = []
    stride = rng.uniform(-0.25, 0.25)
    for side in (-1, 1):
        x, swing = side * 0.09 * s, side * stride
        foot = 0.42 * s * math.sin(swing)
        leg = rotation(roll=swing)
        solids.append(cylinder((x, foot, 0.46 * s), 0.06 * s, 0.43 * s, trousers, leg, taper=-0.5))
        solids.append(
            ellipsoid((x, 2 * foot + 0.05, 0.045), (0.05, 0.14, 0.045), m.plain(rng, 0.3))
        )
        arm = rotation(pitch=-side * rng.uniform(0.05, 0.2), roll=rng.uniform(-0.3, 0.3))
        solids.append(
            cylinder((side * 0.225 * s, 0, 1.24 * s), 0.05 * s, 0.15 * s, shirt, arm, taper=-0.15)
        )
        bent = rotation(pitch=-side * 0.1, roll=rng.uniform(0.0, 1.4))
        down = (side * 0.24 * s, 0.12 * s * bent[1][2] * -1, 1.1 * s - 0.13 * s * bent[2][2])
        solids.append(cylinder(down, 0.036 * s, 0.13 * s, flesh, bent, taper=-0.2))
    solids += [
        ellipsoid((0, 0, 0.93 * s), (0.17 * s, 0.125 * s, 0.15 * s), trousers),
        cylinder((0, 0, 1.16 * s), 0.16 * s, 0.23 * s, shirt, taper=-0.15, flatten=0.65),
        ellipsoid((0, 0, 1.39 * s), (0.2 * s, 0.11 * s, 0.09 * s), shirt),
        cylinder((0, 0, 1.48 * s), 0.05 * s, 0.06 * s, flesh),
        ellipsoid((0, 0.01, 1.62 * s), (0.075 * s, 0.095 * s, 0.115 * s), flesh),
        ellipsoid((0, -0.015, 1.655 * s), (0.083 * s, 0.1 * s, 0.1 * s), hair),
        ellipsoid((0, 0.105 * s, 1.6 * s), (0.012, 0.02, 0.02), flesh),
    ]
    return solids


def bin_(rng: Random) -> list[Solid]:
    """Return a waste-paper bin."""
    r = rng.uniform(0.12, 0.18)
    inside = m.Material('plaster', (0.03, 0.03, 0.03))
    h = rng.uniform(0.13, 0.3)
    return [
        cylinder((0, 0, h), r * 0.8, h, m.plain(rng), taper=-0.25),
        cylinder((0, 0, 2 * h), r * 0.92, 0.002, inside),
    ]


def crate(rng: Random) -> list[Solid]:
    """Return a cardboard box with tape, at times with a second box on top."""
    card = m.Material(
        'fabric', (0.45, 0.3, 0.17), (0.35, 0.23, 0.13), 1, 0.3, seed=rng.randrange(1 << 16)
    )
    of = card if rng.random() < 0.7 else m.plain(rng)
    half = (rng.uniform(0.12, 0.3), rng.uniform(0.12, 0.25), rng.uniform(0.1, 0.22))
    tape = m.Material('plaster', (0.6, 0.5, 0.35), gloss=0.2)
    solids = [
        box((0, 0, half[2]), half, of),
        box((0, 0, half[2]), (0.025, half[1] + 0.001, half[2] + 0.001), tape),
    ]
    if rng.random() < 0.3:
        solids += placed(carton(rng), 0, 0, 2 * half[2], rng.uniform(-1, 1))
    return solids


def shoes(rng: Random) -> list[Solid]:
    """Return a pair of shoes."""
    of = m.plain(rng)
    solids = []
    for side in (-1, 1):
        x = side * rng.uniform(0.06, 0.09)
        solids.append(ellipsoid((x, 0.05, 0.035), (0.045, 0.1, 0.04), of))
        solids.append(cylinder((x, -0.06, 0.05), 0.042, 0.05, of, flatten=1.2))
    return solids


def bag(rng: Random) -> list[Solid]:
    """Return a backpack."""
    of = m.fabric(rng)
    return [
        ellipsoid((0, 0, 0.21), (0.17, 0.12, 0.23), of),
        box((0, 0, 0.12), (0.14, 0.09, 0.12), of),
        ellipsoid((0, 0.1, 0.15), (0.11, 0.06, 0.1), m.fabric(rng)),
    ]


def stool(rng: Random) -> list[Solid]:
    """Return a stool or pouffe."""
    if rng.random() < 0.5:
        r = rng.uniform(0.22, 0.32)
        return [ellipsoid((0, 0, r * 0.6), (r, r, r * 0.62), m.fabric(rng))]
    of = m.wood(rng)
    solids = [cylinder((0, 0, 0.45), 0.16, 0.02, of)]
    for k in range(3):
        turn = rotation(yaw=k * 2.0944, pitch=-0.15)
        solids.append(cylinder((turn[0][0] * 0.13, turn[1][0] * 0.13, 0.22), 0.015, 0.22, of, turn))
    return solids


def toy_car(rng: Random) -> list[Solid]:
    """Return a toy car or a cleaning robot."""
    of, tyre = m.plain(rng, 1.2), m.plain(rng, 0)
    if rng.random() < 0.4:
        return [
            cylinder((0, 0, 0.045), 0.17, 0.04, m.plain(rng, 0.1)),
            cylinder((0, 0, 0.09), 0.05, 0.01, of),
        ]
    solids = [
        box((0, 0, 0.05), (0.05, 0.11, 0.025), of),
        box((0, -0.01, 0.09), (0.04, 0.06, 0.02), m.plain(rng, 0.2)),
    ]
    for x in (-0.05, 0.05):
        for y in (-0.07, 0.07):
            solids.append(cylinder((x, y, 0.028), 0.028, 0.012, tyre, ALONG_X))
    return solids


def cable(rng: Random) -> list[Solid]:
    """Return a thin rod that lies on the floor: a cable, a pole, a rolled poster."""
    r = rng.choice([0.006, 0.012, 0.04])
    rod = cylinder((0, 0, r), r, rng.uniform(0.2, 0.7), m.plain(rng), ALONG_Y)
    return placed([rod], 0, 0, 0, rng.uniform(0, math.pi))


_FLOOR = (
    plant,
    plant,
    floor_lamp,
    bin_,
    crate,
    crate,
    shoes,
    bag,
    stool,
    toy_car,
    book_stack,
    ball,
    cable,
)


def on_floor(rng: Random) -> list[Solid]:
    """Return one random object for the floor."""
    return rng.choice(_FLOOR)(rng)
