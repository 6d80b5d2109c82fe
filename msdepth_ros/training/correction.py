# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""By how much a network's answers keep too near to their mean, measured to be undone.

A network that has to guess answers between what it takes for possible, so far rooms come out too
near and near ones too far. On frames it never saw, the straight line of the true log depth over
the answer shows by how much.
"""

from collections.abc import Iterable

import numpy as np
import torch

from msdepth_ros.errors import MsdepthError
from msdepth_ros.networks.depth_network import DepthNetwork
from msdepth_ros.networks.export import Correction
from msdepth_ros.training.augmentation import ViewMaker
from msdepth_ros.training.datasets import Frame
from msdepth_ros.training.validation import answers

_SLOPES = (0.8, 1.25)  # beyond, a network has not learned what it is asked


def fit_correction(
    network: DepthNetwork, frames: Iterable[Frame], spread: float = 0.0
) -> Correction:
    """Return the least-squares line of the true log depth over the answer; each frame counts once.

    Parameters
    ----------
    network : on the CPU; its final answer counts (`forward`, without dropout).
    frames : that it did not learn from; those without a valid depth count for nothing.
    spread : of the correction, see `Correction`; the line is of what it leaves.

    Raises
    ------
    MsdepthError : the line's slope says that the network has not learned these frames' depths, or
        none of them has one.

    """
    network.eval()
    maker = ViewMaker(network.image_size, network.grid, network.focal)
    squares, products = np.zeros((2, 2)), np.zeros(2)
    for log_depth, truth in answers(network, frames, maker, torch.device('cpu')):
        known = np.isfinite(truth)
        if known.any():
            terms = np.stack([log_depth[known], np.ones(known.sum())]).astype(np.float64)
            squares += terms @ terms.T / known.sum()
            products += terms @ (truth[known] - spread * log_depth.std()) / known.sum()
    slope, offset = np.linalg.lstsq(squares, products, rcond=None)[0].round(4).tolist()
    if not _SLOPES[0] <= slope <= _SLOPES[1]:
        raise MsdepthError(
            f'the line of the true log depths over the answers has a slope of {slope:g}: such a '
            'network has not learned the depths of what was held out. Train it for longer, or '
            'export it as it is'
        )
    return Correction(slope, offset, spread)
