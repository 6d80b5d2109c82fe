# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Batches of random views, each a function of the seed and its own number alone.

So a training that is resumed sees exactly what one that was never interrupted sees, with no state
of a random generator to be kept.
"""

import signal
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from msdepth_ros.datasets import Frame
from msdepth_ros.errors import MsdepthError
from msdepth_ros.networks.depth_network import normalise
from msdepth_ros.training.augmentation import Augmentation, View, ViewMaker


@dataclass(frozen=True)
class Batch:
    """Views as tensors: uint8 [N, H, W, 3] RGB; float32 and bool [N, 1, h, w].

    What a teacher is shown has a height and a width of its own, or is None.
    """

    image: Tensor
    log_depth: Tensor
    valid: Tensor
    shown: Tensor | None = None

    def split(self, size: int) -> 'list[Batch]':
        """Return the batch in parts of `size` views, the last may be smaller."""
        parts = (each.split(size) for each in self._tensors())
        return [Batch(*part) for part in zip(*parts, strict=True)]

    def pin_memory(self) -> 'Batch':
        """Return the batch in page-locked memory, as a DataLoader asks for."""
        return Batch(*(each.pin_memory() for each in self._tensors()))

    def to(self, device: torch.device) -> 'Batch':
        """Return the batch on a device."""
        return Batch(*(each.to(device, non_blocking=True) for each in self._tensors()))

    def _tensors(self) -> tuple[Tensor, ...]:
        tensors = self.image, self.log_depth, self.valid
        return tensors if self.shown is None else (*tensors, self.shown)


@dataclass(frozen=True)
class Share:
    """Frames that make up a share of every batch's views, in the long run.

    Attributes
    ----------
    frames : kept in memory.
    weight : of the share, relative to the others'.
    border : pixels along a frame's edge that hold no scene.
    source : name of the source that the frames are of.
    zoom : smallest and largest, where they differ from the augmentation's.
    truth : whether their depths count; else they are views without.

    """

    frames: Sequence[Frame]
    weight: float = 1.0
    border: int = 0
    source: str = ''
    zoom: tuple[float, float] | None = None
    truth: bool = True


class Batches:
    """Draws batches from frames kept in memory.

    Parameters
    ----------
    shares : what to draw from.
    maker : makes the views.
    augmentation : how far they stray.
    size : views in a batch.
    seed : of everything random here, any sequence of non-negative integers.

    """

    def __init__(
        self,
        shares: Sequence[Share],
        maker: ViewMaker,
        augmentation: Augmentation,
        size: int,
        seed: Sequence[int],
    ) -> None:
        self._shares = shares
        self._maker = maker
        self._augmentation = augmentation
        self._size = size
        self._seed = list(seed)
        self._turns = turns([share.weight for share in shares])

    def __getitem__(self, number: int) -> Batch:
        """Return batch `number`; each frame of a share comes once before any comes again."""
        rng = np.random.default_rng([*self._seed, 1, number])
        views = []
        for place in range(number * self._size, (number + 1) * self._size):
            share, frame = self._at(place)
            how = self._augmentation
            if share.zoom is not None:
                how = replace(how, zoom=share.zoom)
            view = self._maker.random(frame, how, rng, share.border)
            if not share.truth:
                view = replace(view, valid=np.zeros_like(view.valid))
            views.append(view)
        return stack_views(views)

    def ahead(
        self, start: int, stop: int, workers: int = 1, pinned: bool = False
    ) -> Generator[Batch, None, None]:
        """Yield the batches from `start` up to `stop`, made ahead by processes of their own.

        Parameters
        ----------
        workers : number of those processes; 0: this one makes them.
        pinned : put the batches into page-locked memory, from where a GPU takes them faster.

        Raises
        ------
        MsdepthError : one of those processes died.

        """
        cv2.setNumThreads(1)  # threads that it started would be missing in the processes
        loader: DataLoader[Batch] = DataLoader(
            self,  # type: ignore[arg-type]
            batch_size=None,
            sampler=range(start, stop),
            num_workers=workers,
            worker_init_fn=_leave_interrupts_to_the_training,
            pin_memory=pinned,
            multiprocessing_context='fork' if workers else None,  # frames are not copied
        )
        try:
            yield from loader
        except RuntimeError as error:
            if 'worker' not in str(error):
                raise
            raise MsdepthError(
                'a process that makes batches died, perhaps for want of shared memory: give the '
                'container more (docker run --ipc=host), or train with fewer --workers'
            ) from error

    def _at(self, place: int) -> tuple[Share, Frame]:
        """Return whose turn it is at a place of the endless sequence of views."""
        cycle, position = divmod(place, len(self._turns))
        order = np.random.default_rng([*self._seed, 2, cycle]).permutation(self._turns)
        number = order[position]
        before = cycle * np.sum(order == number) + np.sum(order[:position] == number)
        share = self._shares[number]
        epoch, position = divmod(int(before), len(share.frames))
        shuffled = np.random.default_rng([*self._seed, 0, int(number), epoch])
        return share, share.frames[int(shuffled.permutation(len(share.frames))[position])]


def _leave_interrupts_to_the_training(_worker: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def turns(weights: Sequence[float], length: int = 500) -> np.ndarray:
    """Return a cycle of `length` turns or a few more: each share's number, by its weight.

    One share alone has a cycle of one turn; each share has at least one.
    """
    if len(weights) == 1:
        return np.zeros(1, int)
    counts = np.maximum(1, np.round(length * np.array(weights) / np.sum(weights))).astype(int)
    return np.repeat(np.arange(len(weights)), counts)


def stack_views(views: Sequence[View]) -> Batch:
    """Return views as one batch."""
    shown = [view.shown for view in views if view.shown is not None]
    return Batch(
        torch.from_numpy(np.stack([view.image for view in views])),
        torch.from_numpy(np.stack([view.log_depth for view in views]))[:, None],
        torch.from_numpy(np.stack([view.valid for view in views]))[:, None],
        torch.from_numpy(np.stack(shown)) if shown else None,
    )


def prepare(image: Tensor, device: torch.device) -> Tensor:
    """Return uint8 [N, H, W, 3] images as a network takes them, on the device."""
    return normalise(image.to(device)).contiguous(memory_format=torch.channels_last)
