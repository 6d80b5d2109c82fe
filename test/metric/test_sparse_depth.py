# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measurements are float32 columns of one length, and what cannot be one is dropped."""

import numpy as np
import pytest

from msdepth_ros.metric.sparse_depth import SparseDepth


def test_columns_become_float32_and_one_sigma_stands_for_all():
    sparse = SparseDepth([1, 2], [3, 4], [1.5, 2.5], 0.02, 'scan')
    for column in (sparse.u, sparse.v, sparse.depth, sparse.sigma):
        assert column.dtype == np.float32
        assert column.shape == (2,)
    assert len(sparse) == 2


@pytest.mark.parametrize('column', ['u', 'v', 'sigma'])
def test_columns_of_other_lengths_are_refused(column):
    columns = {name: np.ones(3) for name in ('u', 'v', 'depth', 'sigma')}
    columns[column] = np.ones(2)
    with pytest.raises(ValueError, match=column):
        SparseDepth(**columns, source='scan')


def test_what_cannot_be_a_measurement_is_dropped():
    nan, inf = np.nan, np.inf
    depth = [1.0, nan, inf, -inf, 0.0, -1.0, 2.0, 2.0, 2.0, 2.0, 3.0]
    u = [0.0, 0, 0, 0, 0, 0, nan, 0, 0, 0, 5]
    v = [0.0, 0, 0, 0, 0, 0, 0, -inf, 0, 0, 5]
    sigma = [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, nan, -1, 0.0]
    sparse = SparseDepth(u, v, depth, sigma, 'points').usable()
    assert sparse.depth.tolist() == [1.0, 3.0]
    assert sparse.source == 'points'
    assert len(SparseDepth([], [], [], [], 'none').usable()) == 0
