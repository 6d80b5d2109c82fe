# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The errors of the heads: precision and recall of the floor, calibration of the confidence."""

import math
from collections.abc import Mapping

import numpy as np
from torch import Tensor

from msdepth_ros.networks.heads import CONFIDENCE, FLOOR, WITHIN
from msdepth_ros.training.augmentation import UNKNOWN
from msdepth_ros.training.batches import Batch

BINS = 10
_BARS = (0.5, 0.8)  # least probabilities with which a cell counts as floor


class HeadErrors:
    """Collects the errors over the cells of many frames."""

    def __init__(self) -> None:
        self._floor = {bar: np.zeros(3) for bar in _BARS}  # found, found rightly, in the truth
        self._bins = np.zeros((BINS, 3))  # cells, sum of confidence, right cells

    def add(self, heads: Mapping[str, Tensor], log_depth: Tensor, batch: Batch) -> None:
        """Add the cells of a batch.

        Parameters
        ----------
        heads : probabilities, float [N, 1, h, w], by the head's name.
        log_depth : predicted, float [N, 1, h, w].
        batch : the views.
        """
        if FLOOR in heads:
            known = (batch.floor != UNKNOWN).numpy()
            truth = (batch.floor == 1).numpy()[known]
            value = heads[FLOOR].numpy()[known]
            for bar, sums in self._floor.items():
                found = value > bar
                sums += (found.sum(), (found & truth).sum(), truth.sum())
        if CONFIDENCE in heads:
            valid = batch.valid.numpy()
            error = np.abs(log_depth.numpy()[valid] - batch.log_depth.numpy()[valid])
            value = heads[CONFIDENCE].numpy()[valid]
            places = np.clip((value * BINS).astype(int), 0, BINS - 1)
            for column, weights in enumerate((None, value, error < math.log(WITHIN))):
                self._bins[:, column] += np.bincount(places, weights, BINS)

    def summary(self) -> dict[str, float]:
        """Return precision and recall of the floor at each probability, and errors of confidence.

        `promised` is the mean confidence over all cells and `found` the fraction of right cells;
        `calibration_error` is the mean of |promised - found| over ten bins, weighted by cells.
        """
        figures = {}
        for bar, (positive, right, truth) in self._floor.items():
            if truth or positive:
                figures[f'floor_precision_{bar}'] = float(right / max(1, positive))
                figures[f'floor_recall_{bar}'] = float(right / max(1, truth))
        cells, promised, found = self._bins.sum(0)
        if cells:
            figures['promised'], figures['found'] = float(promised / cells), float(found / cells)
            gaps = np.abs(self._bins[:, 1] - self._bins[:, 2]).sum()
            figures['calibration_error'] = float(gaps / cells)
        return figures

    def reliability(self) -> list[list[float]]:
        """Return [promised, found, fraction of all cells] for each bin that has cells."""
        cells = self._bins[:, 0]
        return [
            [float(promised / count), float(found / count), float(count / cells.sum())]
            for count, promised, found in self._bins
            if count
        ]
