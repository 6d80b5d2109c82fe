# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A linear correction of a network's log depth, as its last step."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Correction:
    """A linear function of log depth, plus a multiple of its standard deviation in the image.

    Attributes
    ----------
    slope : above 1 if predictions are too close to their mean.
    offset : ln metres.
    spread : factor on the standard deviation of the image's log depth, which is added to all
        cells; above 0 if images with large depths are predicted too near as a whole.
    """

    slope: float = 1.0
    offset: float = 0.0
    spread: float = 0.0

    def __call__(self, log_depth: Tensor) -> Tensor:
        """Return the corrected log depth, float [N, 1, h, w], of log depth of that shape."""
        if self == NONE:
            return log_depth
        corrected = self.slope * log_depth + self.offset
        if self.spread:
            deviation = log_depth.std((-2, -1), correction=0, keepdim=True)  # of each image
            corrected = corrected + self.spread * deviation
        return corrected

    def after(self, first: 'Correction') -> 'Correction':
        """Return the correction that applies `first`, then this one."""
        return Correction(
            self.slope * first.slope,
            self.slope * first.offset + self.offset,
            self.slope * first.spread + self.spread * first.slope,
        )


NONE = Correction()
