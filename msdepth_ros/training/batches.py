# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Batches of random views; each depends only on the seed and on its own number.

So a resumed training sees exactly the same batches as one that was never interrupted, and no state
of a random generator must be saved.
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
    """N views as tensors, see `View`.

    Attributes
    ----------
    image : uint8 [N, H, W, 3], RGB.
    log_depth : float32 [N, 1, h, w].
    valid : bool [N, 1, h, w].
    floor : uint8 [N, 1, h, w].
    teacher_image : uint8 [N, teacher's H, teacher's W, 3], RGB; None: there is no teacher.
    """

    image: Tensor
    log_depth: Tensor
    valid: Tensor
    floor: Tensor
    teacher_image: Tensor | None = None

    def split(self, size: int) -> 'list[Batch]':
        """Return the batch in parts of `size` views; the last one may be smaller."""
        parts = (each.split(size) for each in self._tensors())
        return [Batch(*part) for part in zip(*parts, strict=True)]

    def pin_memory(self) -> 'Batch':
        """Return the batch in page-locked memory; a DataLoader calls this."""
        return Batch(*(each.pin_memory() for each in self._tensors()))

    def to(self, device: torch.device) -> 'Batch':
        """Return the batch on a device."""
        return Batch(*(each.to(device, non_blocking=True) for each in self._tensors()))

    def _tensors(self) -> tuple[Tensor, ...]:
        tensors = self.image, self.log_depth, self.valid, self.floor
        return tensors if self.teacher_image is None else (*tensors, self.teacher_image)


@dataclass(frozen=True)
class WeightedFrames:
    """Frames, and how often views are made of them.

    Attributes
    ----------
    frames : kept in memory.
    weight : fraction of the views, relative to the weights of other frames.
    border : pixels along a frame's edge that do not show the scene.
    source : name of the frames' source.
    zoom : smallest and largest; None: the augmentation's.
    truth : whether their depth is used; otherwise only their floor is.
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
    weighted : the frames.
    maker : makes the views.
    augmentation : of the views.
    size : views in a batch.
    seed : of everything random here, a sequence of non-negative integers.
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
        """Return batch `number`; no frame of a source is repeated before all others were used."""
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
        """Yield the batches from `start` to before `stop`; worker processes prepare them.

        Parameters
        ----------
        workers : number of worker processes; 0: this process makes the batches.
        pinned : put the batches into page-locked memory, for faster copies to a GPU.

        Raises
        ------
        MsdepthError
            If a worker process died.
        """
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)  # OpenCV's threads do not exist in forked processes
        loader: DataLoader[Batch] = DataLoader(
            self,  # type: ignore[arg-type]
            batch_size=None,
            sampler=range(start, stop),
            num_workers=workers,
            worker_init_fn=_ignore_interrupts,
            pin_memory=pinned,
            multiprocessing_context='fork' if workers else None,  # frames are not copied
        )
        try:
            yield from loader
        except RuntimeError as error:
            if 'worker' not in str(error):
                raise
            raise MsdepthError(
                'a worker process died, perhaps because shared memory is full: give the container '
                'more (docker run --ipc=host), or train with fewer --workers'
            ) from error
        finally:
            cv2.setNumThreads(threads)

    def _at(self, index: int) -> tuple[WeightedFrames, Frame]:
        """Return the frame of a view, by the view's position in the whole training."""
        cycle, position = divmod(index, len(self._cycle))
        order = np.random.default_rng([*self._seed, 2, cycle]).permutation(self._cycle)
        number = order[position]
        before = cycle * np.sum(order == number) + np.sum(order[:position] == number)
        weighted = self._weighted[number]
        epoch, position = divmod(int(before), len(weighted.frames))
        shuffled = np.random.default_rng([*self._seed, 0, int(number), epoch])
        return weighted, weighted.frames[int(shuffled.permutation(len(weighted.frames))[position])]


def _ignore_interrupts(_worker: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the training handles them


def sampling_cycle(weights: Sequence[float], length: int = 500) -> np.ndarray:
    """Return a cycle of source numbers, each as often as its weight says, but at least once.

    Parameters
    ----------
    weights : of the sources.
    length : of the cycle, about; with a single source it is 1.

    Returns
    -------
    int [about length], numbers of sources, ascending.
    """
    if len(weights) == 1:
        return np.zeros(1, int)
    counts = np.maximum(1, np.round(length * np.array(weights) / np.sum(weights))).astype(int)
    return np.repeat(np.arange(len(weights)), counts)


def stack_views(views: Sequence[View]) -> Batch:
    """Return views as one batch."""
    teachers = [view.teacher_image for view in views if view.teacher_image is not None]
    floors = [
        np.full_like(v.valid, UNKNOWN, np.uint8) if v.floor is None else v.floor for v in views
    ]
    return Batch(
        torch.from_numpy(np.stack([view.image for view in views])),
        torch.from_numpy(np.stack([view.log_depth for view in views]))[:, None],
        torch.from_numpy(np.stack([view.valid for view in views]))[:, None],
        torch.from_numpy(np.stack(floors))[:, None],
        torch.from_numpy(np.stack(teachers)) if teachers else None,
    )


def prepare(image: Tensor, device: torch.device) -> Tensor:
    """Return images, uint8 [N, H, W, 3], as network input, float32 [N, 3, H, W], on a device."""
    return normalise(image.to(device)).contiguous(memory_format=torch.channels_last)


def cutmix(
    image: Tensor, teacher_image: Tensor, valid: Tensor, share: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Paste a part of another view into some views of a batch (CutMix, Yun et al. 2019).

    These views have no ground truth, but a teacher predicts their depth. So the student also learns
    the teacher's predictions for images outside of the training data (Beyer et al. 2022).

    Parameters
    ----------
    image, teacher_image : float [N, 3, H, W], of two sizes: the views for the student and for the
        teacher. The same part is pasted into both.
    valid : bool [N, 1, h, w], where there is ground truth.
    share : fraction of the views that get a part of the view before them, of 0.3 to 0.8 of its
        width and height.

    Returns
    -------
    New image, teacher_image and valid, of the same shapes.
    """
    count = round(share * len(image))
    parts = [(_random_part(), _random_part()) for _ in range(count)]
    valid = valid.clone()
    valid[:count] = False
    return _pasted(image, parts), _pasted(teacher_image, parts), valid


def _random_part() -> tuple[float, float]:
    """Return where a part begins and ends, as fractions of the whole."""
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
