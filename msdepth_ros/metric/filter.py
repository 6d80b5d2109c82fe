# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The log scale of a camera's images over time: a Kalman filter on one number."""

import math

from msdepth_ros.metric.alignment import Scale

_DRIFT = 0.05  # standard deviation by which the log scale changes in a second of the same view
_LEAST = 1e-4  # least variance
_CONTRADICTION = 3.0  # standard deviations
_RELAXATION = 1.0  # seconds, time constant of the return to the network's scale, after the hold
_FORGOTTEN = 0.02  # log scale; a smaller rest of a measurement is dropped
_STEEPEST = 1.0  # largest change of the log scale per second: a factor of 2 takes 0.7 s
_LONGEST_STEP = 0.1  # seconds; after a longer pause the change is not larger
_PAUSE = 2.0  # seconds; after a longer pause the scale may jump


class ScaleFilter:
    """Keeps the scale after measurements end, and limits its changes.

    The state is the log scale of the images, its variance, and when it was last measured. From
    frame to frame the variance grows with time and with the change of the prediction, because a
    scale belongs to a view. `hold` seconds after the last measurement the state returns to that of
    the network alone: mean 0 and the prior's variance. The published scale follows the mean with
    a limited speed.

    Parameters
    ----------
    variance : of the log scale without any measurement, SG^2 of the prior.
    hold : seconds that the scale is kept after the last measurement.
    """

    def __init__(self, variance: float, hold: float) -> None:
        self.hold = hold
        self._free = variance
        self.reset()

    def reset(self) -> None:
        """Forget everything, for a jump of time or another model."""
        self._state = Scale(0.0, self._free)
        self._measured: float | None = None
        self._time: float | None = None
        self._published: float | None = None
        self._change = 0.0
        self._shared = 0.0

    @property
    def state(self) -> Scale:
        """The estimated log scale."""
        return self._state

    @property
    def informed(self) -> bool:
        """Whether the state still depends on measurements."""
        return self._measured is not None

    def age(self, now: float) -> float:
        """Return the seconds since the last measurement; infinity if there was none."""
        return math.inf if self._measured is None else now - self._measured

    def predict(self, now: float, change: float) -> Scale:
        """Return the log scale of a new frame before its measurements.

        Parameters
        ----------
        now : the frame's time, seconds; if it goes backwards, everything is forgotten.
        change : of the predicted log depth since the last frame, median over cells.
        """
        if self._time is not None and now < self._time:
            self.reset()
        passed = 0.0 if self._time is None else now - self._time
        self._passed, self._time, self._change = passed, now, change
        if self._measured is None:
            return self._state
        mean, variance = self._state.mean, self._state.variance
        variance = min(variance + _DRIFT**2 * passed + change**2, self._free)
        over = min(now - self._measured - self.hold, passed)
        if over > 0:
            left = math.exp(-over / _RELAXATION)
            mean, variance = mean * left, self._free + (variance - self._free) * left
            if abs(mean) < _FORGOTTEN:
                self._measured, mean, variance, self._shared = None, 0.0, self._free, 0.0
        self._state = Scale(mean, variance)
        return self._state

    def skip(self, now: float) -> bool:
        """Add a frame without measurements; return whether earlier ones do not matter, either."""
        if self._time is not None and now < self._time:
            self.reset()
        if self._measured is not None:
            return False
        if self._published:  # the scale still returns to 0
            return False
        self._time, self._published = now, 0.0
        return True

    def contradicts(self, found: Scale) -> bool:
        """Return whether a frame's own measurements contradict the state."""
        if self._measured is None:
            return False
        spread = math.sqrt(found.variance + self._state.variance + self._shared**2)
        return abs(found.mean - self._state.mean) > _CONTRADICTION * spread

    def correct(self, by: float) -> None:
        """Correct the scale for a common error of its sources that has just been estimated."""
        if self._shared:
            self._state = Scale(self._state.mean + by, self._state.variance)

    def update(self, found: Scale, shared: float = 0.0) -> None:
        """Take the log scale of this frame, measurements included.

        `shared` : standard deviation by which all that was measured may be off, frame after frame.
        """
        self._state = Scale(found.mean, max(found.variance, _LEAST))
        self._measured = self._time
        self._shared = shared

    def publish(self) -> Scale:
        """Return the log scale to publish for this frame; it does not jump."""
        mean, variance = self._state.mean, self._state.variance
        last = self._published
        if last is not None and self._passed < _PAUSE:
            reach = _STEEPEST * min(self._passed, _LONGEST_STEP) + self._change
            mean = min(max(mean, last - reach), last + reach)
            variance += (mean - self._state.mean) ** 2
        self._published = mean
        return Scale(mean, variance + self._shared**2)
