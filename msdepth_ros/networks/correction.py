# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The line that a network's log depths are mapped by before they leave it."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Correction:
    """A straight line in log depth, and a share of the image's own spread.

    Attributes
    ----------
    slope : above 1 where the predictions keep too near to their mean.
    offset : ln metres.
    spread : standard deviations of an image's log depths that are added to all of them: above 0
        where views that reach far come out too near as a whole.
    """

    slope: float = 1.0
    offset: float = 0.0
    spread: float = 0.0

    def __call__(self, log_depth: Tensor) -> Tensor:
        """Return corrected log depth [N, 1, h, w] of log depth [N, 1, h, w]."""
        if self == NONE:
            return log_depth
        corrected = self.slope * log_depth + self.offset
        if self.spread:
            deviation = log_depth.std((-2, -1), correction=0, keepdim=True)  # of each image
            corrected = corrected + self.spread * deviation
        return corrected

    def after(self, first: 'Correction') -> 'Correction':
        """Return the correction that does `first` and then this one."""
        return Correction(
            self.slope * first.slope,
            self.slope * first.offset + self.offset,
            self.slope * first.spread + self.spread * first.slope,
        )


NONE = Correction()
