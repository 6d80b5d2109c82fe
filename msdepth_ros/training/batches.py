# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Batches of random views, each a function of the seed and its own number alone.

So a training that is resumed sees exactly what one that was never interrupted sees, with no state
of a random generator to be kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from msdepth_ros.networks.depth_network import normalise
from msdepth_ros.training.augmentation import Augmentation, View, ViewMaker
from msdepth_ros.training.datasets import Frame


@dataclass(frozen=True)
class Batch:
    """Views as tensors: uint8 [N, H, W, 3] RGB; float32 and bool [N, 1, h, w]."""

    image: Tensor
    log_depth: Tensor
    valid: Tensor

    def split(self, size: int) -> 'list[Batch]':
        """Return the batch in parts of `size` views, the last may be smaller."""
        parts = (each.split(size) for each in (self.image, self.log_depth, self.valid))
        return [Batch(*part) for part in zip(*parts, strict=True)]


class Batches:
    """Draws batches from frames kept in memory.

    Parameters
    ----------
    frames : training frames.
    maker : makes the views.
    augmentation : how far they stray.
    size : views in a batch.
    seed : of everything random here, any sequence of non-negative integers.

    """

    def __init__(
        self,
        frames: Sequence[Frame],
        maker: ViewMaker,
        augmentation: Augmentation,
        size: int,
        seed: Sequence[int],
    ) -> None:
        self._frames = frames
        self._maker = maker
        self._augmentation = augmentation
        self._size = size
        self._seed = list(seed)

    def __getitem__(self, number: int) -> Batch:
        """Return batch `number`; each frame comes once before any comes again."""
        rng = np.random.default_rng([*self._seed, 1, number])
        places = range(number * self._size, (number + 1) * self._size)
        return stack_views(
            [
                self._maker.random(self._frames[self._frame_at(place)], self._augmentation, rng)
                for place in places
            ]
        )

    def _frame_at(self, place: int) -> int:
        epoch, position = divmod(place, len(self._frames))
        order = np.random.default_rng([*self._seed, 0, epoch]).permutation(len(self._frames))
        return int(order[position])


def stack_views(views: Sequence[View]) -> Batch:
    """Return views as one batch."""
    return Batch(
        torch.from_numpy(np.stack([view.image for view in views])),
        torch.from_numpy(np.stack([view.log_depth for view in views]))[:, None],
        torch.from_numpy(np.stack([view.valid for view in views]))[:, None],
    )


def prepare(image: Tensor, device: torch.device) -> Tensor:
    """Return uint8 [N, H, W, 3] images as a network takes them, on the device."""
    return normalise(image.to(device)).contiguous(memory_format=torch.channels_last)
