# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Fits the linear correction of a network's log depth.

A network that is unsure predicts a value between the depths that it holds possible. So its
predictions lie too close to their mean: far rooms come out too near, and near rooms too far. A
straight line of the true over the predicted log depth, fitted to frames that the network never saw,
shows by how much, and corrects it.
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

# Predicted and true log depths, see `predictions`.
_Predictions = Sequence[tuple[np.ndarray, np.ndarray]]
_SLOPES = (0.8, 1.25)  # outside of these, the network has not learned the depths


@dataclass(frozen=True)
class Fit:
    """A correction, and by how much it reduces the errors.

    Attributes
    ----------
    correction : fitted to all frames.
    errors : for each source, the errors at the output's cells: 'uncorrected', 'corrected', and
        'cross_fitted', where each block of frames is corrected by the line fitted to all other
        blocks. Empty if there is only one block.
    """

    correction: Correction
    errors: Mapping[str, Mapping[str, Errors]]


def fit_correction(
    network: DepthNetwork,
    sources: Mapping[str, Sequence[Iterable[Frame]]],
    spread: float = 0.0,
) -> Fit:
    """Fit the least-squares line of true over predicted log depth; all frames weigh the same.

    Parameters
    ----------
    network : on the CPU. Its final prediction is used (`forward`, without dropout).
    sources : frames that the network did not learn from, in blocks of neighbours. Frames without a
        valid depth are skipped. The predictions of all frames are kept in memory; the frames are
        not.
    spread : of the correction, see `Correction`. The line is fitted to what the spread leaves.

    Raises
    ------
    MsdepthError
        If no frame has a valid depth, or if the slope of the line shows that the network has not
        learned the depths of these frames.
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
            f'the slope of true over predicted log depth is {correction.slope:g}, and must be '
            f'between {_SLOPES[0]:g} and {_SLOPES[1]:g}: the network has not learned the depths '
            'of the held-out frames. Train it for longer, or export it without a correction'
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
    """Return the normal equations of a block's line: float64 [2, 3], right-hand side last."""
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
    """Return the errors over all cells of blocks, each corrected by its own correction."""
    sums = ErrorSums()
    for block, correction in zip(blocks, corrections, strict=True):
        for log_depth, truth in block:
            corrected = correction(torch.from_numpy(log_depth)).numpy()
            sums.add(np.exp(corrected), np.exp(truth))
    return sums.pooled()
