# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Camera of the renderer: its field of view, its pose, and the film: radiance to 8-bit colour."""

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
    width, height : size of the image, pixels.
    degrees : horizontal field of view.
    """
    focal = width / 2 / math.tan(math.radians(degrees) / 2)
    return Intrinsics(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)


@dataclass(frozen=True)
class Pose:
    """Where a camera is in the world frame (z up), and where it looks.

    Attributes
    ----------
    position : float32 [3], metres in the world frame.
    rotation : float32 [3, 3]; its columns are the axes of the optical frame (x right, y down,
        z forward, REP-103) in the world frame.
    """

    position: Tensor
    rotation: Tensor

    @classmethod
    def look(cls, position: Vector, yaw: float, pitch: float = 0.0, roll: float = 0.0) -> Pose:
        """Return the pose of a camera with these angles.

        Parameters
        ----------
        position : metres in the world frame.
        yaw : direction of view about the world's z axis, from its x axis, radians.
        pitch : upwards from the horizontal, radians.
        roll : clockwise, as seen from behind the camera, radians.
        """
        cy, sy, cp, sp = math.cos(yaw), math.sin(yaw), math.cos(pitch), math.sin(pitch)
        forward = torch.tensor([cy * cp, sy * cp, sp], dtype=torch.float64)
        right = torch.tensor([sy, -cy, 0.0], dtype=torch.float64)
        down = torch.linalg.cross(forward, right)
        cr, sr = math.cos(roll), math.sin(roll)
        axes = torch.stack([cr * right + sr * down, cr * down - sr * right, forward], 1)
        return cls(torch.tensor(position, dtype=torch.float32), axes.float())

    @classmethod
    def look_at(cls, position: Vector, target: Vector, roll: float = 0.0) -> Pose:
        """Return the pose of a camera at `position` that looks at `target`, both in metres.

        Parameters
        ----------
        roll : clockwise, as seen from behind the camera, radians.
        """
        x, y, z = (b - a for a, b in zip(position, target, strict=True))
        return cls.look(position, math.atan2(y, x), math.atan2(z, math.hypot(x, y)), roll)


@dataclass(frozen=True)
class Film:
    """How linear radiance becomes an 8-bit image.

    Attributes
    ----------
    exposure : the image's mean brightness afterwards, in [0, 1]; 0 leaves the radiance unchanged.
    balance : gain of each channel.
    vignette : fraction of the light that is lost in the corners.
    blur : standard deviation of a Gaussian blur, pixels.
    noise : standard deviation of the noise at full brightness.
    saturation : factor on the colours' saturation; 1 leaves them unchanged.
    gamma : exponent of the encoding.
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
        """Return the film of a random camera, good or bad."""
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
        """Return the 8-bit image of linear radiance.

        Parameters
        ----------
        radiance : float32 [H, W, 3], linear RGB.
        gain : factor on the radiance; None computes it from the exposure.
        seed : of the noise.

        Returns
        -------
        uint8 [H, W, 3], RGB.
        """
        height, width, _ = radiance.shape
        device = radiance.device
        light = radiance * (self.gain(radiance) if gain is None else gain)
        light = light * torch.tensor(self.balance, device=device)
        y = torch.linspace(-1, 1, height, device=device)[:, None]
        x = torch.linspace(-1, 1, width, device=device)[None]
        light = light * (1 - self.vignette * (x * x + y * y) / 2)[:, :, None]
        grey = light.mean(2, keepdim=True)
        light = (grey + (light - grey) * self.saturation).clamp(min=0)
        # Linear up to 0.6; above it, an exponential that approaches 1.
        light = torch.where(light < 0.6, light, 1 - 0.4 * torch.exp(-(light - 0.6) / 0.4))
        if self.blur > 0:
            light = _gaussian(light, self.blur)
        if self.noise > 0:
            generator = torch.Generator().manual_seed(seed)
            grains = torch.randn(light.shape, generator=generator).to(device)
            light = light + grains * self.noise * (light + 0.02).sqrt()
        return (light.clamp(0, 1) ** (1 / self.gamma) * 255).round().to(torch.uint8)

    def gain(self, radiance: Tensor) -> float:
        """Return the factor that brings an image's mean brightness to the exposure.

        Parameters
        ----------
        radiance : float32 [H, W, 3], linear RGB. Its brightest tenth (windows) is clipped.
        """
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
