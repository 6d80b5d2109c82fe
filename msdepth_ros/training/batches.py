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
from msdepth_ros.training.augmentation import UNKNOWN, Augmentation, View, ViewMaker


@dataclass(frozen=True)
class Batch:
    """Views as tensors: uint8 [N, H, W, 3] RGB; float32, bool and uint8 [N, 1, h, w].

    What a teacher is shown has a height and a width of its own. It is None where nobody teaches.
    """

    image: Tensor
    log_depth: Tensor
    valid: Tensor
    floor: Tensor
    teacher_image: Tensor | None = None

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
        tensors = self.image, self.log_depth, self.valid, self.floor
        return tensors if self.teacher_image is None else (*tensors, self.teacher_image)


@dataclass(frozen=True)
class WeightedFrames:
    """Frames, and how often they are seen beside others.

    Attributes
    ----------
    frames : kept in memory.
    weight : share of the views, in the long run, relative to the others'.
    border : pixels along a frame's edge that hold no scene.
    source : name of the source that the frames are of.
    zoom : smallest and largest, where they differ from the augmentation's.
    truth : whether their depths are shown; else only what they tell of the floor.
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
    weighted : what to draw from.
    maker : makes the views.
    augmentation : how far they stray.
    size : views in a batch.
    seed : of everything random here, any sequence of non-negative integers.
    """

    def __init__(
        self,
        weighted: Sequence[WeightedFrames],
        maker: ViewMaker,
        augmentation: Augmentation,
        size: int,
        seed: Sequence[int],
    ) -> None:
        self._weighted = weighted
        self._maker = maker
        self._augmentation = augmentation
        self._size = size
        self._seed = list(seed)
        self._cycle = sampling_cycle([each.weight for each in weighted])

    def __getitem__(self, number: int) -> Batch:
        """Return batch `number`; each frame of a source comes once before any comes again."""
        rng = np.random.default_rng([*self._seed, 1, number])
        views = []
        for position in range(number * self._size, (number + 1) * self._size):
            weighted, frame = self._at(position)
            how = self._augmentation
            if weighted.zoom is not None:
                how = replace(how, zoom=weighted.zoom)
            view = self._maker.random(frame, how, rng, weighted.border)
            if not weighted.truth:
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
        MsdepthError
            If one of those processes died.
        """
        threads = cv2.getNumThreads()
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
        finally:
            cv2.setNumThreads(threads)

    def _at(self, index: int) -> tuple[WeightedFrames, Frame]:
        """Return the frame at a position of the endless sequence of views."""
        cycle, position = divmod(index, len(self._cycle))
        order = np.random.default_rng([*self._seed, 2, cycle]).permutation(self._cycle)
        number = order[position]
        before = cycle * np.sum(order == number) + np.sum(order[:position] == number)
        weighted = self._weighted[number]
        epoch, position = divmod(int(before), len(weighted.frames))
        shuffled = np.random.default_rng([*self._seed, 0, int(number), epoch])
        return weighted, weighted.frames[int(shuffled.permutation(len(weighted.frames))[position])]


def _leave_interrupts_to_the_training(_worker: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def sampling_cycle(weights: Sequence[float], length: int = 500) -> np.ndarray:
    """Return a cycle of `length` numbers of sources or a few more, each as often as it weighs.

    One source alone has a cycle of one; each source comes at least once.
    """
    if len(weights) == 1:
        return np.zeros(1, int)
    counts = np.maximum(1, np.round(length * np.array(weights) / np.sum(weights))).astype(int)
    return np.repeat(np.arange(len(weights)), counts)


def stack_views(views: Sequence[View]) -> Batch:
    """Return views as one batch."""
    shown = [view.teacher_image for view in views if view.teacher_image is not None]
    floors = [
        np.full_like(v.valid, UNKNOWN, np.uint8) if v.floor is None else v.floor for v in views
    ]
    return Batch(
        torch.from_numpy(np.stack([view.image for view in views])),
        torch.from_numpy(np.stack([view.log_depth for view in views]))[:, None],
        torch.from_numpy(np.stack([view.valid for view in views]))[:, None],
        torch.from_numpy(np.stack(floors))[:, None],
        torch.from_numpy(np.stack(shown)) if shown else None,
    )


def prepare(image: Tensor, device: torch.device) -> Tensor:
    """Return uint8 [N, H, W, 3] images as a network takes them, on the device."""
    return normalise(image.to(device)).contiguous(memory_format=torch.channels_last)


def cutmix(
    image: Tensor, teacher_image: Tensor, valid: Tensor, share: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Paste a part of another view into some views of a batch (CutMix, Yun et al. 2019).

    No camera saw what comes out, so it has no truth; but a teacher predicts its depth, and what it
    does with images that are not the training's is learned too (Beyer et al. 2022).

    Parameters
    ----------
    image, teacher_image : float [N, 3, H, W], each of a size of its own: the views as the student
        and as the teacher sees them. Both get the same part.
    valid : bool [N, 1, h, w], where the truth holds.
    share : of the views that get a part of the one before them, 0.3 to 0.8 of its width and
        height.
    """
    count = round(share * len(image))
    parts = [(_random_part(), _random_part()) for _ in range(count)]
    valid = valid.clone()
    valid[:count] = False
    return _pasted(image, parts), _pasted(teacher_image, parts), valid


def _random_part() -> tuple[float, float]:
    """Return where a part begins and ends, as shares of the whole."""
    length, start = torch.rand(2).tolist()
    length = 0.3 + 0.5 * length
    return start * (1 - length), start * (1 - length) + length


def _pasted(
    images: Tensor, parts: Sequence[tuple[tuple[float, float], tuple[float, float]]]
) -> Tensor:
    others, images = images.roll(1, 0), images.clone()
    for place, part in enumerate(parts):
        rows, columns = (
            slice(round(start * size), round(stop * size))
            for (start, stop), size in zip(part, images.shape[-2:], strict=True)
        )
        images[place, :, rows, columns] = others[place, :, rows, columns]
    return images
