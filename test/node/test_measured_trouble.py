# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Contradictions between the measurements are reported in /diagnostics."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from msdepth_ros.metric.alignment import Scale
from msdepth_ros.metric.metres import Aligned
from msdepth_ros.metric.offsets import Offset
from msdepth_ros.metric.prior import Prior
from msdepth_ros.node.measured.hub import MeasuredHub

MODEL = SimpleNamespace(name='known', metric='metric', prior=Prior(0.3, 0.2, 30.0, 0.3))


def hub_after(factor=1.0, **offsets):
    """Return a hub whose last frame was scaled by a factor, and its sources found to be off."""
    hub = MeasuredHub(SimpleNamespace())
    hub._model = MODEL
    cells = np.zeros((2, 2), np.float32)
    hub._learn(Aligned(cells, cells, Scale(math.log(factor), 1e-4), True, offsets=offsets), MODEL)
    return hub


@pytest.mark.parametrize(
    ('factor', 'reported'), [(0.5, False), (2.2, False), (0.35, True), (3.0, True)]
)
def test_a_factor_beyond_the_errors_of_the_network_is_reported(factor, reported):
    trouble = hub_after(factor).trouble
    assert (f'of known by a factor of {factor:.2f}' in trouble) == reported


@pytest.mark.parametrize('beyond', [False, True])
def test_a_source_with_a_larger_error_than_stated_is_reported(beyond):
    hub = hub_after(views=Offset(Scale(math.log(1.1), 1e-4), beyond))
    assert ('measured views is off by a factor of 1.10' in hub.trouble) == beyond
