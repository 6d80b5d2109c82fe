# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The confidence of depth: the probability that it is within 25 % of the truth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

WITHIN = float(np.log(1.25))  # of ln(depth): delta1 of the error table
_BINS = 10
_STDS = np.geomspace(0.01, 5.0, 400).astype(np.float32)


def _erf(x: np.ndarray) -> np.ndarray:
    """Return the error function for x >= 0, to 2e-7 (Abramowitz and Stegun 1964, 7.1.26)."""
    t = 1 / (1 + 0.3275911 * x)
    series = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
    return 1 - sum(a * t ** (n + 1) for n, a in enumerate(series)) * np.exp(-(x**2))


_PROBABILITIES = _erf(WITHIN / (_STDS * 2**0.5)).astype(np.float32)


def probability(std: np.ndarray) -> np.ndarray:
    """Return, from deviations of ln(depth), the probability of being within 25 %, float32."""
    return np.interp(std, _STDS, _PROBABILITIES).astype(np.float32)


def spread(probability: np.ndarray) -> np.ndarray:
    """Return the standard deviation of ln(depth), float32, that gives a probability."""
    return np.interp(probability, _PROBABILITIES[::-1], _STDS[::-1]).astype(np.float32)


@dataclass(frozen=True)
class Reliability:
    """Confidence compared with the truth, in ten bins with the same number of cells.

    Attributes
    ----------
    promised : mean confidence of each bin, ascending.
    found : fraction of the bin's depths that are within 25 % of the truth.
    """

    promised: Sequence[float]
    found: Sequence[float]

    @classmethod
    def measure(cls, confidence: np.ndarray, right: np.ndarray) -> 'Reliability':
        """Compare confidence, float [n], with which depths are right, bool [n]."""
        order = np.argsort(confidence, kind='stable')
        parts = np.array_split(order, _BINS)
        return cls(
            [round(float(confidence[part].mean()), 4) for part in parts],
            [round(float(right[part].mean()), 4) for part in parts],
        )

    @property
    def error(self) -> float:
        """The mean difference of promised and found (the expected calibration error)."""
        return float(np.abs(np.subtract(self.promised, self.found)).mean())

    def document(self) -> dict[str, list[float]]:
        """Return the values for a model's YAML."""
        return {'promised': list(self.promised), 'found': list(self.found)}
