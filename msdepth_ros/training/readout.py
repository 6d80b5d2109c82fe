# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The best linear readout of a network's features, in closed form.

Millions of weights of a fully connected layer learn slowly by gradients from a few hundred images.
Ridge regression from the features to the log depth map finds a better start at once, and its
answers span few enough directions that a narrow layer can hold it.
"""

import torch
from torch import Tensor

from msdepth_ros.networks.depth_network import Readout


def fit_readout(
    features: Tensor, log_depth: Tensor, valid: Tensor, penalty: float, rank: int
) -> Readout:
    """Return the ridge regression from features to log depth, reduced to its main directions.

    Parameters
    ----------
    features : float [N, size], of N images.
    log_depth, valid : float and bool [N, cells]; an invalid cell counts as the mean of that cell.
    penalty : relative to the mean squared length of the centred features.
    rank : directions of the answer that are kept (Izenman 1975, reduced-rank regression).

    """
    count = valid.sum(dim=0).clamp(min=1)
    mean = torch.where(valid, log_depth, 0.0).sum(dim=0) / count
    wanted = torch.where(valid, log_depth - mean, 0.0)
    centre = features.mean(dim=0)
    centred = features - centre
    gram = centred @ centred.T
    ridge = penalty * gram.diagonal().mean() * torch.eye(len(gram), device=gram.device)
    coefficients = torch.linalg.solve(gram + ridge, wanted)
    answers = gram @ coefficients
    kept = min(rank, *answers.shape)
    _, spread, directions = torch.svd_lowrank(answers, q=kept, niter=4)
    projection = (centred.T @ (coefficients @ directions)).T
    deviation = (spread / len(answers) ** 0.5).clamp(min=1e-6)
    return Readout(
        projection=projection / deviation[:, None],
        offset=-(projection @ centre) / deviation,
        maps=directions.T * deviation[:, None],
        mean=mean,
    )
