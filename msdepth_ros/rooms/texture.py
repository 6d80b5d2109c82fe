# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Procedural patterns: the reflectance of a point from its material and its place on the face."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

_SIZE = 256


@dataclass(frozen=True)
class Patch:
    """N surface points of one pattern.

    Attributes
    ----------
    u, v : [N], s and t times the material's scale.
    s, t : [N], metres from the middle of the face.
    extent : [N, 2], half of the face's size, metres.
    grain : [N], the width that one sample covers, in the unit of u and v.
    material : [N, 12], rows of `Scene.materials`.
    """

    u: Tensor
    v: Tensor
    s: Tensor
    t: Tensor
    extent: Tensor
    grain: Tensor
    material: Tensor

    @property
    def color(self) -> Tensor:
        """Linear RGB, [N, 3]."""
        return self.material[:, 1:4]

    @property
    def accent(self) -> Tensor:
        """Second colour, linear RGB, [N, 3]."""
        return self.material[:, 4:7]

    @property
    def contrast(self) -> Tensor:
        """Strength of the detail, [N]."""
        return self.material[:, 8]

    @property
    def seed(self) -> Tensor:
        """What makes two materials of the same pattern differ, [N]."""
        return self.material[:, 11]

    def mix(self, share: Tensor) -> Tensor:
        """Return the mixture of `color` (share 0) and `accent` (share 1), [N, 3]."""
        return torch.lerp(self.color, self.accent, share.clamp(0, 1)[:, None])

    def fine(self, frequency: float) -> Tensor:
        """Return 1 where samples resolve `frequency`, cycles/m, down to 0 where they alias, [N]."""
        return (1.5 - 2.5 * self.grain * frequency).clamp(0, 1)


@lru_cache(maxsize=8)
def _noise_tables(device: str) -> tuple[Tensor, Tensor]:
    """Return white noise [256, 256, 4], and a 1/f texture [1, 1, 257, 257] in [0, 1] that tiles."""
    generator = torch.Generator().manual_seed(2014)
    white = torch.rand(_SIZE, _SIZE, 4, generator=generator)
    frequency = torch.fft.fftfreq(_SIZE)
    radius = (frequency[:, None] ** 2 + frequency[None] ** 2).sqrt()
    radius[0, 0] = 1
    spectrum = torch.fft.fft2(torch.randn(_SIZE, _SIZE, generator=generator))
    cloud = torch.fft.ifft2(spectrum * radius.clamp(min=2 / _SIZE) ** -1.3).real
    cloud = (cloud - cloud.mean()) / cloud.std() * 0.2 + 0.5
    cloud = F.pad(cloud.clamp(0, 1)[None, None], (0, 1, 0, 1), mode='circular')
    return white.to(device), cloud.to(device)


def noise(u: Tensor, v: Tensor, seed: Tensor) -> Tensor:
    """Return 1/f noise [N] in [0, 1]: period 1 in u and v, finest detail 1/256."""
    _, cloud = _noise_tables(str(u.device))
    shift = seed * 0.6180339887
    place = torch.stack([torch.remainder(u + shift, 1), torch.remainder(v + shift * 1.7, 1)], 1)
    grid = (place * 2 - 1)[None, None]
    return F.grid_sample(cloud, grid, mode='bilinear', align_corners=True)[0, 0, 0]


def cell(i: Tensor, j: Tensor, seed: Tensor) -> Tensor:
    """Return four uniform random numbers of each cell (i, j), [N, 4]; i and j are whole floats."""
    white, _ = _noise_tables(str(i.device))
    k = seed.long()
    return white[(j.long() * 37 + k) % _SIZE, (i.long() + 57 * j.long() + k // 7) % _SIZE]


def _near(position: Tensor, width: float) -> Tensor:
    """Return 1 where a position is nearer than `width` to an integer, else 0."""
    fraction = torch.remainder(position + 0.5, 1) - 0.5
    return (fraction.abs() < width).float()


def _plaster(p: Patch) -> Tensor:
    stain = noise(p.u * 0.3, p.v * 0.3, p.seed)
    rough = (noise(p.u * 3, p.v * 3, p.seed + 5) - 0.5) * p.fine(100)
    return p.mix(p.contrast * (stain + rough))


def _stripes(p: Patch) -> Tensor:
    band = (torch.remainder(p.u * 9, 1) < 0.5).float()
    thin = _near(p.u * 9 + 0.25, 0.05)
    share = torch.lerp(torch.full_like(band, 0.5), (band + thin).clamp(0, 1), p.fine(9))
    return p.mix(share * (0.3 + p.contrast) + 0.2 * noise(p.u * 2, p.v * 2, p.seed))


def _checks(p: Patch) -> Tensor:
    a = (torch.remainder(p.u * 7, 1) < 0.5).float()
    b = (torch.remainder(p.v * 7, 1) < 0.5).float()
    return p.mix(torch.lerp(torch.full_like(a, 0.5), (a + b) / 2, p.fine(7)))


def _fabric(p: Patch) -> Tensor:
    weave = torch.sin(p.u * 900) * torch.sin(p.v * 900) * p.fine(140)
    wear = noise(p.u * 0.8, p.v * 0.8, p.seed) + (noise(p.u * 4, p.v * 4, p.seed + 3) - 0.5)
    return p.mix(p.contrast * (0.8 * wear + 0.25 * weave))


def _damask(p: Patch) -> Tensor:
    wave = torch.sin(p.u * 22) * torch.sin(p.v * 16) + 0.5 * torch.sin(
        p.u * 44 + 1.5 * torch.sin(p.v * 32)
    )
    return p.mix(
        (wave > 0.25).float() * (0.2 + p.contrast) * p.fine(8) + 0.2 * noise(p.u, p.v, p.seed)
    )


def _wood_grain(u: Tensor, v: Tensor, seed: Tensor) -> Tensor:
    """Return streaks along u, [N]."""
    bend = noise(u * 0.25, v * 0.8, seed)
    rings = 0.5 + 0.5 * torch.sin((v * 30 + bend * 18) * 2.2)
    return 0.45 * rings * noise(u * 0.5, v * 2, seed + 7) + 0.75 * noise(u * 0.35, v * 6, seed + 13)


def _grain(p: Patch) -> Tensor:
    long = p.extent[:, 0] >= p.extent[:, 1]
    u, v = torch.where(long, p.u, p.v), torch.where(long, p.v, p.u)
    return p.mix(p.contrast * 1.3 * _wood_grain(u, v, p.seed))


def _planks(p: Patch) -> Tensor:
    row = torch.floor(p.v * 7)
    shift = cell(row, row * 0, p.seed)[:, 0]
    column = torch.floor(p.u * 0.8 + shift)
    tone = cell(column, row, p.seed + 11)
    share = 0.5 * tone[:, 0] + 0.8 * _wood_grain(p.u + tone[:, 1] * 9, p.v + tone[:, 2] * 5, p.seed)
    gap = _near(p.v * 7, 0.014) * p.fine(90) + _near(p.u * 0.8 + shift, 0.0015) * p.fine(90)
    return p.mix(p.contrast * share * 1.2) * (1 - 0.6 * gap.clamp(0, 1))[:, None]


def _tiles(p: Patch) -> Tensor:
    a, b = p.u * 3, p.v * 3
    tone = cell(torch.floor(a), torch.floor(b), p.seed)[:, 0]
    joint = (_near(a, 0.012) + _near(b, 0.012)).clamp(0, 1) * p.fine(60)
    share = p.contrast * (0.5 * tone + 0.5 * noise(a * 0.3 + tone * 7, b * 0.3, p.seed))
    return torch.lerp(p.mix(share), p.accent * 0.6, 0.7 * joint[:, None])


def _stone(p: Patch) -> Tensor:
    bend = noise(p.u * 0.5, p.v * 0.5, p.seed)
    vein = 1 - (noise(p.u * 0.4 + bend, p.v * 0.4, p.seed + 19) - 0.5).abs() * 9
    return p.mix(p.contrast * (1.2 * vein.clamp(0, 1) + bend))


def _books(p: Patch) -> Tensor:
    place = p.u * 26
    spine = torch.floor(place + 0.6 * torch.sin(place * 0.7))
    hue = cell(spine, spine * 0, p.seed)
    inside = torch.remainder(place + 0.6 * torch.sin(place * 0.7), 1)
    height = (p.t / p.extent[:, 1].clamp(min=1e-3) + 1) / 2
    color = (0.03 + 0.8 * hue[:, :3] ** 2) * (0.4 + 0.9 * hue[:, 3:])
    grey = color.mean(1, keepdim=True)
    color = torch.lerp(color, grey.expand_as(color) * p.color.new_tensor([1.15, 1.0, 0.85]), 0.45)
    label = (
        ((height - 0.55 - 0.2 * hue[:, 1]).abs() < 0.09)
        & (hue[:, 2] > 0.4)
        & ((inside - 0.5).abs() < 0.3)
    )
    color = torch.where(label[:, None], (color * 2.5 + 0.15).clamp(0, 0.9), color)
    edge = (inside < 0.07) | (inside > 0.93) | (height > 0.8 + 0.25 * hue[:, 0])
    return torch.where(edge[:, None], p.accent, color)


def _picture(p: Patch) -> Tensor:
    border = torch.minimum(p.extent[:, 0] - p.s.abs(), p.extent[:, 1] - p.t.abs())
    mount = border < 0.12 * p.extent.amin(1)
    a = noise(p.u * 0.5, p.v * 0.5, p.seed)
    b = noise(p.u * 0.7 + a, p.v * 0.7, p.seed + 31)
    c = noise(p.u * 2, p.v * 2, p.seed + 57)
    color = p.mix((a - 0.5) * 4 + 0.5) * (0.35 + 1.1 * b)[:, None]
    third = torch.stack([c, b, a], 1)
    color = torch.lerp(color, third**1.5, ((b - 0.55) * 6).clamp(0, 0.8)[:, None])
    paper = color.new_tensor([0.8, 0.78, 0.74])
    return torch.where((mount & (p.contrast > 0.9))[:, None], paper, color)


def _rug(p: Patch) -> Tensor:
    border = torch.minimum(p.extent[:, 0] - p.s.abs(), p.extent[:, 1] - p.t.abs())
    bands = ((border > 0.06) & (border < 0.09)) | ((border > 0.14) & (border < 0.2))
    knots = torch.sin(p.s.abs() * 21) * torch.sin(p.t.abs() * 21) + 0.6 * torch.sin(
        (p.s.abs() + p.t.abs()) * 13
    )
    field = torch.where(border > 0.2, (knots > 0.35).float() * p.contrast, bands.float())
    pile = noise(p.u * 3, p.v * 3, p.seed)
    return p.mix(field) * (0.75 + 0.5 * pile)[:, None]


def _screen(p: Patch) -> Tensor:
    line = torch.floor(p.v * 60)
    start = cell(line, line * 0, p.seed)
    word = cell(torch.floor(p.u * 110), line, p.seed + 3)
    position = p.s / p.extent[:, 0].clamp(min=1e-3)
    inside = (position > start[:, 0] * 0.4 - 0.9) & (position < start[:, 1] * 1.2 - 0.3)
    ink = inside & (word[:, 0] > 0.25) & (torch.remainder(p.v * 60, 1) < 0.55) & (start[:, 2] > 0.2)
    panel = (position > 0.45).float() * 0.25
    return p.mix(torch.maximum(ink.float() * p.fine(60), panel * p.contrast))


def _outdoors(p: Patch) -> Tensor:
    height = p.t / p.extent[:, 1].clamp(min=1e-3)
    tree = noise(p.u * 0.35, p.v * 0.35, p.seed)
    edge = height + 0.55 - 1.1 * tree
    leaves = p.accent * (0.35 + 0.9 * noise(p.u * 1.5, p.v * 1.5, p.seed + 3))[:, None]
    sky = torch.lerp(torch.ones_like(p.color), p.color, (0.5 + 0.5 * height).clamp(0, 1)[:, None])
    return torch.lerp(leaves * 0.55, sky, (edge * 6).clamp(0, 1)[:, None])


_PAINTERS: dict[str, Callable[[Patch], Tensor]] = {
    'plaster': _plaster,
    'stripes': _stripes,
    'checks': _checks,
    'fabric': _fabric,
    'damask': _damask,
    'grain': _grain,
    'planks': _planks,
    'tiles': _tiles,
    'stone': _stone,
    'books': _books,
    'picture': _picture,
    'rug': _rug,
    'screen': _screen,
    'outdoors': _outdoors,
}
PATTERNS = tuple(_PAINTERS)


def reflectance(place: Tensor, extent: Tensor, footprint: Tensor, material: Tensor) -> Tensor:
    """Return the reflectance of surface points, linear RGB, float32 [N, 3].

    Parameters
    ----------
    place : float32 [N, 2], metres from the middle of the face.
    extent : float32 [N, 2], half of the face's size, metres.
    footprint : float32 [N], metres that one sample covers.
    material : float32 [N, 12], rows of `Scene.materials`.
    """
    color = torch.empty_like(material[:, 1:4])
    scale = material[:, 7].clamp(min=1e-3)
    for number, paint in enumerate(_PAINTERS.values()):
        rows = (material[:, 0] == number).nonzero()[:, 0]
        if len(rows) == 0:
            continue
        own, size = place[rows], scale[rows]
        patch = Patch(
            u=own[:, 0] * size,
            v=own[:, 1] * size,
            s=own[:, 0],
            t=own[:, 1],
            extent=extent[rows],
            grain=footprint[rows] * size,
            material=material[rows],
        )
        color[rows] = paint(patch)
    return color.clamp(0.002, 0.97)
