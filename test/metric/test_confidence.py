# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Confidence is a probability, and its reliability is measured in ten bins."""

import math

import numpy as np
import pytest

from msdepth_ros.metric.confidence import WITHIN, Reliability, probability, spread


def test_the_probability_is_the_normal_distributions():
    stds = np.array([0.02, 0.1, 0.2, 0.5, 1.0, 3.0])
    expected = [math.erf(WITHIN / std / math.sqrt(2)) for std in stds]
    assert probability(stds) == pytest.approx(expected, abs=2e-4)
    assert spread(probability(stds[1:])) == pytest.approx(stds[1:], rel=0.01)


def test_a_right_confidence_is_reliable_and_a_too_high_one_is_not():
    rng = np.random.default_rng(0)
    confidence = rng.random(50_000)
    right = rng.random(50_000) < confidence
    good = Reliability.measure(confidence, right)
    assert len(good.promised) == len(good.found) == 10
    assert good.error < 0.01
    assert Reliability.measure(confidence**0.3, right).error > 0.1
