# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Quick measurements of a network's errors during training."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from msdepth_ros.datasets import Frame
from msdepth_ros.evaluation.metrics import Errors, ErrorSums
from msdepth_ros.networks.depth_network import DepthNetwork
from msdepth_ros.networks.heads import probability
from msdepth_ros.training.augmentation import ViewMaker
from msdepth_ros.training.batches import prepare, stack_views
from msdepth_ros.training.head_errors import HeadErrors

_BATCH = 16


def validate(
    network: DepthNetwork, frames: Sequence[Frame], maker: ViewMaker, device: torch.device
) -> Errors:
    """Return the errors on whole frames, at the output's cells and the network's focal length.

    For exact errors (at the image's own size, with the exported file) see
    `msdepth_ros.evaluation.evaluation`.
    """
    sums = ErrorSums()
    network.eval()

    def finest(image: Tensor) -> Tensor:
        return network.supervised(image).maps[0]

    for log_depth, truth in predictions(finest, frames, maker, device):
        sums.add(np.exp(log_depth), np.exp(truth))
    network.train()
    return sums.pooled()


@torch.no_grad()
def validate_heads(
    network: DepthNetwork, frames: Sequence[Frame], maker: ViewMaker, device: torch.device
) -> dict[str, float]:
    """Return the errors of a network's heads on whole frames, see `HeadErrors.summary`."""
    errors = HeadErrors()
    network.eval()
    for start in range(0, len(frames), _BATCH):
        batch = stack_views([maker.whole(frame) for frame in frames[start : start + _BATCH]])
        predicted = network.complete(prepare(batch.image, device))
        found = {name: probability(name, value).cpu() for name, value in predicted.heads.items()}
        errors.add(found, predicted.maps[0].float().cpu(), batch)
    network.train()
    return errors.summary()


@torch.no_grad()
def predictions(
    network: Callable[[Tensor], Tensor],
    frames: Iterable[Frame],
    maker: ViewMaker,
    device: torch.device,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the prediction and the ground truth of each whole frame.

    Both are log depth, float32 [1, h, w], ln metres at the network's focal length; the truth is NaN
    where there is none.

    Parameters
    ----------
    network : from float [N, 3, height, width], see `prepare`, to log depth [N, 1, h, w].
    frames : read batch by batch.
    maker : of the network's views.
    device : of the network.
    """
    views = map(maker.whole, frames)
    while some := list(itertools.islice(views, _BATCH)):
        batch = stack_views(some)
        log_depths = network(prepare(batch.image, device))
        truths = torch.where(batch.valid, batch.log_depth, torch.nan)
        yield from zip(log_depths.float().cpu().numpy(), truths.numpy(), strict=True)
