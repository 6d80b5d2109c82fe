# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The expected errors of a network's log depth: the covariance of the Gaussian process."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

GRID_WIDTH = 128  # width of the grid whose cells are the unit of ELL
_NEAR_SHARE = 0.2  # fraction of the local variance on the short scale


@dataclass(frozen=True)
class Prior:
    """Covariance of the residual r(x) = true log depth - predicted log depth m(x) of an image.

        k(x, x') = SG^2 + SL^2 (0.8 exp(-d) + 0.2 exp(-16 d))
        d = |x - x'|^2 / (2 ELL^2) + (m(x) - m(x'))^2 / (2 TAU^2)

    The first term is the scale of the whole image, the alpha of the scale-invariant error of Eigen
    et al. 2014. The second one is the additional error of parts of the image, on two scales.

    Attributes
    ----------
    sg : standard deviation of the whole image's log scale.
    sl : standard deviation of the additional log scale of a part.
    ell : distance over which these errors are correlated, in cells of a grid 128 cells wide.
    tau : difference of log depth over which they are correlated: near and far are independent.
    """

    sg: float = 0.5
    sl: float = 0.25
    ell: float = 25.0
    tau: float = 0.3

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> 'Prior':
        """Read the key `prior` of a model's YAML, a mapping of SG, SL, ELL and TAU.

        Raises
        ------
        ValueError
            If one of them is missing or not a positive number; the message names it.
        """
        values = []
        for key in ('SG', 'SL', 'ELL', 'TAU'):
            value = document.get(key) if isinstance(document, Mapping) else None
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not number or not 0 < value < 1e4:  # type: ignore[operator]
                raise ValueError(f'{key} must be a positive number')
            values.append(float(value))  # type: ignore[arg-type]
        return cls(*values)

    @property
    def std(self) -> float:
        """The standard deviation of ln(depth) without measurements."""
        return float(np.hypot(self.sg, self.sl))

    def document(self) -> dict[str, float]:
        """Return the values for a model's YAML."""
        named = {'SG': self.sg, 'SL': self.sl, 'ELL': self.ell, 'TAU': self.tau}
        return {key: round(value, 4) for key, value in named.items()}

    def features(self, x: np.ndarray, y: np.ndarray, m: np.ndarray, width: int) -> np.ndarray:
        """Return points scaled so that d is half their squared distance, [n, 3].

        Parameters
        ----------
        x, y : float [n], column and row in cells.
        m : float [n], log depth.
        width : of the grid, cells.
        """
        ell = self.ell * width / GRID_WIDTH
        return np.stack([x / ell, y / ell, m / self.tau], axis=-1)

    def local(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return the local part of the covariance between features: [n, k] of [n, 3] and [k, 3]."""
        far, near = self.local_parts(a, b)
        far += near
        return far

    def local_parts(self, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the two terms of `local`: that of the far scale, and that of the near one."""
        far, near = _decays(a, b)
        far *= (1 - _NEAR_SHARE) * self.sl**2
        near *= _NEAR_SHARE * self.sl**2
        return far, near


def _decays(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return exp(-d) and exp(-16 d) between features, [n, k] of [n, 3] and [k, 3]."""
    # -|a - b|^2 / 2 = a . b - |a|^2 / 2 - |b|^2 / 2, as one matrix product.
    a_more = np.column_stack([a, np.square(a).sum(axis=1) / -2, np.ones_like(a[:, 0])])
    b_more = np.column_stack([b, np.ones_like(b[:, 0]), np.square(b).sum(axis=1) / -2])
    far = a_more @ b_more.T
    np.exp(far, out=far)
    near = np.square(far)
    for _ in range(3):
        np.square(near, out=near)
    return far, near
