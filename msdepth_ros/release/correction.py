# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""By how much a network's predictions keep too near to their mean, measured to be undone.

A network that has to guess predicts between what it takes for possible, so far rooms come out too
near and near ones too far. On frames it never saw, the straight line of the true log depth over
the prediction shows by how much.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from msdepth_ros.datasets import Frame
from msdepth_ros.errors import MsdepthError
from msdepth_ros.evaluation.metrics import Errors, ErrorSums
from msdepth_ros.networks.correction import Correction
from msdepth_ros.networks.depth_network import DepthNetwork
from msdepth_ros.training.augmentation import ViewMaker
from msdepth_ros.training.validation import predictions

# log depths and the true ones, see `predictions`
_Predictions = Sequence[tuple[np.ndarray, np.ndarray]]
_SLOPES = (0.8, 1.25)  # beyond, a network has not learned what it is asked


@dataclass(frozen=True)
class Fit:
    """A correction, and what it is worth.

    Attributes
    ----------
    correction : fitted on all frames.
    errors : of each source, at the output's cells: 'uncorrected', 'corrected', and 'cross_fitted',
        where each block of frames is corrected by the line of all others. Empty where there are
        no others.
    """

    correction: Correction
    errors: Mapping[str, Mapping[str, Errors]]


def fit_correction(
    network: DepthNetwork,
    sources: Mapping[str, Sequence[Iterable[Frame]]],
    spread: float = 0.0,
) -> Fit:
    """Return the least-squares line of true over predicted log depth; each frame counts once.

    Parameters
    ----------
    network : on the CPU; its final prediction counts (`forward`, without dropout).
    sources : frames that it did not learn from, in blocks of neighbours; those without a valid
        depth count for nothing. All predictions, not the frames, are held at a time.
    spread : of the correction, see `Correction`; the line is of what it leaves.

    Raises
    ------
    MsdepthError
        If the line's slope says that the network has not learned these frames' depths, or none of
        them has one.
    """
    network.eval()
    maker = ViewMaker.of(network)
    found: dict[str, list[_Predictions]] = {}
    for name, blocks in sources.items():
        for frames in blocks:
            pairs = predictions(network, frames, maker, torch.device('cpu'))
            if block := [pair for pair in pairs if np.isfinite(pair[1]).any()]:
                found.setdefault(name, []).append(block)
    sums = {name: [_sums(block, spread) for block in blocks] for name, blocks in found.items()}
    every = [block for blocks in sums.values() for block in blocks]
    correction = _line(every, spread)
    if not _SLOPES[0] <= correction.slope <= _SLOPES[1]:
        raise MsdepthError(
            'the line of the true log depths over the predictions has a slope of '
            f'{correction.slope:g}: such a network has not learned the depths of what was held '
            'out. Train it for longer, or export it as it is'
        )
    errors = {}
    for name, seen in found.items() if len(every) > 1 else ():
        others = [_line([s for s in every if s is not own], spread) for own in sums[name]]
        errors[name] = {
            'uncorrected': _errors(seen, [Correction()] * len(seen)),
            'corrected': _errors(seen, [correction] * len(seen)),
            'cross_fitted': _errors(seen, others),
        }
    return Fit(correction, errors)


def _sums(block: _Predictions, spread: float) -> np.ndarray:
    """Return the normal equations of a block's line: float64 [2, 3], the right side last."""
    sums = np.zeros((2, 3))
    for log_depth, truth in block:
        known = np.isfinite(truth)
        terms = np.stack([log_depth[known], np.ones(known.sum())]).astype(np.float64)
        left = truth[known] - spread * log_depth.std()
        sums += terms @ np.stack([*terms, left], axis=1) / known.sum()
    return sums


def _line(blocks: Sequence[np.ndarray], spread: float) -> Correction:
    """Return the correction that solves the blocks' normal equations."""
    sums = np.sum([np.zeros((2, 3)), *blocks], axis=0)
    slope, offset = np.linalg.lstsq(sums[:, :2], sums[:, 2], rcond=None)[0].round(4).tolist()
    return Correction(slope, offset, spread)


def _errors(blocks: Sequence[_Predictions], corrections: Sequence[Correction]) -> Errors:
    """Return the errors of blocks of predictions, each with a correction, over all their cells."""
    sums = ErrorSums()
    for block, correction in zip(blocks, corrections, strict=True):
        for log_depth, truth in block:
            corrected = correction(torch.from_numpy(log_depth)).numpy()
            sums.add(np.exp(corrected), np.exp(truth))
    return sums.pooled()
