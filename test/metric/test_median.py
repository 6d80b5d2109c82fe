# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The medians that metres are measured with."""

import numpy as np

from msdepth_ros.metric.median import median_of


def test_the_median_is_that_of_what_is_known():
    values = np.array([[3.0, np.nan, 1.0, 2.0], [9.0, 5.0, 4.0, 7.0], [1.0, 2.0, 3.0, 4.0]])
    known = np.array([[True, False, True, True], [False, True, True, True], [False] * 4])
    assert median_of(values, known).tolist() == [2.0, 5.0, np.inf]
    assert median_of(values[1], known[1]) == 5.0
