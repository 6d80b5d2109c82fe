# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Camera of the renderer: field of view, pose, and the film that turns radiance into bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor

from msdepth_ros.geometry.pinhole import Intrinsics
from msdepth_ros.rooms.solids import Vector


def from_fov(width: int, height: int, degrees: float) -> Intrinsics:
    """Return a centred pinhole camera with square pixels.

    Parameters
    ----------
    width, height : of the image, pixels.
    degrees : horizontal field of view.

    """
    focal = width / 2 / math.tan(math.radians(degrees) / 2)
    return Intrinsics(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)


@dataclass(frozen=True)
class Pose:
    """Camera in the world.

    Attributes
    ----------
    position : float32 [3], metres in the world (z up).
    rotation : float32 [3, 3]; its columns are the optical axes (x right, y down, z forward,
        REP-103) in the world.

    """

    position: Tensor
    rotation: Tensor

    @classmethod
    def look(cls, position: Vector, yaw: float, pitch: float = 0.0, roll: float = 0.0) -> Pose:
        """Look along `yaw` (about z, from x), raised by `pitch`, rolled clockwise. Radians."""
        cy, sy, cp, sp = math.cos(yaw), math.sin(yaw), math.cos(pitch), math.sin(pitch)
        forward = torch.tensor([cy * cp, sy * cp, sp], dtype=torch.float64)
        right = torch.tensor([sy, -cy, 0.0], dtype=torch.float64)
        down = torch.linalg.cross(forward, right)
        cr, sr = math.cos(roll), math.sin(roll)
        axes = torch.stack([cr * right + sr * down, cr * down - sr * right, forward], 1)
        return cls(torch.tensor(position, dtype=torch.float32), axes.float())

    @classmethod
    def look_at(cls, position: Vector, target: Vector, roll: float = 0.0) -> Pose:
        """Look at a point of the world."""
        x, y, z = (b - a for a, b in zip(position, target, strict=True))
        return cls.look(position, math.atan2(y, x), math.atan2(z, math.hypot(x, y)), roll)


@dataclass(frozen=True)
class Film:
    """From linear radiance to an 8-bit image.

    Attributes
    ----------
    exposure : brightness that the mean of the image is brought to; 0 leaves radiance as it is.
    balance : gain of each channel.
    vignette : share of light that is lost in the corners.
    blur : standard deviation, pixels.
    noise : standard deviation at full brightness.
    saturation : of the colours; 1 leaves them as they are.
    gamma : of the encoding.

    """

    exposure: float = 0.36
    balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    vignette: float = 0.08
    blur: float = 0.0
    noise: float = 0.0
    saturation: float = 1.0
    gamma: float = 2.2

    @classmethod
    def random(cls, rng: Random) -> Film:
        """The film of some camera, good or bad."""
        warm = rng.gauss(0, 0.07)
        return cls(
            exposure=rng.uniform(0.2, 0.5),
            balance=(1 + warm, 1 + rng.gauss(0, 0.02), 1 - warm),
            vignette=rng.random() * 0.3,
            blur=rng.uniform(0.2, 0.9),
            noise=rng.random() ** 2 * 0.04,
            saturation=rng.uniform(0.65, 1.2),
            gamma=rng.uniform(2.0, 2.4),
        )

    def develop(self, radiance: Tensor, gain: float | None = None, seed: int = 0) -> Tensor:
        """Return uint8 [H, W, 3] of linear RGB [H, W, 3]; `gain` fixes the exposure."""
        height, width, _ = radiance.shape
        device = radiance.device
        light = radiance * (self.gain(radiance) if gain is None else gain)
        light = light * torch.tensor(self.balance, device=device)
        y = torch.linspace(-1, 1, height, device=device)[:, None]
        x = torch.linspace(-1, 1, width, device=device)[None]
        light = light * (1 - self.vignette * (x * x + y * y) / 2)[:, :, None]
        grey = light.mean(2, keepdim=True)
        light = (grey + (light - grey) * self.saturation).clamp(min=0)
        # A shoulder that is linear below 0.6 and rolls off towards 1.
        light = torch.where(light < 0.6, light, 1 - 0.4 * torch.exp(-(light - 0.6) / 0.4))
        if self.blur > 0:
            light = _gaussian(light, self.blur)
        if self.noise > 0:
            generator = torch.Generator().manual_seed(seed)
            grains = torch.randn(light.shape, generator=generator).to(device)
            light = light + grains * self.noise * (light + 0.02).sqrt()
        return (light.clamp(0, 1) ** (1 / self.gamma) * 255).round().to(torch.uint8)

    def gain(self, radiance: Tensor) -> float:
        """Return what brings the mean of an image [H, W, 3], windows aside, to the exposure."""
        if self.exposure == 0:
            return 1.0
        grey = radiance.mean(2).flatten()
        limit = torch.quantile(grey[:: max(1, len(grey) // 20000)], 0.9)
        return self.exposure / max(float(grey.clamp(max=float(limit)).mean()), 1e-4)


def _gaussian(image: Tensor, sigma: float) -> Tensor:
    radius = max(1, math.ceil(2.5 * sigma))
    k = torch.arange(-radius, radius + 1, device=image.device, dtype=torch.float32)
    weight = torch.exp(-(k**2) / (2 * sigma**2))
    weight = (weight / weight.sum()).repeat(3, 1)
    planes = F.pad(image.permute(2, 0, 1)[None], (radius,) * 4, mode='replicate')
    planes = F.conv2d(planes, weight[:, None, :, None], groups=3)
    return F.conv2d(planes, weight[:, None, None, :], groups=3)[0].permute(1, 2, 0)
