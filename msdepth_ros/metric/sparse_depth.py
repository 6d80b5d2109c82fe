# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sparse depth: measured at some pixels of the rectified camera image."""

import dataclasses
from dataclasses import dataclass

import numpy as np

NEAREST, FARTHEST = 0.01, 1000.0  # metres; depth outside is not a measurement


@dataclass(frozen=True, eq=False)
class SparseDepth:
    """Depth measurements of one source. Pixel centres lie on integers.

    Attributes
    ----------
    u, v : float32 [n], pixel of the rectified camera image, column and row.
    depth : float32 [n], metres along Z of the camera's optical frame.
    sigma : float32 [n], standard deviation of ln(depth); a single number is for all.
    source : name of the source.
    shared : standard deviation of an error of ln(depth) that all of them have in common.

    Raises
    ------
    ValueError
        If the arrays have different lengths.
    """

    u: np.ndarray
    v: np.ndarray
    depth: np.ndarray
    sigma: np.ndarray
    source: str
    shared: float = 0.0

    def __post_init__(self) -> None:
        count = np.size(self.depth)
        for name in ('u', 'v', 'depth', 'sigma'):
            values = np.asarray(getattr(self, name), np.float32)
            if name == 'sigma' and values.ndim == 0:
                values = np.full(count, values, np.float32)
            if values.shape != (count,):
                raise ValueError(f'{name} must be of shape ({count},), not {values.shape}')
            object.__setattr__(self, name, values)

    def __len__(self) -> int:
        return len(self.depth)

    def __getitem__(self, chosen: slice | np.ndarray) -> 'SparseDepth':
        """Return some of the measurements: by a slice, indices or a mask."""
        return dataclasses.replace(
            self,
            u=self.u[chosen],
            v=self.v[chosen],
            depth=self.depth[chosen],
            sigma=self.sigma[chosen],
        )

    def usable(self) -> 'SparseDepth':
        """Return the measurements that are finite and in front of the camera."""
        good = (self.depth > NEAREST) & (self.depth < FARTHEST)
        good &= np.isfinite(self.u) & np.isfinite(self.v)
        good &= (self.sigma >= 0) & np.isfinite(self.sigma)
        return self if good.all() else self[good]
