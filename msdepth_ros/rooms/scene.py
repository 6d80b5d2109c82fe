# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A furnished room as tensors, made of solids.

World frame: z up. The inside of the room is [0, length] x [0, width] x [0, height] metres.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from msdepth_ros.rooms.geometry import Primitives
from msdepth_ros.rooms.materials import Material
from msdepth_ros.rooms.solids import SHELL, Solid, Vector
from msdepth_ros.rooms.texture import PATTERNS

LAMP_EMISSION = 0.8  # surfaces that emit more are sampled as lights


@dataclass(frozen=True)
class Surface:
    """A table top.

    Attributes
    ----------
    center : of the top, metres in the world frame.
    width, depth : half of its size along x and y before it is turned, metres.
    yaw : by which it is turned, radians; its user sits at +y before that.
    """

    center: Vector
    width: float
    depth: float
    yaw: float


@dataclass(frozen=True)
class Scene:
    """One room, ready to be rendered.

    Attributes
    ----------
    size : length (x), width (y) and height (z), metres.
    primitives : number 0 is the room's shell; the solids follow in their order.
    material : int64 [P], row of each primitive in `materials`; the shell uses rows 0 to 5, by face.
    materials : float32 [M, 12]: pattern, colour (3), accent (3), scale, contrast, gloss, emission,
        seed.
    lights : primitives sampled as lights.
    windows : those of the lights that let the sun in.
    sun : unit vector towards the sun, and its radiance on a surface facing it; None: no sun.
    surfaces : table tops, for close views.
    """

    size: Vector
    primitives: Primitives
    material: Tensor
    materials: Tensor
    lights: tuple[int, ...] = ()
    windows: tuple[int, ...] = ()
    sun: tuple[Vector, float] | None = None
    surfaces: tuple[Surface, ...] = field(default_factory=tuple)

    @property
    def device(self) -> torch.device:
        """The device of the tensors."""
        return self.material.device

    def to(self, device: torch.device | str) -> Scene:
        """Return a copy on another device."""
        return replace(
            self,
            primitives=self.primitives.to(device),
            material=self.material.to(device),
            materials=self.materials.to(device),
        )


def _row(material: Material) -> tuple[float, ...]:
    return (
        float(PATTERNS.index(material.pattern)),
        *material.color,
        *material.accent,
        material.scale,
        material.contrast,
        material.gloss,
        material.emission,
        float(material.seed),
    )


def assemble(
    size: Vector,
    walls: dict[str, Material],
    solids: Iterable[Solid],
    sun: tuple[Vector, float] | None = None,
    surfaces: Iterable[Surface] = (),
) -> Scene:
    """Return the scene of a room.

    Parameters
    ----------
    size : length (x), width (y) and height (z), metres.
    walls : materials of the faces '-x', '+x', '-y', '+y', '-z' (floor) and '+z' (ceiling).
    solids : everything in the room.
    sun, surfaces : see `Scene`.
    """
    middle = (size[0] / 2, size[1] / 2, size[2] / 2)
    parts = [Solid(SHELL, middle, middle, walls['-z']), *solids]
    rows = [_row(walls[face]) for face in ('-x', '+x', '-y', '+y', '-z', '+z')]
    known: dict[Material, int] = {}
    material = [0]
    for solid in parts[1:]:
        if solid.material not in known:
            known[solid.material] = len(rows)
            rows.append(_row(solid.material))
        material.append(known[solid.material])
    primitives = Primitives(
        shape=torch.tensor([s.shape for s in parts]),
        center=torch.tensor([s.center for s in parts], dtype=torch.float32),
        half=torch.tensor([s.half for s in parts], dtype=torch.float32),
        rotation=torch.tensor([s.rotation for s in parts], dtype=torch.float32),
        taper=torch.tensor([s.taper for s in parts], dtype=torch.float32),
    )
    return Scene(
        size=size,
        primitives=primitives,
        material=torch.tensor(material),
        materials=torch.tensor(rows, dtype=torch.float32),
        lights=tuple(k for k, s in enumerate(parts) if s.material.emission > LAMP_EMISSION),
        windows=tuple(k for k, s in enumerate(parts) if s.material.pattern == 'outdoors'),
        sun=sun,
        surfaces=tuple(surfaces),
    )
