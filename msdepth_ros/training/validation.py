# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A quick look at how good a network is while it trains."""

from collections.abc import Sequence

import numpy as np
import torch

from msdepth_ros.networks.depth_network import DepthNetwork
from msdepth_ros.training.augmentation import ViewMaker
from msdepth_ros.training.batches import prepare, stack_views
from msdepth_ros.training.datasets import Frame
from msdepth_ros.training.metrics import Errors, ErrorSums

_BATCH = 16


@torch.no_grad()
def validate(
    network: DepthNetwork, frames: Sequence[Frame], maker: ViewMaker, device: torch.device
) -> Errors:
    """Return the errors on whole frames, at the output's cells and the network's focal length.

    `msdepth_ros.training.evaluation` measures exactly: at the
    image's own size, through the exported file.
    """
    sums = ErrorSums()
    network.eval()
    for start in range(0, len(frames), _BATCH):
        batch = stack_views([maker.whole(frame) for frame in frames[start : start + _BATCH]])
        log_depths = network.supervised(prepare(batch.image, device)).maps[0]
        for log_depth, truth, valid in zip(
            log_depths.float().cpu().numpy(), batch.log_depth, batch.valid, strict=True
        ):
            sums.add(np.exp(log_depth), np.where(valid.numpy(), np.exp(truth.numpy()), np.nan))
    network.train()
    return sums.pooled()
